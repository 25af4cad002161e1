// SPDX-License-Identifier: Apache-2.0
// Keys and values stored in 8 bits with one scale per token and head (attention_args.h). Included by attention_*.cc
// after attention_lanes.h.
#pragma once

namespace halftone {
namespace {

// Largest magnitude of n numbers; NaN when one of them is not finite.
inline float largest_magnitude(const float* x, int n) {
  Lanes most = set(0), spoiled = set(0);
  for (int d = 0; d < n; d += 16) {
    const Lanes value = load_some(x + d, n - d < 16 ? n - d : 16);
    most = max(choose_if_less(value, set(0), sub(set(0), value), value), most);
    spoiled = fma(value, set(0), spoiled);
  }
  return max_of(most) + sum_of(spoiled);
}

// codes[d] = x[d] / scale to the nearest integer, ties to even, within -127..127; zeros when scale is not above zero,
// and for d in n .. padded - 1. Returns their sum.
inline int32_t quantize_row(const float* x, int n, int padded, float scale, int8_t* codes) {
  const Lanes to_integer = set(12582912.0f);  // 1.5 * 2^23: adding it rounds, and the low bits are the integer
  int32_t sum = 0;
  for (int d = 0; d < padded; d += 16) {
    const int count = padded - d < 16 ? padded - d : 16;
    float numbers[16] = {};
    if (scale > 0) {
      Lanes code = div(load_some(x + d, n - d < 16 ? (n > d ? n - d : 0) : 16), set(scale));
      code = choose_if_less(set(127), code, set(127), code);
      code = choose_if_less(code, set(-127), set(-127), code);
      store(numbers, sub(add(code, to_integer), to_integer));
    }
    for (int i = 0; i < count; ++i) {
      codes[d + i] = static_cast<int8_t>(numbers[i]);
      sum += codes[d + i];
    }
  }
  return sum;
}

// The stored scale of a row (f16) and its codes.
inline void quantize_stored(const float* x, int n, int padded, uint16_t* scale, int8_t* codes) {
  uint16_t halves[16];
  store_halves(halves, set(largest_magnitude(x, n) / 127.0f));
  float scales[16];
  store(scales, load_halves(halves));
  quantize_row(x, n, padded, scales[0], codes);
  *scale = halves[0];
}

struct Int8Values {
  static constexpr bool kStored = true;
  static constexpr int kBlockBytes = 1024;  // of 16 columns in a block
  const int8_t* at;
  int head_dim;
  Lanes load(int64_t key, int column) const { return load_bytes(at + key * head_dim + column); }
  Int8Values from(int64_t key) const { return {at + key * head_dim, head_dim}; }
};

struct Int8Kv {
  static constexpr int kMostHeadDim = 1024;  // above it the integer sums would not be exact floats

  static void append(const KvAppendArgs& a) {
    const int padded = round_up(a.head_dim, 4);
    auto* k = reinterpret_cast<uint8_t*>(a.k_block);
    auto* v = reinterpret_cast<int8_t*>(a.v_block);
    auto* k_scales = reinterpret_cast<uint16_t*>(k + kKvBlockTokens * padded);
    auto* v_scales = reinterpret_cast<uint16_t*>(v + kKvBlockTokens * round_up(a.head_dim, 2));
    for (int t = 0; t < a.tokens; ++t) {
      const int64_t slot = a.slot + t;
      int8_t codes[kMostHeadDim];
      quantize_stored(a.k + t * a.k_stride, a.head_dim, padded, k_scales + slot, codes);
      uint8_t* panel = k + slot / 16 * 16 * padded + slot % 16 * 4;
      for (int d = 0; d < padded; d += 4) {
        for (int i = 0; i < 4; ++i) panel[d * 16 + i] = static_cast<uint8_t>(codes[d + i] + 128);
      }
      quantize_stored(a.v + t * a.v_stride, a.head_dim, a.head_dim, v_scales + slot, v + slot * a.head_dim);
    }
  }

