// SPDX-License-Identifier: Apache-2.0
// Attention on 16 lanes, once for every ISA and every kind of stored keys: each ISA's file names its lanes in
// HALFTONE_LANES and includes this, then kv_half.h and kv_int8.h, which say how scores and values come from the store.
// Both products are matrix products of up to kTileRows query rows by 64 keys or columns whose sums stay in registers.
#pragma once

#include "kernels/attention/attention_args.h"
#include "kernels/lanes/lanes_math.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

constexpr int kTileRows = 6;
constexpr int kTileLanes = kLanesInRegisters >= 32 ? 4 : 1;  // of 16 keys or columns
constexpr int kDirectRows = 12;  // with more rows, a block is decoded to floats once instead of for every tile

constexpr int round_up(int value, int to) { return (value + to - 1) / to * to; }
inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most_of(int64_t a, int64_t b) { return a > b ? a : b; }

struct Scratch {
  float *queries, *p, *range_out, *most, *total, *merged_most, *merged_total, *block;
  Scratch(float* at, int64_t rows, int width)
      : queries(at),
        p(queries + rows * (width + 16)),
        range_out(p + rows * kAttentionRange),
        block(range_out + rows * width) {
    most = block + kKvBlockTokens * width;
    total = most + rows;
    merged_most = total + rows;
    merged_total = merged_most + rows;
  }
};

// What is read in the next half of a range's work, while this half runs: the values of its blocks during the keys, the
// keys of the next range during the values. A step fetches a line of each block in turn, so that the memory system sees
// several streams.
struct Ahead {
  const std::byte* block[4];
  // kLines lines `apart` from each other, of the block whose turn it is.
  template <int kLines>
  inline __attribute__((always_inline)) void fetch(int64_t turn, int64_t line, int64_t offset, int64_t apart) const {
    const std::byte* at = block[turn & 3] + offset + line * 64;
    unroll<kLines>([&](auto i) { prefetch_line(at + i * apart); });
  }
};

// One call: its rows, the keys that each sees, and where things are.
struct Work {
  const AttentionArgs& a;
  int rows, width;  // width: head_dim, padded to whole lanes
  Scratch s;
  explicit Work(const AttentionArgs& args)
      : a(args),
        rows(args.tokens * args.group),
        width(round_up(args.head_dim, 16)),
        s(args.scratch, args.tokens * args.group, round_up(args.head_dim, 16)) {}

  int64_t end(int row) const { return a.position + row / a.group + 1; }
  int64_t begin(int row) const { return a.window > 0 ? most_of(end(row) - a.window, 0) : 0; }
  const std::byte* k(int64_t key) const { return a.blocks[key / kKvBlockTokens] + a.k_offset; }
  const std::byte* v(int64_t key) const { return a.blocks[key / kKvBlockTokens] + a.v_offset; }
  const float* q(int row) const { return a.q + row / a.group * a.q_stride + row % a.group * a.head_dim; }
  float* out(int row) const { return a.out + row / a.group * a.out_stride + row % a.group * a.head_dim; }
  bool direct() const { return rows <= kDirectRows; }
  // The blocks of the range that begins with key `range`; those that no row sees give one that some row does.
  Ahead ahead(int64_t range, bool keys) const {
    Ahead out{};
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t key = least(most_of(range + i * kKvBlockTokens, begin(0)), end(rows - 1) - 1);
      out.block[i] = keys ? k(key) : v(key);
    }
    return out;
  }

  // Does every row of a tile see all these keys?
  bool all_see(int row, int count, int64_t key, int64_t keys) const {
    return begin(row + count - 1) <= key && end(row) >= key + keys;
  }
  // Keeps the scores of 16 keys from `key` that the row sees.
  void store_score(bool all, int row, int64_t key, Lanes score) const {
    float* at = s.p + row * kAttentionRange + key % kAttentionRange;
    if (all) return store(at, score);
    const int64_t from = begin(row) - key, to = end(row) - key;
    store(at, keep(score, static_cast<int>(most_of(from, 0)), static_cast<int>(least(most_of(to, 0), 16)),
                   -__builtin_inff()));
  }
};

// f(first row, Index<rows>) over rows in tiles of nearly equal size.
template <class Function>
inline void for_tiles(int rows, const Function& f) {
  const int tiles = (rows + kTileRows - 1) / kTileRows;
  for (int tile = 0, row = 0; tile < tiles; ++tile) {
    const int count = (rows - row + tiles - tile - 1) / (tiles - tile);
    switch (count) {
      case 1:
        f(row, Index<1>());
        break;
      case 2:
        f(row, Index<2>());
        break;
      case 3:
        f(row, Index<3>());
        break;
      case 4:
        f(row, Index<4>());
        break;
      case 5:
        f(row, Index<5>());
        break;
      default:
        f(row, Index<6>());
        break;
    }
    row += count;
  }
}

