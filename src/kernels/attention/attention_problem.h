// SPDX-License-Identifier: Apache-2.0
// A random cache of one KV head, for the tests and benchmarks of attention.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "kernels/attention/attention.h"
#include "tensor/dtype.h"

namespace halftone {

struct RandomKv {
  static constexpr int kMostHeads = 8;

  int head_dim;
  uint64_t seed;
  float scale;
  std::vector<float> q;  // (kMostHeads, head_dim)
  std::vector<std::vector<uint16_t>> k_data, v_data;
  std::vector<const uint16_t*> k_blocks, v_blocks;

  RandomKv(int head_dim, int64_t keys, uint64_t seed, double sharpness = 1)
      : head_dim(head_dim), seed(seed), scale(1 / std::sqrt(static_cast<float>(head_dim))) {
    Rng rng(seed);
    for (int i = 0; i < kMostHeads * head_dim; ++i) q.push_back(static_cast<float>(sharpness * rng.normal()));
    const auto block = static_cast<size_t>(kKvBlockTokens * head_dim);
    std::vector<float> k(static_cast<size_t>(head_dim)), v(k);
    for (int64_t key = 0; key < keys; ++key) {
      if (key % kKvBlockTokens == 0) {
        k_data.emplace_back(block);
        v_data.emplace_back(block);
      }
      for (float& x : k) x = static_cast<float>(rng.normal());
      for (float& x : v) x = static_cast<float>(rng.normal());
      append_kv(k.data(), v.data(), head_dim, key % kKvBlockTokens, k_data.back().data(), v_data.back().data());
    }
    for (const auto& data : k_data) k_blocks.push_back(data.data());
    for (const auto& data : v_data) v_blocks.push_back(data.data());
  }

  float q_at(int head, int d) const { return q[static_cast<size_t>(head * head_dim + d)]; }
  float k_at(int64_t key, int d) const {
    const int64_t slot = key % kKvBlockTokens;
    return f16_to_f32(
        k_blocks[static_cast<size_t>(key / kKvBlockTokens)][slot / 16 * 16 * head_dim + d * 16 + slot % 16]);
  }
  float v_at(int64_t key, int d) const {
    return f16_to_f32(v_blocks[static_cast<size_t>(key / kKvBlockTokens)][key % kKvBlockTokens * head_dim + d]);
  }
  // Makes the keys [begin, end) and their values not numbers.
  void poison(int64_t begin, int64_t end) {
    const std::vector<float> nan(static_cast<size_t>(head_dim), NAN);
    for (int64_t key = begin; key < end; ++key) {
      const auto block = static_cast<size_t>(key / kKvBlockTokens);
      append_kv(nan.data(), nan.data(), head_dim, key % kKvBlockTokens, k_data[block].data(), v_data[block].data());
    }
  }
  // All but out and scratch.
  AttentionArgs args(int group, int64_t first, int64_t end) const {
    AttentionArgs a{};
    a.q = q.data();
    a.q_stride = head_dim;
    a.group = group;
    a.head_dim = head_dim;
    a.k_blocks = k_blocks.data();
    a.v_blocks = v_blocks.data();
    a.first_key = first;
    a.end_key = end;
    a.scale = scale;
    return a;
  }
};

}  // namespace halftone
