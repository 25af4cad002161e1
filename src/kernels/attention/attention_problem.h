// SPDX-License-Identifier: Apache-2.0
// A random cache of one KV head, for the tests and benchmarks of attention.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/aligned.h"
#include "base/rng.h"
#include "kernels/attention/attention.h"
#include "tensor/dtype.h"

namespace halftone {

struct RandomKv {
  static constexpr int kMostHeads = 8;

  KvType type;
  int head_dim;
  uint64_t seed;
  float scale, soft_cap = 0;
  std::vector<float> q;                        // (tokens, kMostHeads, head_dim)
  std::vector<AlignedBuffer<std::byte>> data;  // per 64 tokens: keys, then values
  std::vector<const std::byte*> blocks;

  RandomKv(KvType type, int head_dim, int64_t keys, uint64_t seed, double sharpness = 1, int tokens = 1)
      : type(type), head_dim(head_dim), seed(seed), scale(1 / std::sqrt(static_cast<float>(head_dim))) {
    Rng rng(seed);
    for (int i = 0; i < tokens * kMostHeads * head_dim; ++i) q.push_back(static_cast<float>(sharpness * rng.normal()));
    const auto bytes = static_cast<size_t>(k_block_bytes(type, head_dim) + v_block_bytes(type, head_dim));
    for (int64_t key = 0; key < keys; key += kKvBlockTokens) data.emplace_back(bytes);
    std::vector<float> k(static_cast<size_t>(head_dim)), v(k);
    for (int64_t key = 0; key < keys; ++key) {
      for (float& x : k) x = static_cast<float>(rng.normal());
      for (float& x : v) x = static_cast<float>(rng.normal());
      append(key, k, v);
    }
    for (const auto& block : data) blocks.push_back(block.data());
  }

  void append(int64_t key, const std::vector<float>& k, const std::vector<float>& v) {
    KvAppendArgs args{};
    args.k = k.data();
    args.v = v.data();
    args.k_stride = args.v_stride = head_dim;
    args.tokens = 1;
    args.head_dim = head_dim;
    args.slot = key % kKvBlockTokens;
    args.k_block = data[static_cast<size_t>(key / kKvBlockTokens)].data();
    args.v_block = args.k_block + k_block_bytes(type, head_dim);
    select_attention(Isa::scalar, type)->run->append(args);
  }

  float q_at(int row, int d) const { return q[static_cast<size_t>(row * head_dim + d)]; }
  // What the stored key means, read plainly by the layout of attention_args.h.
  float k_at(int64_t key, int d) const {
    const std::byte* block = blocks[static_cast<size_t>(key / kKvBlockTokens)];
    const int64_t slot = key % kKvBlockTokens;
    if (type == KvType::f16) return half_at(block, slot / 16 * 16 * head_dim + d * 16 + slot % 16);
    const int64_t padded = (head_dim + 3) / 4 * 4;
    const auto code = static_cast<int>(block[slot / 16 * 16 * padded + d / 4 * 64 + slot % 16 * 4 + d % 4]) - 128;
    return static_cast<float>(code) * half_at(block + kKvBlockTokens * padded, slot);
  }
  float v_at(int64_t key, int d) const {
    const std::byte* block = blocks[static_cast<size_t>(key / kKvBlockTokens)] + k_block_bytes(type, head_dim);
    const int64_t slot = key % kKvBlockTokens;
    if (type == KvType::f16) return half_at(block, slot * head_dim + d);
    const auto code = static_cast<int8_t>(block[slot * head_dim + d]);
    return static_cast<float>(code) * half_at(block + kKvBlockTokens * ((head_dim + 1) / 2 * 2), slot);
  }
  // Makes the keys [begin, end) and their values not numbers.
  void poison(int64_t begin, int64_t end) {
    const std::vector<float> nan(static_cast<size_t>(head_dim), NAN);
    for (int64_t key = begin; key < end; ++key) append(key, nan, nan);
  }
  // All but out and scratch.
  AttentionArgs args(int group, int tokens, int64_t position, int64_t window) const {
    AttentionArgs a{};
    a.q = q.data();
    a.q_stride = kMostHeads * head_dim;
    a.tokens = tokens;
    a.group = group;
    a.head_dim = head_dim;
    a.blocks = blocks.data();
    a.v_offset = k_block_bytes(type, head_dim);
    a.position = position;
    a.window = window;
    a.scale = scale;
    a.soft_cap = soft_cap;
    return a;
  }

 private:
  static float half_at(const std::byte* base, int64_t index) {
    uint16_t bits = 0;
    std::memcpy(&bits, base + 2 * index, 2);
    return f16_to_f32(bits);
  }
};

}  // namespace halftone
