// SPDX-License-Identifier: Apache-2.0
// Model (immutable) + Executor (threads, scratch) + Sequence (memory of one text). Batching, shared prefixes and
// speculation need nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "halftone/status.h"
#include "kernels/linear/linear.h"
#include "runtime/model.h"
#include "runtime/profile.h"

namespace halftone {

// Blocks of 64 tokens of keys and values for every attention state; blocks are shared between forked sequences and
// copied when written (only a last, partial block ever is). Where every state has a window, blocks that left all of
// them are released. Where a model's rope frequencies change with the length (Rope::long_beyond), the keys held are
// always those of the present length: a call of forward that crosses the border computes them again, once.
class Sequence {
 public:
  explicit Sequence(std::shared_ptr<const Model> model, KvType kv = KvType::f16);
  Sequence(Sequence&&) noexcept;
  Sequence& operator=(Sequence&&) noexcept;
  ~Sequence();
  int64_t length() const;  // tokens held
  Sequence fork() const;   // shares every full block
  // Forgets the tokens from `length` on. An error, and nothing changes, when a window released tokens that the next one
  // would see: what was appended by the last call of forward, if at most 256 tokens, can always be taken back, and
  // everything can.
  Status truncate(int64_t length);
  KvType kv() const;
  int64_t kv_bytes() const;  // allocated by this sequence, shared blocks counted once each

  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

struct BatchToken {
  int32_t token;
  int32_t sequence;  // index into the sequences given to forward
  bool want_logits;
};

struct ExecutorOptions {
  int threads = 0;  // 0: available cores
  Activations activations = Activations::automatic;
  KvType kv = KvType::f16;  // of the sequences that it makes; it runs any
};

// index: position in the batch. The span is valid during the call only.
using LogitsConsumer = std::function<void(int64_t index, std::span<const float> logits)>;

class Executor {
 public:
  static Result<std::unique_ptr<Executor>> create(std::shared_ptr<const Model> model, ExecutorOptions options);
  ~Executor();

  // An empty sequence that stores keys and values as the options say.
  Sequence make_sequence() const;

  // Appends the tokens to their sequences, in batch order per sequence; logits come for the tokens that want them, in
  // order. Token ids out of range are an error before anything changes.
  Status forward(std::span<Sequence* const> sequences, std::span<const BatchToken> batch,
                 const LogitsConsumer& consume);

  // From here on every step of forward is timed (one clock reading each; nothing when off), until the totals are taken.
  void start_profile();
  std::vector<StepTotal> take_profile();  // empty when none was started

  int64_t scratch_bytes() const;  // allocated now
  int threads() const;
  ThreadPool& pool();
  // What really runs, for --json settings and `explain`: a weight that has no kernel for the wanted activations is
  // multiplied exactly, and these say so.
  std::string activations_used() const;                                   // a name of LinearPath, or "mixed"
  std::vector<std::pair<std::string, std::string>> kernels_used() const;  // (weight name, kernel name)

 private:
  struct State;
  explicit Executor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace halftone