// out[r][c] goes on with the chain over keys of fma(weight[r][key], values[key][c]), for kRows rows and kLanes * 16
// columns. `done`: keys of the range before the first.
template <int kRows, int kLanes, class Values>
inline void weigh_tile(const float* weights, const Values& values, int column, int64_t keys, const Ahead& ahead,
                       int64_t done, float* out, int width) {
  Lanes sum[kRows][kLanes];
  unroll<kRows>([&](auto r) { unroll<kLanes>([&](auto c) { sum[r][c] = load(out + r * width + c * 16); }); });
  for (int64_t key = 0; key < keys; ++key) {
    Lanes v[kLanes];
    unroll<kLanes>([&](auto c) { v[c] = values.load(key, column + c * 16); });
    if constexpr (Values::kStored) {
      constexpr int kBytes = Values::kBlockBytes * kLanes;  // of each block, during 256 keys
      const int64_t step = done + key, offset = int64_t{column} / 16 * Values::kBlockBytes;
      if constexpr (kBytes >= 4096) {
        ahead.fetch<kBytes / 4096>(step, step >> 2, offset, 4096);
      } else {
        ahead.fetch<1>(step, step * kBytes / 16384, offset, 0);
      }
    }
    unroll<kRows>([&](auto r) {
      const Lanes weight = set(weights[r * kAttentionRange + key]);
      unroll<kLanes>([&](auto c) { sum[r][c] = fma(weight, v[c], sum[r][c]); });
    });
  }
  unroll<kRows>([&](auto r) { unroll<kLanes>([&](auto c) { store(out + r * width + c * 16, sum[r][c]); }); });
}

// Rows of floats, as a decoded block holds them.
struct FloatValues {
  static constexpr bool kStored = false;
  const float* at;
  int width;
  Lanes load(int64_t key, int column) const { return halftone::load(at + key * width + column); }
  FloatValues from(int64_t key) const { return {at + key * width, width}; }
};

template <int kRows, class Values>
inline void weigh_rows(const Work& w, int row, const Values& values, int64_t first, int64_t count, const Ahead& ahead) {
  const int64_t done = first % kAttentionRange;
  const float* weights = w.s.p + row * kAttentionRange + done;
  float* out = w.s.range_out + row * w.width;
  int column = 0;
  for (; column + kTileLanes * 16 <= w.width; column += kTileLanes * 16) {
    weigh_tile<kRows, kTileLanes>(weights, values, column, count, ahead, done, out + column, w.width);
  }
  for (; column < w.width; column += 16) {
    weigh_tile<kRows, 1>(weights, values, column, count, ahead, done, out + column, w.width);
  }
}

// Adds the keys [first, last), of one block whose first one `values` holds, to the rows that see them. Rows of a tile
// may see a few keys more or less than others; those come in their place of the chain, row by row.
template <class Values>
inline void weigh_block(const Work& w, const Values& values, int64_t first, int64_t last, const Ahead& ahead) {
  for_tiles(w.rows, [&](int row, auto count) {
    constexpr int kRows = decltype(count)::kValue;
    const auto weigh = [&](auto rows, int at, int64_t from, int64_t to) {
      if (from < to)
        weigh_rows<decltype(rows)::kValue>(w, at, values.from(from % kKvBlockTokens), from, to - from, ahead);
    };
    // Both ends rise from row to row.
    const int64_t begin = most_of(w.begin(row + kRows - 1), first), end = least(w.end(row), last);
    if (begin >= end) {
      for (int r = row; r < row + kRows; ++r) weigh(Index<1>(), r, most_of(w.begin(r), first), least(w.end(r), last));
      return;
    }
    for (int r = row; r < row + kRows; ++r) weigh(Index<1>(), r, most_of(w.begin(r), first), begin);
    weigh(count, row, begin, end);
    for (int r = row; r < row + kRows; ++r) weigh(Index<1>(), r, end, least(w.end(r), last));
  });
}

// Caps a row's scores of [first, last); those that the row does not see stay minus infinity.
inline void cap_scores(float* p, int64_t first, int64_t last, float cap) {
  const Lanes unseen = set(-__builtin_inff());
  for (int64_t key = first; key < last; key += 16) {
    const Lanes score = load(p + key);
    store(p + key, choose_if_less(unseen, score, soft_capped(score, set(cap)), score));
  }
}

// Turns a row's scores of [first, last) into weights; keeps maximum and sum.
template <class Kv>
inline void soften(const Work& w, int row, int64_t range) {
  const int64_t first = most_of(w.begin(row), range) / 16 * 16, last = least(w.end(row), range + kAttentionRange);
  float* p = w.s.p + row * kAttentionRange - range;
  if (w.a.soft_cap > 0) cap_scores(p, first, last, w.a.soft_cap);
  Lanes most = set(-__builtin_inff());
  for (int64_t key = first; key < last; key += 16) most = max(load(p + key), most);
  const float range_most = max_of(most);
  Lanes sum = set(0);
  for (int64_t key = first; key < last; key += 16) {
    const Lanes weight = exp(sub(load(p + key), set(range_most)));
    store(p + key, Kv::weigh(w, key, weight));
    sum = add(sum, weight);
  }
  w.s.most[row] = range_most;
  w.s.total[row] = sum_of(sum);
}