  // Of each row: its codes, padded to whole dwords, then its scale times the common one and the sum of its codes.
  static int64_t query_bytes(const Work& w) { return int64_t{4} * w.width; }
  static int8_t* codes(const Work& w, int row) { return reinterpret_cast<int8_t*>(w.s.queries) + row * query_bytes(w); }
  static float* factors(const Work& w) { return w.s.queries + w.rows * w.width; }
  static int32_t* sums(const Work& w) { return reinterpret_cast<int32_t*>(factors(w) + w.rows); }

  static void prepare(const Work& w) {
    for (int row = 0; row < w.rows; ++row) {
      const float scale = largest_magnitude(w.q(row), w.a.head_dim) / 127.0f;
      sums(w)[row] = quantize_row(w.q(row), w.a.head_dim, round_up(w.a.head_dim, 4), scale, codes(w, row));
      factors(w)[row] = scale * w.a.scale;
    }
  }
  static Lanes weigh(const Work& w, int64_t key, Lanes p) {
    const auto* scales =
        reinterpret_cast<const uint16_t*>(w.v(key) + kKvBlockTokens * round_up(w.a.head_dim, 2)) + key % kKvBlockTokens;
    return mul(p, load_halves(scales));
  }
  static Int8Values values(const Work& w, int64_t key) {
    return {reinterpret_cast<const int8_t*>(w.v(key)), w.a.head_dim};
  }

  // Scores of kLanes * 16 keys from `key`, the first of which `k` holds, for kRows rows.
  template <int kRows, int kLanes>
  static void score_tile(const Work& w, const uint8_t* k, const uint16_t* scales, int row, int64_t key,
                         const Ahead& ahead) {
    const int padded = round_up(w.a.head_dim, 4);
    const int8_t* q = codes(w, row);
    const int64_t stride = query_bytes(w), steps_done = key % kAttentionRange / (16 * kLanes) * (padded / 4);
    Sums score[kRows][kLanes];
    unroll<kRows>([&](auto r) { unroll<kLanes>([&](auto n) { score[r][n] = no_sums(); }); });
    for (int d = 0; d < padded; d += 4) {
      Codes keys[kLanes];
      unroll<kLanes>([&](auto n) { keys[n] = load_codes(k + n * 16 * padded + d * 16); });
      const int64_t step = steps_done + d / 4;
      if constexpr (kLanes == 4) {
        unroll<4>([&](auto block) { ahead.fetch<1>(block, step, 0, 0); });
      } else {
        ahead.fetch<1>(step, step >> 2, 0, 0);
      }
      unroll<kRows>([&](auto r) {
        unroll<kLanes>([&](auto n) { score[r][n] = dot4(keys[n], q + r * stride + d, score[r][n]); });
      });
    }
    const bool all = w.all_see(row, kRows, key, kLanes * 16);
    unroll<kLanes>([&](auto n) {
      const Lanes key_scale = load_halves(scales + n * 16);
      unroll<kRows>([&](auto r) {
        const Lanes dot = without_offset(score[r][n], sums(w)[row + r]);
        w.store_score(all, row + r, key + n * 16, mul(dot, mul(key_scale, set(factors(w)[row + r]))));
      });
    });
  }

  // Scores of the keys of the block that begins with key `block`.
  static void score_block(const Work& w, int64_t block, const Ahead& ahead) {
    const int padded = round_up(w.a.head_dim, 4);
    const auto* k = reinterpret_cast<const uint8_t*>(w.k(block));
    const auto* scales = reinterpret_cast<const uint16_t*>(k + kKvBlockTokens * padded);
    for_tiles(w.rows, [&](int row, auto count) {
      constexpr int kRows = decltype(count)::kValue;
      const int64_t last = least(w.end(row + kRows - 1), block + kKvBlockTokens);
      int64_t key = most_of(w.begin(row), block) / 16 * 16;
      for (; key + (kTileLanes - 1) * 16 < last; key += kTileLanes * 16) {
        score_tile<kRows, kTileLanes>(w, k + (key - block) * padded, scales + (key - block), row, key, ahead);
      }
      for (; key < last; key += 16) {
        score_tile<kRows, 1>(w, k + (key - block) * padded, scales + (key - block), row, key, ahead);
      }
    });
  }
};

}  // namespace
}  // namespace halftone
