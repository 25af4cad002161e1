// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"

#include <iterator>

#include "tensor/dtype.h"

namespace halftone {

#define ATTENTION_KERNEL(isa) void attention_##isa(const AttentionArgs& args);
#include "kernels/attention/kernels.inc"

namespace {

constexpr AttentionKernel kKernels[] = {
#define ATTENTION_KERNEL(isa) {"attention_" #isa, Isa::isa, attention_##isa},
#include "kernels/attention/kernels.inc"
};

}  // namespace

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

const AttentionKernel* select_attention(Isa active) {
  for (const AttentionKernel& kernel : kKernels) {
    if (isa_runs(kernel.isa, active)) return &kernel;
  }
  return nullptr;
}

int64_t attention_scratch_floats(int group, int head_dim) {
  return group * (kAttentionRange + int64_t{head_dim} + 4) + 16;
}

void append_kv(const float* k, const float* v, int head_dim, int64_t slot, uint16_t* k_block, uint16_t* v_block) {
  uint16_t* k_panel = k_block + slot / 16 * 16 * head_dim + slot % 16;
  uint16_t* v_row = v_block + slot * head_dim;
  for (int d = 0; d < head_dim; ++d) {
    k_panel[d * 16] = f32_to_f16(k[d]);
    v_row[d] = f32_to_f16(v[d]);
  }
}

}  // namespace halftone
