// SPDX-License-Identifier: Apache-2.0
#include "generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace halftone {

namespace {

Status bad_logit(float logit, size_t id) {
  return invalid_input("[sampler] expected finite logits, got {} for token {}; the weights or their scales are broken",
                       logit, id);
}

Status no_logit(size_t size) {
  return invalid_input(
      "[sampler] expected at least one finite logit of {}, got none; the weights or their scales are broken", size);
}

// Greedy without a list of candidates, which would cost a large vocabulary a millisecond.
Result<TokenId> highest(std::span<const float> logits) {
  float best = -std::numeric_limits<float>::infinity();
  size_t best_id = logits.size();
  for (size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] <= std::numeric_limits<float>::max())) return bad_logit(logits[id], id);
    if (logits[id] > best) {
      best = logits[id];
      best_id = id;
    }
  }
  if (best_id == logits.size()) return no_logit(logits.size());
  return static_cast<TokenId>(best_id);
}

}  // namespace

namespace sampling {

struct Candidate {
  double logit, weight;  // weight: exp(logit - highest)
  TokenId id;
};

// A strict order, so that every sort and selection has one answer.
static bool comes_before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// Candidates by falling probability, sorted only as far as somebody looks: a vocabulary of 128,000 is rarely sorted
// whole.
class SortedPrefix {
 public:
  explicit SortedPrefix(std::vector<Candidate>& candidates) : all_(candidates) {}

  const Candidate& operator[](size_t index) {
    if (index >= sorted_) extend(index + 1);
    return all_[index];
  }

 private:
  void extend(size_t least) {
    const size_t target = std::min(all_.size(), std::max({least, size_t{256}, sorted_ * 8}));
    const auto begin = all_.begin() + static_cast<std::ptrdiff_t>(sorted_);
    const auto end = all_.begin() + static_cast<std::ptrdiff_t>(target);
    if (end != all_.end()) std::nth_element(begin, end, all_.end(), comes_before);
    std::sort(begin, end, comes_before);
    sorted_ = target;
  }

  std::vector<Candidate>& all_;
  size_t sorted_ = 0;
};

}  // namespace sampling

using sampling::Candidate;
using sampling::comes_before;
using sampling::SortedPrefix;

struct Sampler::State {
  SamplerOptions options;
  Rng rng;
  std::vector<Candidate> candidates;  // kept for its memory
  std::vector<TokenId> penalised;

  explicit State(const SamplerOptions& chosen) : options(chosen), rng(chosen.seed) {}

  Status read(std::span<const float> logits);
  void penalise(std::span<const TokenId> recent, size_t vocabulary);
  void truncate();
  TokenId draw();
};

Status check(const SamplerOptions& options) {
  const auto bad = [](std::string_view name, auto value, std::string_view range) {
    return invalid_input("[sampler] expected {} {}, got {}", name, range, value);
  };
  // Negated comparisons, so that NaN is refused too.
  if (!(options.temperature >= 0 && options.temperature <= 100))
    return bad("temperature", options.temperature, "in [0, 100]");
  if (options.top_k < 0) return bad("top-k", options.top_k, ">= 0 (0: off)");
  if (!(options.top_p > 0 && options.top_p <= 1)) return bad("top-p", options.top_p, "in (0, 1] (1: off)");
  if (!(options.min_p >= 0 && options.min_p < 1)) return bad("min-p", options.min_p, "in [0, 1) (0: off)");
  if (!(options.repetition_penalty > 0 && options.repetition_penalty <= 100)) {
    return bad("repetition penalty", options.repetition_penalty, "in (0, 100] (1: off)");
  }
  if (options.repetition_window < 0) return bad("repetition window", options.repetition_window, ">= 0 tokens");
  return {};
}

Sampler::Sampler(const SamplerOptions& options) : state_(std::make_shared<State>(options)) {}

Status Sampler::State::read(std::span<const float> logits) {
  candidates.clear();
  candidates.reserve(logits.size());
  for (size_t id = 0; id < logits.size(); ++id) {
    if (std::isfinite(logits[id])) {
      candidates.push_back({logits[id], 0, static_cast<TokenId>(id)});
    } else if (!(logits[id] < 0)) {
      return bad_logit(logits[id], id);
    }
  }
  if (!candidates.empty()) return {};
  return no_logit(logits.size());
}

void Sampler::State::penalise(std::span<const TokenId> recent, size_t vocabulary) {
  const size_t window = std::min(recent.size(), static_cast<size_t>(options.repetition_window));
  if (options.repetition_penalty == 1.0 || window == 0) return;
  penalised.assign(recent.end() - static_cast<std::ptrdiff_t>(window), recent.end());
  std::sort(penalised.begin(), penalised.end());
  penalised.erase(std::unique(penalised.begin(), penalised.end()), penalised.end());
  size_t next = 0;  // candidates are still in the order of their ids
  for (const TokenId id : penalised) {
    if (id < 0 || static_cast<size_t>(id) >= vocabulary) continue;
    while (next < candidates.size() && candidates[next].id < id) ++next;
    if (next == candidates.size() || candidates[next].id != id) continue;
    double& logit = candidates[next].logit;
    logit = logit > 0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
  }
}

void Sampler::State::truncate() {
  const auto top_k = static_cast<size_t>(options.top_k);
  if (top_k > 0 && top_k < candidates.size()) {
    const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(top_k);
    std::nth_element(candidates.begin(), end, candidates.end(), comes_before);
    candidates.erase(end, candidates.end());
    std::sort(candidates.begin(), candidates.end(), comes_before);
  }
  const double highest = std::min_element(candidates.begin(), candidates.end(), comes_before)->logit;
  for (Candidate& candidate : candidates) candidate.weight = std::exp(candidate.logit - highest);
  if (options.top_p < 1) {
    double total = 0;
    for (const Candidate& candidate : candidates) total += candidate.weight;
    SortedPrefix sorted(candidates);
    double sum = 0;
    size_t kept = 0;
    while (kept < candidates.size() && sum < options.top_p * total) sum += sorted[kept++].weight;
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(std::max<size_t>(kept, 1)), candidates.end());
  }
  if (options.min_p > 0) {
    const auto weak = [&](const Candidate& candidate) { return candidate.weight < options.min_p; };
    candidates.erase(std::remove_if(candidates.begin(), candidates.end(), weak), candidates.end());
  }
}

TokenId Sampler::State::draw() {
  double total = 0;
  const double highest = std::min_element(candidates.begin(), candidates.end(), comes_before)->logit;
  for (Candidate& candidate : candidates) {
    candidate.weight = std::exp((candidate.logit - highest) / options.temperature);
    total += candidate.weight;
  }
  double left = rng.uniform() * total;
  for (const Candidate& candidate : candidates) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  // Rounding used up the sum: the last one that can be drawn at all.
  const auto drawable = [](const Candidate& candidate) { return candidate.weight > 0; };
  return std::find_if(candidates.rbegin(), candidates.rend(), drawable)->id;
}

Result<TokenId> Sampler::sample(std::span<const float> logits, std::span<const TokenId> recent) {
  State& state = *state_;
  if (state.options.temperature == 0 && state.options.repetition_penalty == 1) return highest(logits);
  HALFTONE_TRY(state.read(logits));
  state.penalise(recent, logits.size());
  if (state.options.temperature == 0) {
    return std::min_element(state.candidates.begin(), state.candidates.end(), comes_before)->id;
  }
  state.truncate();
  return state.draw();
}

}  // namespace halftone
