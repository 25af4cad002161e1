// SPDX-License-Identifier: Apache-2.0
// Tokens that follow each other in one sequence are attended to together, so that the keys of a head are read once for
// many rows. Where that leaves too few pieces for the threads (decoding), the keys are split into the ranges of the
// kernel's contract instead, and whoever finishes a head's last range merges them in order: the same bits either way.
#include <algorithm>

#include "runtime/executor_state.h"

namespace halftone {
namespace {

constexpr int64_t kTileRows = 96;                     // query rows attended to together
constexpr int64_t kPiecesPerThread = 8;               // fewer leave threads idle at the end
constexpr int64_t kPartialFloats = int64_t{8} << 20;  // bounds the memory of a split

}  // namespace

int64_t Executor::State::tile_tokens(const AttentionStep& step) {
  return std::max<int64_t>(1, kTileRows / (step.heads / step.kv_heads));
}

void Executor::State::find_runs() {
  runs.clear();
  for (size_t t = 0; t < tokens.size(); ++t) {
    const bool follows = t > 0 && tokens[t].table == tokens[t - 1].table;
    if (!follows) runs.push_back({static_cast<int64_t>(t), 0});
    ++runs.back().count;
  }
}

void Executor::State::append_keys(const AttentionStep& step, float* base, int64_t count) {
  const float* k = base + step.k.at(count, 0);
  const float* v = base + step.v.at(count, 0);
  for_rows(step.kv_heads, count * step.head_dim, [&](int64_t head) {
    for (const TokenRun& run : runs) {
      const BlockTable& table = *tokens[static_cast<size_t>(run.first)].table;
      for (int64_t t = run.first, end = run.first + run.count; t < end;) {
        const int64_t position = tokens[static_cast<size_t>(t)].position, slot = position % kKvBlockTokens;
        const int64_t some = std::min(end - t, kKvBlockTokens - slot);
        KvAppendArgs args{};
        args.k = k + t * step.k.stride + head * step.head_dim;
        args.v = v + t * step.v.stride + head * step.head_dim;
        args.k_stride = step.k.stride;
        args.v_stride = step.v.stride;
        args.tokens = static_cast<int>(some);
        args.head_dim = step.head_dim;
        args.slot = slot;
        args.k_block = table.block(position) + table.shape().k_offset(step.state, head);
        args.v_block = table.block(position) + table.shape().v_offset(step.state, head);
        plan.attention_of(table.shape().type()).run->append(args);
        t += some;
      }
    }
  });
}

AttentionArgs Executor::State::attention_args(const AttentionStep& step, float* base, int64_t count,
                                              const TokenRun& tile, int64_t head, int thread) {
  const Token& first = tokens[static_cast<size_t>(tile.first)];
  const int group = step.heads / step.kv_heads;
  const int64_t column = head * group * step.head_dim;
  AttentionArgs args{};
  args.q = base + step.q.at(count, tile.first) + column;
  args.q_stride = step.q.stride;
  args.tokens = static_cast<int>(tile.count);
  args.group = group;
  args.head_dim = step.head_dim;
  args.blocks = first.table->blocks();
  args.k_offset = first.table->shape().k_offset(step.state, head);
  args.v_offset = first.table->shape().v_offset(step.state, head);
  args.position = first.position;
  args.window = step.window;
  args.scale = step.scale;
  args.soft_cap = step.soft_cap;
  args.out = base + step.out.at(count, tile.first) + column;
  args.out_stride = step.out.stride;
  args.scratch = attention_scratch.data() + thread * attention_scratch_stride;
  return args;
}

void Executor::State::run_step(const AttentionStep& step, float* base, int64_t count) {
  append_keys(step, base, count);
  tiles.clear();
  for (const TokenRun& run : runs) {
    for (int64_t at = 0; at < run.count; at += tile_tokens(step)) {
      tiles.push_back({run.first + at, std::min(tile_tokens(step), run.count - at)});
    }
  }
  const auto items = static_cast<int64_t>(tiles.size()) * step.kv_heads;
  if (items < kPiecesPerThread * pool.threads() && attend_split(step, base, count)) return;
  const int64_t chunk = std::clamp<int64_t>(items / (kPiecesPerThread * pool.threads()), 1, 16);
  pool.parallel_for(items, chunk, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t item = items - 1 - i;  // the last tiles see most keys: begin with them
      const TokenRun& tile = tiles[static_cast<size_t>(item / step.kv_heads)];
      const KvType kv = tokens[static_cast<size_t>(tile.first)].table->shape().type();
      plan.attention_of(kv).run->attend(attention_args(step, base, count, tile, item % step.kv_heads, thread));
    }
  });
}

// One piece per tile, head and range of keys; false when there is one range only or the partial results are too large.
bool Executor::State::attend_split(const AttentionStep& step, float* base, int64_t count) {
  struct Item {
    const TokenRun* tile;
    int64_t head, first_range, ranges, partial, partial_floats;
  };
  std::vector<Item> items;
  std::vector<int64_t> first_piece{0};
  int64_t floats = 0, most_ranges = 0;
  for (const TokenRun& tile : tiles) {
    const int64_t position = tokens[static_cast<size_t>(tile.first)].position, last = position + tile.count - 1;
    const int64_t first_key = step.window > 0 ? std::max<int64_t>(0, position + 1 - step.window) : 0;
    const int64_t first = first_key / kAttentionRange, ranges = last / kAttentionRange - first + 1;
    const int64_t each = attention_partial_floats(tile.count * (step.heads / step.kv_heads), step.head_dim);
    most_ranges = std::max(most_ranges, ranges);
    for (int64_t head = 0; head < step.kv_heads; ++head) {
      items.push_back({&tile, head, first, ranges, floats, each});
      first_piece.push_back(first_piece.back() + ranges);
      floats += each * ranges;
    }
  }
  if (most_ranges < 2 || floats > kPartialFloats) return false;
  attention_partials.grow(static_cast<size_t>(floats));
  std::vector<std::atomic<int64_t>> done(items.size());
  const int64_t pieces = first_piece.back();
  const int64_t chunk = std::clamp<int64_t>(pieces / (kPiecesPerThread * pool.threads()), 1, 16);
  pool.parallel_for(pieces, chunk, [&](int64_t begin, int64_t end, int thread) {
    auto at =
        static_cast<size_t>(std::upper_bound(first_piece.begin(), first_piece.end(), begin) - first_piece.begin() - 1);
    for (int64_t piece = begin; piece < end; ++piece) {
      if (piece == first_piece[at + 1]) ++at;
      const Item& item = items[at];
      const AttentionArgs args = attention_args(step, base, count, *item.tile, item.head, thread);
      const AttentionKernel& kernel =
          plan.attention_of(tokens[static_cast<size_t>(item.tile->first)].table->shape().type());
      float* partials = attention_partials.data() + item.partial;
      const int64_t range = piece - first_piece[at];
      kernel.run->attend_range(args, item.first_range + range, partials + range * item.partial_floats);
      if (done[at].fetch_add(1, std::memory_order_acq_rel) + 1 == item.ranges) {
        kernel.run->merge(args, item.first_range, item.ranges, partials);
      }
    }
  });
  return true;
}

}  // namespace halftone