// Scratch's range_out, most and total of the range that begins with key `range`.
template <class Kv>
inline void compute_range(const Work& w, int64_t range) {
  const int64_t first = most_of(w.begin(0), range), last = least(w.end(w.rows - 1), range + kAttentionRange);
  const auto next_block = [](int64_t key) { return (key / kKvBlockTokens + 1) * kKvBlockTokens; };
  const Ahead values_ahead = w.ahead(range, false), keys_ahead = w.ahead(range + kAttentionRange, true);
  for (int64_t key = first; key < last; key = next_block(key)) {
    Kv::score_block(w, key / kKvBlockTokens * kKvBlockTokens, values_ahead);
  }
  for (int row = 0; row < w.rows; ++row) {
    if (w.begin(row) < last && w.end(row) > first) soften<Kv>(w, row, range);
  }
  for (int i = 0; i < w.rows * w.width; i += 16) store(w.s.range_out + i, set(0));
  for (int64_t key = first; key < last; key = next_block(key)) {
    const auto values = Kv::values(w, key);
    const int64_t end = least(next_block(key), last);
    if (w.direct()) {
      weigh_block(w, values, key, end, keys_ahead);
      continue;
    }
    for (int64_t at = key % kKvBlockTokens; at < end - key / kKvBlockTokens * kKvBlockTokens; ++at) {
      for (int column = 0; column < w.width; column += 16) {
        store(w.s.block + at * w.width + column, values.load(at, column));
      }
    }
    weigh_block(w, FloatValues{w.s.block, w.width}, key, end, keys_ahead);
  }
}

// Merges a range's result into out, scaled by exp(own maximum - common maximum).
inline void merge_range(const Work& w, int64_t range, const float* range_out, const float* range_most,
                        const float* range_total) {
  for (int row = 0; row < w.rows; ++row) {
    if (w.end(row) <= range || w.begin(row) >= range + kAttentionRange) continue;
    const bool first = w.begin(row) >= range;
    float *out = w.out(row), &most = w.s.merged_most[row], &total = w.s.merged_total[row];
    float scales[16] = {};
    const float common = first || range_most[row] > most ? range_most[row] : most;
    scales[0] = first ? 0 : most - common;
    scales[1] = range_most[row] - common;
    store(scales, exp(load(scales)));
    for (int d = 0; d < w.a.head_dim; d += 16) {
      const int n = w.a.head_dim - d < 16 ? w.a.head_dim - d : 16;
      const Lanes own = mul(load(range_out + row * w.width + d), set(scales[1]));
      store_some(out + d, first ? own : fma(load_some(out + d, n), set(scales[0]), own), n);
    }
    const float own_total = range_total[row] * scales[1];
    total = first ? own_total : __builtin_fmaf(total, scales[0], own_total);
    most = common;
  }
}

inline void divide_by_totals(const Work& w) {
  for (int row = 0; row < w.rows; ++row) {
    for (int d = 0; d < w.a.head_dim; d += 16) {
      const int n = w.a.head_dim - d < 16 ? w.a.head_dim - d : 16;
      float* out = w.out(row) + d;
      store_some(out, div(load_some(out, n), set(w.s.merged_total[row])), n);
    }
  }
}

template <class Kv>
inline void attend(const AttentionArgs& a) {
  const Work w(a);
  Kv::prepare(w);
  for (int64_t range = w.begin(0) / kAttentionRange * kAttentionRange; range < w.end(w.rows - 1);
       range += kAttentionRange) {
    compute_range<Kv>(w, range);
    merge_range(w, range, w.s.range_out, w.s.most, w.s.total);
  }
  divide_by_totals(w);
}

template <class Kv>
inline void attend_range(const AttentionArgs& a, int64_t range, float* partial) {
  Work w(a);
  Kv::prepare(w);
  w.s.range_out = partial;
  w.s.most = partial + w.rows * w.width;
  w.s.total = w.s.most + w.rows;
  compute_range<Kv>(w, range * kAttentionRange);
}

inline void merge(const AttentionArgs& a, int64_t first, int64_t count, const float* partials) {
  const Work w(a);
  const int64_t stride = (w.rows * (w.width + 2) + 15) / 16 * 16;
  for (int64_t i = 0; i < count; ++i) {
    const float* at = partials + i * stride;
    merge_range(w, (first + i) * kAttentionRange, at, at + w.rows * w.width, at + w.rows * w.width + w.rows);
  }
  divide_by_totals(w);
}

template <class Kv>
constexpr AttentionFunctions attention_functions() {
  return {Kv::append, attend<Kv>, attend_range<Kv>, merge};
}

}  // namespace
}  // namespace halftone
