// SPDX-License-Identifier: Apache-2.0
// Keys and values stored as f16 (attention_args.h). Included by attention_*.cc after attention_lanes.h.
#pragma once

namespace halftone {
namespace {

struct HalfValues {
  static constexpr bool kStored = true;
  static constexpr int kBlockBytes = 2048;  // of 16 columns in a block
  const uint16_t* at;
  int head_dim;
  Lanes load(int64_t key, int column) const { return load_halves(at + key * head_dim + column); }
  HalfValues from(int64_t key) const { return {at + key * head_dim, head_dim}; }
};

// Panels of 16 keys as they are stored, or decoded to floats in the same order.
struct HalfPanels {
  static constexpr bool kStored = true;
  const uint16_t* at;
  int64_t panel;
  Lanes load(int n, int d) const { return load_halves(at + n * panel + d * 16); }
};
struct FloatPanels {
  static constexpr bool kStored = false;
  const float* at;
  int64_t panel;
  Lanes load(int n, int d) const { return halftone::load(at + n * panel + d * 16); }
};

struct HalfKv {
  static void append(const KvAppendArgs& a) {
    auto* k = reinterpret_cast<uint16_t*>(a.k_block);
    auto* v = reinterpret_cast<uint16_t*>(a.v_block);
    for (int t = 0; t < a.tokens; ++t) {
      const int64_t slot = a.slot + t;
      uint16_t* panel = k + slot / 16 * 16 * a.head_dim + slot % 16;
      for (int d = 0; d < a.head_dim; d += 16) {
        const int n = a.head_dim - d < 16 ? a.head_dim - d : 16;
        uint16_t halves[16];
        store_halves(halves, load_some(a.k + t * a.k_stride + d, n));
        for (int i = 0; i < n; ++i) panel[(d + i) * 16] = halves[i];
        store_halves(halves, load_some(a.v + t * a.v_stride + d, n));
        __builtin_memcpy(v + slot * a.head_dim + d, halves, static_cast<size_t>(n) * 2);
      }
    }
  }

  static void prepare(const Work& w) {
    for (int row = 0; row < w.rows; ++row) {
      __builtin_memcpy(w.s.queries + row * w.width, w.q(row), static_cast<size_t>(w.a.head_dim) * 4);
    }
  }
  static Lanes weigh(const Work&, int64_t, Lanes p) { return p; }
  static HalfValues values(const Work& w, int64_t key) {
    return {reinterpret_cast<const uint16_t*>(w.v(key)), w.a.head_dim};
  }

  // Scores of kLanes * 16 keys from `key` for kRows rows.
  template <int kRows, int kLanes, class Panels>
  static void score_tile(const Work& w, const Panels& panels, int row, int64_t key, const Ahead& ahead) {
    const float* q = w.s.queries + row * w.width;
    Lanes score[kRows][kLanes];
    unroll<kRows>([&](auto r) { unroll<kLanes>([&](auto n) { score[r][n] = set(0); }); });
    const int64_t steps_done = key % kAttentionRange / (16 * kLanes) * w.a.head_dim;
    for (int d = 0; d < w.a.head_dim; ++d) {
      Lanes k[kLanes];
      unroll<kLanes>([&](auto n) { k[n] = panels.load(n, d); });
      if constexpr (Panels::kStored) {
        const int64_t step = steps_done + d;
        if constexpr (kLanes == 4) {
          ahead.fetch<2>(step, step >> 2, 0, int64_t{64} * w.a.head_dim);
        } else {
          ahead.fetch<1>(step, step >> 3, 0, 0);
        }
      }
      unroll<kRows>([&](auto r) {
        const Lanes query = set(q[r * w.width + d]);
        unroll<kLanes>([&](auto n) { score[r][n] = fma(query, k[n], score[r][n]); });
      });
    }
    const Lanes scale = set(w.a.scale);
    const bool all = w.all_see(row, kRows, key, kLanes * 16);
    unroll<kRows>([&](auto r) {
      unroll<kLanes>([&](auto n) { w.store_score(all, row + r, key + n * 16, mul(score[r][n], scale)); });
    });
  }

  template <class Panels>
  static void score_panels(const Work& w, Panels panels, int64_t block, const Ahead& ahead) {
    const auto* base = panels.at;
    for_tiles(w.rows, [&](int row, auto count) {
      constexpr int kRows = decltype(count)::kValue;
      const int64_t last = least(w.end(row + kRows - 1), block + kKvBlockTokens);
      int64_t key = most_of(w.begin(row), block) / 16 * 16;
      for (; key + (kTileLanes - 1) * 16 < last; key += kTileLanes * 16) {
        panels.at = base + (key - block) / 16 * panels.panel;
        score_tile<kRows, kTileLanes>(w, panels, row, key, ahead);
      }
      for (; key < last; key += 16) {
        panels.at = base + (key - block) / 16 * panels.panel;
        score_tile<kRows, 1>(w, panels, row, key, ahead);
      }
    });
  }

  // Scores of the keys of the block that begins with key `block`.
  static void score_block(const Work& w, int64_t block, const Ahead& ahead) {
    const auto* k = reinterpret_cast<const uint16_t*>(w.k(block));
    const int64_t panel = int64_t{16} * w.a.head_dim;
    if (w.direct()) return score_panels(w, HalfPanels{k, panel}, block, ahead);
    for (int64_t i = 0; i < 4 * panel; i += 16) store(w.s.block + i, load_halves(k + i));
    score_panels(w, FloatPanels{w.s.block, panel}, block, ahead);
  }
};

}  // namespace
}  // namespace halftone
