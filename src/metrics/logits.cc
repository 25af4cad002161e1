// SPDX-License-Identifier: Apache-2.0
#include "metrics/logits.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int kLanes = 8;

// Below it exp_negative would leave the exponents of normal doubles.
constexpr double kLowest = -700;

// exp(x) for x in [kLowest, 0], in plain arithmetic without branches, so that compilers vectorise it without changing
// the result: Cody-Waite reduction, Taylor polynomial of degree 11 on |r| <= ln2/2. Relative error below 4e-15.
inline double exp_negative(double x) {
  constexpr double kLog2E = 1.4426950408889634074;
  constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: adding it leaves the nearest integer in the low bits
  const double shifted = x * kLog2E + kRound;
  const double count = shifted - kRound;
  const double r = (x - count * kLn2High) - count * kLn2Low;
  double sum = 1.0 / 39916800;
  sum = sum * r + 1.0 / 3628800;
  sum = sum * r + 1.0 / 362880;
  sum = sum * r + 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  const uint64_t scale = (std::bit_cast<uint64_t>(shifted) + 1023) << 52;
  return sum * std::bit_cast<double>(scale);
}

// Values of one stretch of a row; what lies beyond its end is zero and adds nothing.
constexpr int64_t kStretch = 256;
using Stretch = double[kStretch];

// exp(logit - shift) of each; `lowest` is the row's smallest logit, and decides whether any can leave exp_negative's
// range.
void exp_stretch(const float* logits, int64_t count, double shift, double lowest, Stretch& out) {
  if (lowest - shift >= kLowest) {
    for (int64_t i = 0; i < count; ++i) out[i] = exp_negative(logits[i] - shift);
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = exp_negative(std::max(logits[i] - shift, kLowest));
  }
  for (int64_t i = count; i < kStretch; ++i) out[i] = 0;
}

// Eight running sums, added in a fixed tree at the end: the same on every machine.
class LaneSum {
 public:
  void add(const Stretch& values) {
    for (int64_t i = 0; i < kStretch; i += kLanes)
      for (int lane = 0; lane < kLanes; ++lane) lanes_[lane] += values[i + lane];
  }
  double total() const {
    return ((lanes_[0] + lanes_[4]) + (lanes_[2] + lanes_[6])) + ((lanes_[1] + lanes_[5]) + (lanes_[3] + lanes_[7]));
  }

 private:
  double lanes_[kLanes] = {};
};

struct Peak {
  int index = 0;
  double value = 0;   // the largest logit
  double lowest = 0;  // the smallest
  bool finite = true;
};

Peak peak_of(std::span<const float> logits) {
  // x - x is 0 for finite x and NaN otherwise; comparisons alone would skip NaN.
  float poison[kLanes] = {}, high[kLanes], low[kLanes];
  std::fill(high, high + kLanes, logits[0]);
  std::fill(low, low + kLanes, logits[0]);
  const auto take = [&](float x, int lane) {
    poison[lane] += x - x;
    high[lane] = x > high[lane] ? x : high[lane];
    low[lane] = x < low[lane] ? x : low[lane];
  };
  const int64_t size = static_cast<int64_t>(logits.size()), whole = size / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) take(logits[i + lane], lane);
  for (int64_t i = whole; i < size; ++i) take(logits[i], 0);
  float bad = 0;
  for (const float lane : poison) bad += lane;
  Peak peak;
  peak.finite = bad == 0;
  if (!peak.finite) return peak;
  const float highest = *std::max_element(high, high + kLanes);
  peak.value = highest;
  peak.lowest = *std::min_element(low, low + kLanes);
  peak.index = static_cast<int>(std::find(logits.begin(), logits.end(), highest) - logits.begin());
  return peak;
}

RowScore row_score(std::span<const float> logits, const Peak& peak, double log_sum, int target) {
  RowScore score;
  score.top = peak.index;
  score.finite = peak.finite;
  if (peak.finite) score.top_log_probability = peak.value - log_sum;
  if (target >= 0 && peak.finite) score.log_probability = logits[target] - log_sum;
  return score;
}

}  // namespace

