// SPDX-License-Identifier: Apache-2.0
// What an executor owns: plan, threads, scratch, and the chunk of tokens in flight. Private to the room.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "runtime/kv.h"
#include "runtime/plan.h"
#include "runtime/session.h"
#include "runtime/step_clock.h"

namespace halftone {

struct Sequence::State {
  std::shared_ptr<const Model> model;
  BlockTable table;
  int64_t reach = 0;  // tokens at the end of the call of forward in work
  // Of models whose frequencies change with the length (Plan::long_beyond): every token held, to compute them again,
  // and whether they were computed as those of a long sequence.
  std::vector<int32_t> ids = {};
  bool is_long = false;
};

struct Executor::State {
  static constexpr int64_t kSerialElements = 1 << 14;  // below this, a fork-join costs more than the work

  std::shared_ptr<const Model> model;
  Plan plan;
  KvType kv = KvType::f16;  // of new sequences
  ThreadPool pool;
  AlignedBuffer<float> arena, tail_arena, rope;  // rope: per table and token, cos then sin
  AlignedBuffer<int8_t> codes;
  AlignedBuffer<float> scales, rounded;
  AlignedBuffer<int32_t> sums;
  AlignedBuffer<std::byte> linear_scratch;  // one stretch per thread
  AlignedBuffer<float> attention_scratch;   // one stretch per thread
  AlignedBuffer<float> attention_partials;  // of split heads
  int64_t linear_scratch_stride = 0, attention_scratch_stride = 0;
  std::vector<int64_t> rope_offsets;  // per table

  // The chunk in flight.
  struct Token {
    int32_t id;
    BlockTable* table;
    int64_t position;
    int64_t reach;  // of its sequence
  };
  std::vector<Token> tokens;
  struct TokenRun {  // neighbours of one sequence
    int64_t first, count;
  };
  std::vector<TokenRun> runs;        // of the chunk
  std::vector<TokenRun> tiles;       // of the attention step in work: runs, cut to what is attended to together
  std::unique_ptr<StepClock> clock;  // while a profile is taken

  State(std::shared_ptr<const Model> model_in, Plan plan_in, int threads)
      : model(std::move(model_in)), plan(std::move(plan_in)), pool(threads) {}

  void prepare();
  void begin_call(std::span<Sequence* const> sequences, std::span<const BatchToken> batch);
  void compute_again(Sequence& sequence);
  void run_chunk(std::span<Sequence* const> sequences, std::span<const BatchToken> chunk);
  void run_tail(std::span<const BatchToken> chunk, const LogitsConsumer& consume);
  void begin_profiled_chunk(std::span<const BatchToken> chunk);
  void compute_rope();
  void run(const std::vector<Step>& steps, float* base, int64_t count);
  void run_step(const EmbedStep& step, float* base, int64_t count);
  void run_step(const NormStep& step, float* base, int64_t count);
  void run_step(const LayerNormStep& step, float* base, int64_t count);
  void run_step(const LinearStep& step, float* base, int64_t count);
  void run_step(const RopeStep& step, float* base, int64_t count);
  void run_step(const AttentionStep& step, float* base, int64_t count);
  void run_step(const SwiGluStep& step, float* base, int64_t count);
  void run_step(const GeGluStep& step, float* base, int64_t count);
  void run_step(const GeluStep& step, float* base, int64_t count);
  void run_step(const SoftCapStep& step, float* base, int64_t count);
  void run_step(const AddStep& step, float* base, int64_t count);
  void append_keys(const AttentionStep& step, float* base, int64_t count);
  void find_runs();
  static int64_t tile_tokens(const AttentionStep& step);
  bool attend_split(const AttentionStep& step, float* base, int64_t count);
  AttentionArgs attention_args(const AttentionStep& step, float* base, int64_t count, const TokenRun& tile,
                               int64_t head, int thread);
  // fixed_scale: 0 where scales follow from the values.
  QuantizedActivations quantize(const float* x, int64_t stride, int64_t width, int64_t count, float fixed_scale);
  const float* round(const float* x, int64_t stride, int64_t width, int64_t count, const StaticRange& range);
  // body(row) for every row, on all threads when the rows are worth it.
  template <class Body>
  void for_rows(int64_t rows, int64_t width, const Body& body) {
    if (rows * width <= kSerialElements || pool.threads() == 1) {
      for (int64_t row = 0; row < rows; ++row) body(row);
      return;
    }
    const int64_t chunk = std::max<int64_t>(1, rows / (4 * pool.threads()));
    pool.parallel_for(rows, chunk, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) body(row);
    });
  }
};

}  // namespace halftone
