// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/leakage.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/error.h"

namespace halftone {
namespace {

constexpr uint64_t kFactor = 0x9E3779B97F4A7C15;  // odd: no token is lost in a product

// body(first token of a run, hash of the run), for every run, in order.
template <class Body>
void for_runs(const Sequences& sequences, int64_t run, const Body& body) {
  uint64_t leaving = 1;  // weight of the token that leaves the run
  for (int64_t i = 1; i < run; ++i) leaving *= kFactor;
  for (int64_t s = 0; s < sequences.count(); ++s) {
    uint64_t hash = 0;
    for (int64_t t = sequences.begin(s); t < sequences.end(s); ++t) {
      const auto token_at = [&](int64_t at) {
        return static_cast<uint64_t>(sequences.tokens[static_cast<size_t>(at)]) + 1;
      };
      if (t - run >= sequences.begin(s)) hash -= token_at(t - run) * leaving;
      hash = hash * kFactor + token_at(t);
      if (t + 1 - run >= sequences.begin(s)) body(t + 1 - run, hash);
    }
  }
}

// Marks runs; counts the tokens that any of them covers. Runs come in order.
class Cover {
 public:
  void add(int64_t first, int64_t run) {
    count_ += first + run - std::max(end_, first);
    end_ = first + run;
  }
  int64_t count() const { return count_; }

 private:
  int64_t end_ = 0, count_ = 0;
};

}  // namespace

Leakage find_leakage(const Sequences& calibration, const Sequences& evaluation, int64_t run) {
  HALFTONE_CHECK(run >= 1);
  Leakage found;
  found.run = run;
  found.calibration_tokens = calibration.size();
  found.evaluation_tokens = evaluation.size();
  for (int64_t s = 0; s < calibration.count(); ++s) {
    if (calibration.length(s) < run) found.unseen += calibration.length(s);
  }
  std::unordered_map<uint64_t, int64_t> first_with;             // hash → where its first run begins
  std::vector<int64_t> earlier(calibration.tokens.size(), -1);  // the run before it with the same hash
  for_runs(calibration, run, [&](int64_t at, uint64_t hash) {
    const auto [place, is_new] = first_with.emplace(hash, at);
    if (is_new) return;
    earlier[static_cast<size_t>(at)] = place->second;
    place->second = at;
  });
  std::vector<uint8_t> shared(calibration.tokens.size());
  Cover in_evaluation, in_calibration;
  for_runs(evaluation, run, [&](int64_t at, uint64_t hash) {
    const auto place = first_with.find(hash);
    if (place == first_with.end()) return;
    bool same = false;
    for (int64_t other = place->second; other >= 0; other = earlier[static_cast<size_t>(other)]) {
      if (shared[static_cast<size_t>(other)] != 0 && same) break;  // those before it were marked with it
      const auto a = calibration.tokens.begin() + other, b = evaluation.tokens.begin() + at;
      if (!std::equal(a, a + run, b)) continue;
      same = true;
      shared[static_cast<size_t>(other)] = 1;
      if (found.calibration_token < 0) {
        found.calibration_token = other;
        found.evaluation_token = at;
      }
    }
    if (same) in_evaluation.add(at, run);
  });
  for (size_t at = 0; at < shared.size(); ++at) {
    if (shared[at] != 0) in_calibration.add(static_cast<int64_t>(at), run);
  }
  found.shared_evaluation = in_evaluation.count();
  found.shared_calibration = in_calibration.count();
  return found;
}

Status refuse_leakage(const Leakage& leakage, std::string_view calibration, std::string_view evaluation) {
  if (leakage.shared_calibration == 0) return {};
  return invalid_input(
      "[calibration] {}: expected no text of {}, got {} of {} tokens ({:.2f} %) in runs of {} that both have, the "
      "first "
      "at token {}; calibrate on other text, or what is measured is not held out",
      calibration, evaluation, leakage.shared_calibration, leakage.calibration_tokens, 100 * leakage.fraction(),
      leakage.run, leakage.calibration_token);
}

}  // namespace halftone