RowScore score_row(std::span<const float> logits, int target) {
  HALFTONE_CHECK(!logits.empty() && target < static_cast<int>(logits.size()));
  const Peak peak = peak_of(logits);
  if (!peak.finite) return row_score(logits, peak, 0, target);
  LaneSum sum;
  Stretch e;
  const int64_t size = static_cast<int64_t>(logits.size());
  for (int64_t begin = 0; begin < size; begin += kStretch) {
    exp_stretch(logits.data() + begin, std::min(kStretch, size - begin), peak.value, peak.lowest, e);
    sum.add(e);
  }
  return row_score(logits, peak, peak.value + std::log(sum.total()), target);
}

RowDivergence compare_rows(std::span<const float> reference, std::span<const float> candidate, int target) {
  HALFTONE_CHECK(!reference.empty() && reference.size() == candidate.size());
  HALFTONE_CHECK(target < static_cast<int>(reference.size()));
  const Peak p = peak_of(reference), q = peak_of(candidate);
  RowDivergence result;
  if (!p.finite || !q.finite) {
    result.reference.finite = p.finite;
    result.candidate.finite = q.finite;
    return result;
  }
  LaneSum p_sum, q_sum, cross_sum;
  Stretch pe, qe;
  const int64_t size = static_cast<int64_t>(reference.size());
  for (int64_t begin = 0; begin < size; begin += kStretch) {
    const int64_t count = std::min(kStretch, size - begin);
    const float* r = reference.data() + begin;
    const float* c = candidate.data() + begin;
    exp_stretch(r, count, p.value, p.lowest, pe);
    exp_stretch(c, count, q.value, q.lowest, qe);
    p_sum.add(pe);
    q_sum.add(qe);
    for (int64_t i = 0; i < count; ++i) pe[i] *= static_cast<double>(r[i]) - static_cast<double>(c[i]);
    cross_sum.add(pe);
  }
  const double p_log = p.value + std::log(p_sum.total()), q_log = q.value + std::log(q_sum.total());
  result.reference = row_score(reference, p, p_log, target);
  result.candidate = row_score(candidate, q, q_log, target);
  // sum p (ln p - ln q) = E_p[r - c] - (ln Z_p - ln Z_q); rounding alone can take it below 0.
  result.kl = std::max(0.0, cross_sum.total() / p_sum.total() - (p_log - q_log));
  return result;
}

double top_k_agreement(std::span<const float> reference, std::span<const float> candidate, int64_t k) {
  HALFTONE_CHECK(reference.size() == candidate.size() && k > 0);
  const auto largest = [k](std::span<const float> logits) {
    std::vector<int64_t> order(logits.size());
    std::iota(order.begin(), order.end(), int64_t{0});
    const auto middle = order.begin() + std::min<int64_t>(k, static_cast<int64_t>(order.size()));
    std::partial_sort(order.begin(), middle, order.end(),
                      [&](int64_t i, int64_t j) { return logits[i] != logits[j] ? logits[i] > logits[j] : i < j; });
    std::vector<int64_t> top(order.begin(), middle);
    std::sort(top.begin(), top.end());
    return top;
  };
  const std::vector<int64_t> a = largest(reference), b = largest(candidate);
  std::vector<int64_t> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return a.empty() ? 1 : static_cast<double>(both.size()) / static_cast<double>(a.size());
}

std::vector<double> softmax(std::span<const double> log_likelihoods) {
  std::vector<double> probabilities(log_likelihoods.begin(), log_likelihoods.end());
  if (probabilities.empty()) return probabilities;
  const double largest = *std::max_element(probabilities.begin(), probabilities.end());
  double sum = 0;
  for (double& value : probabilities) sum += value = std::exp(value - largest);
  for (double& value : probabilities) value /= sum;
  return probabilities;
}

int64_t argmax(std::span<const double> values) {
  HALFTONE_CHECK(!values.empty());
  return std::max_element(values.begin(), values.end()) - values.begin();
}

}  // namespace halftone
