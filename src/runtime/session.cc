// SPDX-License-Identifier: Apache-2.0
#include "runtime/session.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "runtime/executor_state.h"

namespace halftone {
namespace {

constexpr size_t kChunkTokens = 256;  // tokens computed together; bounds the scratch
constexpr size_t kLogitRows = 32;     // logit rows that exist at a time

}  // namespace

Sequence::Sequence(std::shared_ptr<const Model> model, KvType kv)
    : state_(std::make_unique<State>(State{model, BlockTable(std::make_shared<KvShape>(model->graph(), kv))})) {}
Sequence::Sequence(Sequence&&) noexcept = default;
Sequence& Sequence::operator=(Sequence&&) noexcept = default;
Sequence::~Sequence() = default;
int64_t Sequence::length() const { return state_->table.length(); }
Sequence Sequence::fork() const {
  Sequence copy(state_->model, kv());
  *copy.state_ = *state_;
  return copy;
}
Status Sequence::truncate(int64_t length) {
  HALFTONE_TRY(state_->table.truncate(length));
  if (!state_->ids.empty()) state_->ids.resize(static_cast<size_t>(state_->table.length()));
  return {};
}
KvType Sequence::kv() const { return state_->table.shape().type(); }
int64_t Sequence::kv_bytes() const { return state_->table.bytes(); }

Executor::Executor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Executor::~Executor() = default;

Result<std::unique_ptr<Executor>> Executor::create(std::shared_ptr<const Model> model, ExecutorOptions options) {
  if (options.threads < 0) return invalid_input("[executor] expected threads >= 1, got {}", options.threads);
  HALFTONE_ASSIGN(Plan plan, make_plan(*model, options.activations));
  const int threads = options.threads == 0 ? available_cores() : options.threads;
  auto state = std::make_unique<State>(std::move(model), std::move(plan), threads);
  state->kv = options.kv;
  state->prepare();
  return std::unique_ptr<Executor>(new Executor(std::move(state)));
}

Sequence Executor::make_sequence() const { return Sequence(state_->model, state_->kv); }

Status Executor::forward(std::span<Sequence* const> sequences, std::span<const BatchToken> batch,
                         const LogitsConsumer& consume) {
  if (state_->clock) state_->clock->lap("caller");
  const int64_t vocabulary = state_->model->vocabulary();
  for (const BatchToken& token : batch) {
    if (token.token < 0 || token.token >= vocabulary) {
      return invalid_input("[forward] expected token ids in 0..{}, got {}; the tokenizer does not fit the model",
                           vocabulary - 1, token.token);
    }
    if (token.sequence < 0 || token.sequence >= static_cast<int32_t>(sequences.size())) {
      return invalid_input("[forward] expected a sequence in 0..{}, got {}", sequences.size() - 1, token.sequence);
    }
  }
  state_->begin_call(sequences, batch);
  for (size_t begin = 0; begin < batch.size(); begin += kChunkTokens) {
    const auto chunk = batch.subspan(begin, std::min(kChunkTokens, batch.size() - begin));
    state_->run_chunk(sequences, chunk);
    state_->run_tail(chunk, [&](int64_t index, std::span<const float> logits) {
      consume(static_cast<int64_t>(begin) + index, logits);
    });
  }
  return {};
}

// Finds how long every sequence gets, and brings those to the right frequencies that change theirs.
void Executor::State::begin_call(std::span<Sequence* const> sequences, std::span<const BatchToken> batch) {
  for (Sequence* sequence : sequences) sequence->state().reach = sequence->length();
  for (const BatchToken& token : batch) ++sequences[static_cast<size_t>(token.sequence)]->state().reach;
  if (plan.long_beyond == 0) return;
  for (Sequence* sequence : sequences) {
    Sequence::State& state = sequence->state();
    if (state.reach == sequence->length()) continue;
    const bool is_long = state.reach > plan.long_beyond, changes = state.is_long != is_long;
    state.is_long = is_long;
    if (changes && sequence->length() > 0) compute_again(*sequence);
  }
}

// The keys and values of every token held, with the frequencies of the sequence's new length.
void Executor::State::compute_again(Sequence& sequence) {
  std::vector<BatchToken> batch;
  for (const int32_t id : sequence.state().ids) batch.push_back({id, 0, false});
  sequence.state().ids.clear();
  const Status emptied = sequence.state().table.truncate(0);
  HALFTONE_CHECK(emptied.ok());  // everything can be forgotten
  Sequence* const one = &sequence;
  for (size_t begin = 0; begin < batch.size(); begin += kChunkTokens) {
    run_chunk({&one, 1}, std::span(batch).subspan(begin, std::min(kChunkTokens, batch.size() - begin)));
  }
}

void Executor::State::begin_profiled_chunk(std::span<const BatchToken> chunk) {
  std::vector<Reach> reach;
  std::map<int32_t, std::pair<size_t, int64_t>> of_sequence;  // its last token here, and how many it has
  for (size_t t = 0; t < chunk.size(); ++t) {
    reach.push_back({tokens[t].position, 0, tokens[t].table->shape().type()});
    auto& [last, count] = of_sequence[chunk[t].sequence];
    last = t;
    ++count;
  }
  for (const auto& [sequence, found] : of_sequence) reach[found.first].shared = found.second;
  clock->begin_chunk(std::move(reach));
  clock->lap("prepare");
}

// Appends the chunk to its sequences and runs every layer; the hidden states stay in the arena.
void Executor::State::run_chunk(std::span<Sequence* const> sequences, std::span<const BatchToken> chunk) {
  tokens.clear();
  for (const BatchToken& token : chunk) sequences[static_cast<size_t>(token.sequence)]->state().table.release_unseen();
  for (const BatchToken& token : chunk) {
    Sequence::State& sequence = sequences[static_cast<size_t>(token.sequence)]->state();
    BlockTable& table = sequence.table;
    table.reserve(1);
    tokens.push_back({token.token, &table, table.length(), sequence.reach});
    table.advance(1);
    if (plan.long_beyond > 0) sequence.ids.push_back(token.token);
  }
  arena.grow(static_cast<size_t>(plan.arena_width) * chunk.size());
  find_runs();
  compute_rope();
  if (clock) begin_profiled_chunk(chunk);
  run(plan.steps, arena.data(), static_cast<int64_t>(chunk.size()));
}

// Logits of the tokens that want them, a bounded number of rows at a time.
void Executor::State::run_tail(std::span<const BatchToken> chunk, const LogitsConsumer& consume) {
  std::vector<int64_t> wanted;
  for (size_t t = 0; t < chunk.size(); ++t) {
    if (chunk[t].want_logits) wanted.push_back(static_cast<int64_t>(t));
  }
  const int64_t width = plan.hidden.width;
  const auto count = static_cast<int64_t>(chunk.size());
  for (size_t at = 0; at < wanted.size(); at += kLogitRows) {
    const auto rows = static_cast<int64_t>(std::min(kLogitRows, wanted.size() - at));
    tail_arena.grow(static_cast<size_t>(plan.tail_arena_width * rows));
    float* base = tail_arena.data();
    for (int64_t i = 0; i < rows; ++i) {
      const float* row = arena.data() + plan.hidden.at(count, wanted[at + static_cast<size_t>(i)]);
      std::copy(row, row + width, base + plan.tail_in.at(rows, i));
    }
    if (clock) clock->lap("prepare");
    run(plan.tail, base, rows);
    for (int64_t i = 0; i < rows; ++i) {
      consume(wanted[at + static_cast<size_t>(i)],
              {base + plan.logits.at(rows, i), static_cast<size_t>(plan.logits.width)});
    }
    if (clock) clock->lap("caller");
  }
}

void Executor::start_profile() { state_->clock = std::make_unique<StepClock>(*state_->model); }

std::vector<StepTotal> Executor::take_profile() {
  const auto clock = std::move(state_->clock);
  if (!clock) return {};
  clock->lap("caller");
  return clock->take_totals();
}

int64_t Executor::scratch_bytes() const {
  const State& s = *state_;
  return s.arena.bytes() + s.tail_arena.bytes() + s.rope.bytes() + s.codes.bytes() + s.scales.bytes() +
         s.rounded.bytes() + s.sums.bytes() + s.linear_scratch.bytes() + s.attention_scratch.bytes() +
         s.attention_partials.bytes();
}

int Executor::threads() const { return state_->pool.threads(); }
ThreadPool& Executor::pool() { return state_->pool; }

std::vector<std::pair<std::string, std::string>> Executor::kernels_used() const {
  std::vector<std::pair<std::string, std::string>> used;
  for (const auto* steps : {&state_->plan.steps, &state_->plan.tail}) {
    for (const Step& step : *steps) {
      const auto* linear = std::get_if<LinearStep>(&step);
      if (linear == nullptr) continue;
      for (const LinearStep::Part& part : linear->parts) {
        used.emplace_back(state_->model->graph().weight(part.weight).name, part.kernel->name);
      }
    }
  }
  return used;
}

std::string Executor::activations_used() const {
  std::string used;
  for (const auto* steps : {&state_->plan.steps, &state_->plan.tail}) {
    for (const Step& step : *steps) {
      const auto* linear = std::get_if<LinearStep>(&step);
      if (linear == nullptr) continue;
      for (const LinearStep::Part& part : linear->parts) {
        const std::string name = LinearPath{part.kernel, linear->range}.name();
        if (!used.empty() && used != name) return "mixed";
        used = name;
      }
    }
  }
  return used.empty() ? "exact" : used;
}

}  // namespace halftone
