// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"

#include <iterator>

#include "base/error.h"

namespace halftone {

#define ATTENTION_KERNEL(isa, kv) extern const AttentionFunctions kAttention_##isa##_##kv;
#include "kernels/attention/kernels.inc"

namespace {

constexpr AttentionKernel kKernels[] = {
#define ATTENTION_KERNEL(isa, kv) {&kAttention_##isa##_##kv, "attention_" #kv "_" #isa, Isa::isa, KvType::kv},
#include "kernels/attention/kernels.inc"
};

int64_t rounded(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

}  // namespace

std::string_view name_of(KvType type) { return type == KvType::f16 ? "f16" : "int8"; }

Result<KvType> kv_type_from_name(std::string_view name) {
  for (const KvType type : {KvType::f16, KvType::int8}) {
    if (name == name_of(type)) return type;
  }
  return invalid_input("[kv] expected f16 or int8, got '{}'", name);
}

int64_t k_block_bytes(KvType type, int head_dim) {
  if (type == KvType::f16) return kKvBlockTokens * head_dim * 2;
  return kKvBlockTokens * (rounded(head_dim, 4) + 2);
}
// Kernels load 16 columns at a time: the last row of a width that is no multiple of 16 is read beyond its end.
int64_t v_block_bytes(KvType type, int head_dim) {
  const int64_t slack = head_dim % 16 != 0 ? 64 : 0;
  return kKvBlockTokens * (type == KvType::f16 ? head_dim * 2 : rounded(head_dim, 2) + 2) + slack;
}
int64_t kv_token_bytes(KvType type, int head_dim) {
  return type == KvType::f16 ? 4 * int64_t{head_dim} : rounded(head_dim, 4) + head_dim + 4;
}

const AttentionKernel* const* attention_kernels(int* count) {
  static const auto pointers = [] {
    struct {
      const AttentionKernel* items[std::size(kKernels)];
    } all;
    for (size_t i = 0; i < std::size(kKernels); ++i) all.items[i] = &kKernels[i];
    return all;
  }();
  *count = static_cast<int>(std::size(kKernels));
  return pointers.items;
}

const AttentionKernel* select_attention(Isa active, KvType kv) {
  for (const AttentionKernel& kernel : kKernels) {
    if (kernel.kv == kv && isa_runs(kernel.isa, active)) return &kernel;
  }
  return nullptr;
}

// As Scratch in attention_lanes.h divides it: queries, scores, the range's output and sums, a block as floats.
int64_t attention_scratch_floats(int64_t rows, int head_dim) {
  const int64_t width = rounded(head_dim, 16);
  return rows * (width + 16 + kAttentionRange + width + 4) + kKvBlockTokens * width + 64;
}
int64_t attention_partial_floats(int64_t rows, int head_dim) { return rounded(rows * (rounded(head_dim, 16) + 2), 16); }

}  // namespace halftone
