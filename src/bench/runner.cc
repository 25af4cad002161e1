// SPDX-License-Identifier: Apache-2.0
#include "bench/runner.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "device/probes.h"
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

Result<Runner> Runner::load(const std::filesystem::path& path, const BenchOptions& options) {
  Runner runner;
  runner.options_ = options;
  const auto begin = Clock::now();
  HALFTONE_ASSIGN(runner.language_model_, load_language_model(path));
  ExecutorOptions executor_options;
  executor_options.threads = options.threads;
  executor_options.activations = options.activations;
  HALFTONE_ASSIGN(runner.executor_, Executor::create(runner.language_model_->model, executor_options));
  runner.load_seconds_ = seconds_since(begin);

  const int64_t context = runner.language_model_->config.context;
  const int64_t needed = options.prompt_tokens + options.decode_tokens;
  if (needed > context) {
    return invalid_input(
        "[bench] {}: expected at most {} tokens (the model's context), got {} of prompt and {} to decode; "
        "ask for a shorter prompt (at most {})",
        path.string(), context, options.prompt_tokens, options.decode_tokens,
        std::max<int64_t>(0, context - options.decode_tokens));
  }
  Rng rng(kPromptSeed);
  const auto vocabulary = static_cast<uint64_t>(runner.language_model_->model->vocabulary());
  for (int64_t i = 0; i < options.prompt_tokens; ++i) runner.prompt_.push_back(static_cast<TokenId>(rng.below(vocabulary)));
  runner.weight_ranges_ = weight_ranges(*runner.language_model_);
  return runner;
}

Status Runner::decode(Sequence& sequence, TokenId next, int64_t tokens, int64_t& generated) {
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
    ++generated;
  }
  return {};
}

Result<Round> Runner::round(bool probe_bandwidth) {
  Round round;
  Sequence sequence(language_model_->model);
  std::vector<float> logits;
  SamplerOptions greedy;
  greedy.temperature = 0;
  Sampler sampler(greedy);

  auto begin = Clock::now();
  HALFTONE_TRY(prefill(*executor_, sequence, prompt_,
                       [&](std::span<const float> values) { logits.assign(values.begin(), values.end()); }));
  round.prefill_seconds = seconds_since(begin);
  HALFTONE_ASSIGN(const TokenId first, sampler.sample(logits, {}));
  round.first_token_seconds = seconds_since(begin);

  begin = Clock::now();
  HALFTONE_TRY(decode(sequence, first, options_.decode_tokens, round.generated_tokens));
  round.decode_seconds = seconds_since(begin);
  round.kv_bytes = sequence.kv_bytes();
  if (probe_bandwidth) round.read_bandwidth = read_bandwidth_of_weights();
  return round;
}

Result<bool> Runner::warm_up(double& spread) {
  double last = 0;
  const int64_t tokens = std::min(kBurstTokens, options_.decode_tokens);
  for (int burst = 0; burst < kWarmUpBursts; ++burst) {
    Sequence sequence(language_model_->model);
    int64_t generated = 0;
    const auto begin = Clock::now();
    HALFTONE_TRY(decode(sequence, prompt_[0], tokens, generated));
    const double now = seconds_since(begin);
    spread = last > 0 ? std::abs(now - last) / std::min(now, last) : 1;
    if (spread <= kSteadySpread) return true;
    last = now;
  }
  return false;
}

double Runner::read_bandwidth_of_weights() {
  // Two passes, the better one: a limit that a disturbed pass understates would flatter the kernels.
  double best = 0;
  for (int pass = 0; pass < 2; ++pass) {
    double seconds = 0, bytes = 0;
    for (const Bytes range : weight_ranges_) {
      bytes += static_cast<double>(range.size());
      seconds += static_cast<double>(range.size()) / read_bandwidth(range, executor_->pool());
    }
    best = std::max(best, seconds > 0 ? bytes / seconds : 0);
  }
  return best;
}

PhaseCost Runner::prefill_cost() const {
  const bool int8_path = executor_->activations_used() != "exact";
  return cost_of(*language_model_->model, 0, options_.prompt_tokens, kPrefillChunk, 1, int8_path);
}

PhaseCost Runner::decode_cost() const {
  const bool int8_path = executor_->activations_used() != "exact";
  const int64_t tokens = options_.decode_tokens;
  return cost_of(*language_model_->model, options_.prompt_tokens, tokens, 1, tokens, int8_path);
}

}  // namespace halftone
