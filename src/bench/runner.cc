// SPDX-License-Identifier: Apache-2.0
#include "bench/runner.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "generate/generator.h"

namespace halftone {
namespace {

using Clock = std::chrono::steady_clock;
using Bytes = std::span<const std::byte>;

constexpr uint64_t kPromptSeed = 20260101;
constexpr uintptr_t kGapBytes = 1 << 20;
constexpr int kWarmUpBursts = 8;
constexpr int64_t kBurstTokens = 16;
constexpr double kSteadySpread = 0.05;
constexpr double kSliceSeconds =
    0.25;                         // of decoding between two reads: neighbours on the machine change slower than that
constexpr int kVerifyCycles = 3;  // per round
constexpr int kProfileRepeats = 3;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::vector<Bytes> weight_ranges(const LanguageModel& language_model) {
  const Model& model = *language_model.model;
  std::vector<Bytes> spans, files;
  for (const auto& map : language_model.file.maps) files.push_back(map->bytes());
  for (size_t id = 0; id < model.graph().weights.size(); ++id) {
    const Bytes data = model.weight(static_cast<WeightId>(id)).data;
    if (!data.empty()) spans.push_back(data);
  }
  return joined_ranges(std::move(spans), files);
}

}  // namespace

std::vector<Bytes> joined_ranges(std::vector<Bytes> spans, std::span<const Bytes> files) {
  const auto begin_of = [](Bytes bytes) { return reinterpret_cast<uintptr_t>(bytes.data()); };
  const auto end_of = [](Bytes bytes) { return reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size(); };
  // A gap may be read only where one file holds both its sides; beyond a file there may be no memory.
  const auto same_file = [&](Bytes a, Bytes b) {
    return std::any_of(files.begin(), files.end(),
                       [&](Bytes file) { return begin_of(file) <= begin_of(a) && end_of(b) <= end_of(file); });
  };
  std::sort(spans.begin(), spans.end(), [&](Bytes a, Bytes b) { return begin_of(a) < begin_of(b); });
  std::vector<Bytes> ranges;
  for (const Bytes span : spans) {
    if (!ranges.empty()) {
      Bytes& last = ranges.back();
      const bool touches = begin_of(span) <= end_of(last);
      if (touches || (begin_of(span) <= end_of(last) + kGapBytes && same_file(last, span))) {
        last = {last.data(), std::max(end_of(last), end_of(span)) - begin_of(last)};
        continue;
      }
    }
    ranges.push_back(span);
  }
  return ranges;
}

double Round::read_bandwidth() const {
  double sum = 0;
  for (const DecodeSlice& slice : slices) sum += slice.read_bandwidth;
  return slices.empty() ? 0 : sum / static_cast<double>(slices.size());
}

Result<Runner> Runner::load(const std::filesystem::path& path, const BenchOptions& options, int threads) {
  Runner runner;
  runner.options_ = options;
  HALFTONE_ASSIGN(runner.language_model_, load_language_model(path));
  ExecutorOptions executor_options;
  executor_options.threads = threads;
  executor_options.activations = options.activations;
  executor_options.kv = options.kv;
  HALFTONE_ASSIGN(runner.executor_, Executor::create(runner.language_model_->model, executor_options));
  HALFTONE_TRY(runner.check_lengths(path));
  if (!options.verify_tokens.empty()) {
    const bool exact = options.activations == Activations::exact;
    executor_options.activations = exact ? Activations::automatic : Activations::exact;
    HALFTONE_ASSIGN(runner.other_executor_, Executor::create(runner.language_model_->model, executor_options));
    // Float weights have one path.
    if (runner.other_executor_->activations_used() == runner.executor_->activations_used())
      runner.other_executor_.reset();
  }
  Rng rng(kPromptSeed);
  const auto vocabulary = static_cast<uint64_t>(runner.language_model_->model->vocabulary());
  const int64_t needed = std::max(options.prompt_tokens, options.context_tokens);
  for (int64_t i = 0; i < needed; ++i) runner.tokens_.push_back(static_cast<TokenId>(rng.below(vocabulary)));
  runner.weight_ranges_ = weight_ranges(*runner.language_model_);
  return runner;
}

Status Runner::check_lengths(const std::filesystem::path& path) const {
  const int64_t context = language_model_->config.context;
  int64_t generated = options_.decode_tokens;
  for (const int64_t tokens : options_.verify_tokens) generated = std::max(generated, tokens);
  if (std::max(options_.prompt_tokens, context_tokens()) + generated <= context) return {};
  return invalid_input(
      "[bench] {}: expected at most {} tokens (the model's context), got {} of {} and {} to decode; "
      "ask for a shorter one (at most {})",
      path.string(), context, context_tokens(), options_.context_tokens > 0 ? "context" : "prompt", generated,
      std::max<int64_t>(0, context - generated));
}

std::vector<std::string> Runner::verify_paths() const {
  std::vector<std::string> paths = {executor_->activations_used()};
  if (other_executor_) paths.push_back(other_executor_->activations_used());
  return paths;
}

Status Runner::one_token() {
  Sequence sequence = executor_->make_sequence();
  return prefill(*executor_, sequence, std::span(tokens_).first(1), [](std::span<const float>) {});
}

Status Runner::fill_context() {
  if (options_.context_tokens == 0 || held_) return {};
  held_.emplace(executor_->make_sequence());
  const auto held = std::span(tokens_).first(static_cast<size_t>(options_.context_tokens));
  return prefill(*executor_, *held_, held, [](std::span<const float>) {});
}

Status Runner::decode(Sequence& sequence, TokenId& next, int64_t tokens) {
  SamplerOptions greedy;
  greedy.temperature = 0;
  Sampler sampler(greedy);
  Status bad;
  const auto choose = [&](std::span<const float> logits) {
    auto chosen = sampler.sample(logits, {});
    if (chosen.ok()) {
      next = *chosen;
    } else {
      bad = chosen.status();
    }
  };
  for (int64_t i = 0; i < tokens; ++i) {
    HALFTONE_TRY(prefill(*executor_, sequence, {&next, 1}, choose));
    HALFTONE_TRY(bad);
  }
  return {};
}

Status Runner::prefill_round(Sequence& sequence, Round& round, TokenId& first, bool probe) {
  std::vector<float> logits;
  SamplerOptions greedy;
  greedy.temperature = 0;
  Sampler sampler(greedy);
  if (probe) round.peaks = measure_compute_peaks(executor_->pool(), 1);
  executor_->start_profile();
  const auto begin = Clock::now();
  HALFTONE_TRY(prefill(*executor_, sequence, std::span(tokens_).first(static_cast<size_t>(options_.prompt_tokens)),
                       [&](std::span<const float> values) { logits.assign(values.begin(), values.end()); }));
  round.prefill_seconds = seconds_since(begin);
  HALFTONE_ASSIGN(first, sampler.sample(logits, {}));
  round.first_token_seconds = seconds_since(begin);
  for (const StepTotal& step : executor_->take_profile()) {
    if (step.op != "linear") continue;
    round.linear_seconds += step.seconds;
    round.linear_int8_operations += step.int8_operations;
    round.linear_f32_operations += step.f32_operations;
    round.linear_bf16_operations += step.bf16_operations;
  }
  if (!probe) return {};
  // The better of both: a limit that a disturbed pass understates would flatter the kernels.
  const ComputePeaks after = measure_compute_peaks(executor_->pool(), 1);
  round.peaks = {std::max(round.peaks.f32_fma, after.f32_fma), std::max(round.peaks.int8_dot, after.int8_dot),
                 std::max(round.peaks.bf16_dot, after.bf16_dot)};
  return {};
}

Status Runner::decode_round(Sequence& sequence, TokenId next, Round& round, bool probe) {
  const int64_t wanted =
      token_seconds_ > 0 ? static_cast<int64_t>(kSliceSeconds / token_seconds_) : options_.decode_tokens;
  double before = probe ? read_bandwidth_of_weights() : 0;
  while (round.generated_tokens < options_.decode_tokens) {
    DecodeSlice slice;
    slice.held = sequence.length();
    slice.tokens = std::clamp<int64_t>(wanted, 1, options_.decode_tokens - round.generated_tokens);
    const auto begin = Clock::now();
    HALFTONE_TRY(decode(sequence, next, slice.tokens));
    slice.seconds = seconds_since(begin);
    const double after = probe ? read_bandwidth_of_weights() : 0;
    // Both passes read the same bytes, so this is bytes over seconds of the two together.
    slice.read_bandwidth = before > 0 && after > 0 ? 2 / (1 / before + 1 / after) : 0;
    before = after;
    round.generated_tokens += slice.tokens;
    round.decode_seconds += slice.seconds;
    round.slices.push_back(slice);
  }
  return {};
}

Result<double> Runner::verify_seconds(Executor& executor, int64_t tokens) {
  TokenId first;
  HALFTONE_ASSIGN(Sequence sequence, decode_start(first));
  std::vector<BatchToken> batch;
  for (int64_t i = 0; i < tokens; ++i) batch.push_back({tokens_[static_cast<size_t>(i) % tokens_.size()], 0, true});
  Sequence* sequences[] = {&sequence};
  const auto begin = Clock::now();
  HALFTONE_TRY(executor.forward(sequences, batch, [](int64_t, std::span<const float>) {}));
  return seconds_since(begin);
}

Status Runner::verify_round(Round& round) {
  Executor* const paths[] = {executor_.get(), other_executor_.get()};
  for (int cycle = 0; cycle < kVerifyCycles; ++cycle) {
    for (int path = 0; path < 2; ++path) {
      if (paths[path] == nullptr || (path == 1 && cycle > 0)) continue;  // the other path: once a round
      // One token before and after the others: a machine that slows down meanwhile must not look like a cost.
      HALFTONE_ASSIGN(const double before, verify_seconds(*paths[path], 1));
      const size_t first = round.verify.size();
      for (const int64_t tokens : options_.verify_tokens) {
        HALFTONE_ASSIGN(const double seconds, verify_seconds(*paths[path], tokens));
        round.verify.push_back({path, tokens, seconds, 0});
      }
      HALFTONE_ASSIGN(const double after, verify_seconds(*paths[path], 1));
      for (size_t i = first; i < round.verify.size(); ++i) {
        round.verify[i].ratio_to_one = round.verify[i].seconds / ((before + after) / 2);
      }
    }
  }
  return {};
}

Result<Sequence> Runner::decode_start(TokenId& first) {
  first = tokens_[0];
  if (!held_) {  // a short context costs a prefill once
    held_.emplace(executor_->make_sequence());
    const auto prompt = std::span(tokens_).first(static_cast<size_t>(options_.prompt_tokens));
    HALFTONE_TRY(prefill(*executor_, *held_, prompt, [](std::span<const float>) {}));
  }
  return held_->fork();
}

Result<Round> Runner::round(bool probe) {
  HALFTONE_TRY(fill_context());
  Round round;
  Sequence sequence = executor_->make_sequence();
  TokenId first = 0;
  HALFTONE_TRY(prefill_round(sequence, round, first, probe));
  if (options_.context_tokens > 0) sequence = held_->fork();
  HALFTONE_TRY(decode_round(sequence, first, round, probe));
  round.kv_bytes = sequence.kv_bytes();
  if (probe && !options_.verify_tokens.empty()) HALFTONE_TRY(verify_round(round));
  return round;
}

Result<bool> Runner::warm_up(double& spread) {
  HALFTONE_TRY(fill_context());
  double last = 0;
  const int64_t tokens = std::min(kBurstTokens, options_.decode_tokens);
  for (int burst = 0; burst < kWarmUpBursts; ++burst) {
    TokenId next = tokens_[0];
    Sequence sequence = held_ ? held_->fork() : executor_->make_sequence();
    const auto begin = Clock::now();
    HALFTONE_TRY(decode(sequence, next, tokens));
    const double now = seconds_since(begin);
    token_seconds_ = now / static_cast<double>(tokens);
    spread = last > 0 ? std::abs(now - last) / std::min(now, last) : 1;
    if (spread <= kSteadySpread) return true;
    last = now;
  }
  return false;
}

Result<ModelProfile> Runner::profile() {
  ModelProfile profile;
  TokenId next;
  for (int repeat = 0; repeat < kProfileRepeats; ++repeat) {
    Sequence sequence = executor_->make_sequence();
    const auto prompt = std::span(tokens_).first(static_cast<size_t>(options_.prompt_tokens));
    executor_->start_profile();
    const auto begin = Clock::now();
    HALFTONE_TRY(prefill(*executor_, sequence, prompt, [](std::span<const float>) {}));
    const double prefill_seconds = seconds_since(begin);
    profile.prefill.add(options_.prompt_tokens, prefill_seconds, executor_->take_profile());

    HALFTONE_ASSIGN(Sequence held, decode_start(next));
    executor_->start_profile();
    const auto decode_begin = Clock::now();
    HALFTONE_TRY(decode(held, next, options_.decode_tokens));
    const double decode_seconds = seconds_since(decode_begin);
    profile.decode.add(options_.decode_tokens, decode_seconds, executor_->take_profile());
  }
  return profile;
}

double Runner::read_bandwidth_of_weights() {
  double seconds = 0, bytes = 0;
  for (const Bytes range : weight_ranges_) {
    bytes += static_cast<double>(range.size());
    seconds += static_cast<double>(range.size()) / halftone::read_bandwidth(range, executor_->pool());
  }
  return seconds > 0 ? bytes / seconds : 0;
}

PhaseCost Runner::prefill_cost() const {
  return cost_of(*language_model_->model, 0, options_.prompt_tokens, kPrefillChunk, 1, options_.activations,
                 options_.kv);
}

PhaseCost Runner::decode_cost(int64_t held, int64_t tokens) const {
  return cost_of(*language_model_->model, held, tokens, 1, tokens, options_.activations, options_.kv);
}

}  // namespace halftone
