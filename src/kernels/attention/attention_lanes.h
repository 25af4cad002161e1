// SPDX-License-Identifier: Apache-2.0
// Attention on 16 lanes, once for every ISA: each ISA's file names its lanes in HALFTONE_LANES and includes this.
#pragma once

#include "kernels/attention/attention_args.h"
#include "kernels/lanes/lanes_math.h"

namespace halftone {
namespace {

// Per head of the group: 256 probabilities, the range's output, and the merged maximum and sum.
struct AttentionScratch {
  float *p, *range_out, *most, *total;
  explicit AttentionScratch(const AttentionArgs& a)
      : p(a.scratch),
        range_out(p + a.group * kAttentionRange),
        most(range_out + a.group * a.head_dim),
        total(most + a.group) {}
};

// Enough independent sums to hide the latency of an fma, and no more than the registers hold.
constexpr int kMostHeads = kLanesInRegisters >= 32 ? 8 : 4;
constexpr int kScorePanels = kLanesInRegisters >= 32 ? 2 : 1;
constexpr int kValueColumns = kLanesInRegisters >= 32 ? 4 : 2;  // of 16

inline const uint16_t* k_panel(const AttentionArgs& a, int64_t key) {
  return a.k_blocks[key / kKvBlockTokens] + key % kKvBlockTokens * a.head_dim;
}
inline const uint16_t* v_row(const AttentionArgs& a, int64_t key) {
  return a.v_blocks[key / kKvBlockTokens] + key % kKvBlockTokens * a.head_dim;
}

// Scores of kPanels * 16 keys from `key` for kHeads heads from `head`.
template <int kHeads, int kPanels>
inline void score_panels(const AttentionArgs& a, float* p, int64_t key, int64_t range, int head) {
  const float* q = a.q + head * a.q_stride;
  const uint16_t* k[kPanels];
  Lanes score[kPanels][kHeads];
  for (int n = 0; n < kPanels; ++n) {
    k[n] = k_panel(a, key + n * 16);
    for (int h = 0; h < kHeads; ++h) score[n][h] = set(0);
  }
  for (int d = 0; d < a.head_dim; ++d) {
    Lanes keys[kPanels];
    for (int n = 0; n < kPanels; ++n) keys[n] = load_halves(k[n] + d * 16);
#pragma GCC unroll 8
    for (int h = 0; h < kHeads; ++h) {
      const Lanes query = set(q[h * a.q_stride + d]);
      for (int n = 0; n < kPanels; ++n) score[n][h] = fma(query, keys[n], score[n][h]);
    }
  }
  for (int n = 0; n < kPanels; ++n) {
    const int64_t first = key + n * 16;
    const int begin = a.first_key > first ? static_cast<int>(a.first_key - first) : 0;
    const int end = a.end_key - first < 16 ? static_cast<int>(a.end_key - first) : 16;
    for (int h = 0; h < kHeads; ++h) {
      store(p + (head + h) * kAttentionRange + (first - range),
            keep(mul(score[n][h], set(a.scale)), begin, end, -__builtin_inff()));
    }
  }
}

// range_out[d] = sum over keys of p * v for kHeads heads and kColumns * 16 columns from d.
template <int kHeads, int kColumns>
inline void weigh_values(const AttentionArgs& a, const AttentionScratch& s, int64_t begin, int64_t end, int64_t range,
                         int head, int d) {
  Lanes sum[kHeads][kColumns];
  for (int h = 0; h < kHeads; ++h) {
    for (int c = 0; c < kColumns; ++c) sum[h][c] = set(0);
  }
  const float* p = s.p + head * kAttentionRange;
  for (int64_t key = begin; key < end; ++key) {
    const uint16_t* v = v_row(a, key) + d;
    Lanes values[kColumns];
    for (int c = 0; c < kColumns; ++c) values[c] = load_halves(v + c * 16);
#pragma GCC unroll 8
    for (int h = 0; h < kHeads; ++h) {
      const Lanes weight = set(p[h * kAttentionRange + (key - range)]);
      for (int c = 0; c < kColumns; ++c) sum[h][c] = fma(weight, values[c], sum[h][c]);
    }
  }
  for (int h = 0; h < kHeads; ++h) {
    for (int c = 0; c < kColumns; ++c) store(s.range_out + (head + h) * a.head_dim + d + c * 16, sum[h][c]);
  }
}

// The same for the last columns, fewer than 16.
template <int kHeads>
inline void weigh_last_values(const AttentionArgs& a, const AttentionScratch& s, int64_t begin, int64_t end,
                              int64_t range, int head, int d) {
  const int count = a.head_dim - d;
  Lanes sum[kHeads];
  for (int h = 0; h < kHeads; ++h) sum[h] = set(0);
  const float* p = s.p + head * kAttentionRange;
  for (int64_t key = begin; key < end; ++key) {
    const Lanes values = load_halves_some(v_row(a, key) + d, count);
    for (int h = 0; h < kHeads; ++h) sum[h] = fma(set(p[h * kAttentionRange + (key - range)]), values, sum[h]);
  }
  for (int h = 0; h < kHeads; ++h) store_some(s.range_out + (head + h) * a.head_dim + d, sum[h], count);
}

template <int kHeads>
inline void attend_heads(const AttentionArgs& a, const AttentionScratch& s, int64_t begin, int64_t end, int64_t range,
                         int head) {
  const int64_t first_panel = begin / 16 * 16;
  int64_t key = first_panel;
  for (; key + (kScorePanels - 1) * 16 < end; key += kScorePanels * 16) {
    score_panels<kHeads, kScorePanels>(a, s.p, key, range, head);
  }
  for (; key < end; key += 16) score_panels<kHeads, 1>(a, s.p, key, range, head);
  for (int h = head; h < head + kHeads; ++h) {
    float* p = s.p + h * kAttentionRange;
    Lanes most = set(-__builtin_inff());
    for (key = first_panel; key < end; key += 16) most = max(load(p + (key - range)), most);
    const float range_most = max_of(most);
    Lanes sum = set(0);
    for (key = first_panel; key < end; key += 16) {
      const Lanes weight = exp(sub(load(p + (key - range)), set(range_most)));
      store(p + (key - range), weight);
      sum = add(sum, weight);
    }
    s.most[h] = range_most;
    s.total[h] = sum_of(sum);
  }
  constexpr int kColumns = kHeads < kMostHeads ? kValueColumns : kValueColumns / 2;  // the same number of sums
  int d = 0;
  for (; d + kColumns * 16 <= a.head_dim; d += kColumns * 16) {
    weigh_values<kHeads, kColumns>(a, s, begin, end, range, head, d);
  }
  for (; d + 16 <= a.head_dim; d += 16) weigh_values<kHeads, 1>(a, s, begin, end, range, head, d);
  if (d < a.head_dim) weigh_last_values<kHeads>(a, s, begin, end, range, head, d);
}

// Merges the range's result of every head into out, scaled by exp(own maximum - common maximum).
inline void merge_range(const AttentionArgs& a, const AttentionScratch& s, bool first, float* most, float* total) {
  for (int h = 0; h < a.group; ++h) {
    float* out = a.out + h * a.out_stride;
    const float* range_out = s.range_out + h * a.head_dim;
    float scales[16] = {};
    const float common = first || s.most[h] > most[h] ? s.most[h] : most[h];
    scales[0] = first ? 0 : most[h] - common;
    scales[1] = s.most[h] - common;
    store(scales, exp(load(scales)));
    for (int d = 0; d < a.head_dim; d += 16) {
      const int n = a.head_dim - d < 16 ? a.head_dim - d : 16;
      const Lanes own = mul(load_some(range_out + d, n), set(scales[1]));
      store_some(out + d, first ? own : fma(load_some(out + d, n), set(scales[0]), own), n);
    }
    const float own_total = s.total[h] * scales[1];
    total[h] = first ? own_total : __builtin_fmaf(total[h], scales[0], own_total);
    most[h] = common;
  }
}

inline void attend(const AttentionArgs& a) {
  const AttentionScratch s(a);
  float *most = s.total + a.group, *total = most + a.group;
  for (int64_t range = a.first_key / kAttentionRange * kAttentionRange; range < a.end_key; range += kAttentionRange) {
    const int64_t begin = a.first_key > range ? a.first_key : range;
    const int64_t end = a.end_key < range + kAttentionRange ? a.end_key : range + kAttentionRange;
    int head = 0;
    for (; head + kMostHeads <= a.group; head += kMostHeads) attend_heads<kMostHeads>(a, s, begin, end, range, head);
    for (; head + 4 <= a.group; head += 4) attend_heads<4>(a, s, begin, end, range, head);
    for (; head + 2 <= a.group; head += 2) attend_heads<2>(a, s, begin, end, range, head);
    for (; head < a.group; ++head) attend_heads<1>(a, s, begin, end, range, head);
    merge_range(a, s, begin == a.first_key, most, total);
  }
  for (int h = 0; h < a.group; ++h) {
    for (int d = 0; d < a.head_dim; d += 16) {
      const int n = a.head_dim - d < 16 ? a.head_dim - d : 16;
      float* out = a.out + h * a.out_stride + d;
      store_some(out, div(load_some(out, n), set(total[h])), n);
    }
  }
}

}  // namespace
}  // namespace halftone
