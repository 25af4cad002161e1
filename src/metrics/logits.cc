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

// exp(x) for x <= 0, in plain arithmetic so that compilers vectorise it without changing the result: Cody-Waite
// reduction, Taylor polynomial of degree 11 on |r| <= ln2/2. Relative error below 4e-15 above -708; 0 below.
inline double exp_negative(double x) {
  constexpr double kLog2E = 1.4426950408889634074;
  constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: adding it leaves the nearest integer in the low bits
  const double clamped = x < -708 ? -708 : x;
  const double shifted = clamped * kLog2E + kRound;
  const double count = shifted - kRound;
  const double r = (clamped - count * kLn2High) - count * kLn2Low;
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
  return x < -708 ? 0 : sum * std::bit_cast<double>(scale);
}

double tree_sum(const double (&lanes)[kLanes]) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

struct Peak {
  int index = 0;
  double value = 0;
  bool finite = true;
};

Peak peak_of(std::span<const float> logits) {
  // x - x is 0 for finite x and NaN otherwise; the comparison alone would skip NaN.
  float poison[kLanes] = {};
  const int64_t whole = static_cast<int64_t>(logits.size()) / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) poison[lane] += logits[i + lane] - logits[i + lane];
  for (int64_t i = whole; i < static_cast<int64_t>(logits.size()); ++i) poison[0] += logits[i] - logits[i];
  float bad = 0;
  for (const float lane : poison) bad += lane;
  const auto top = std::max_element(logits.begin(), logits.end());
  return {static_cast<int>(top - logits.begin()), *top, bad == 0};
}

RowScore row_score(std::span<const float> logits, const Peak& peak, double log_sum, int target) {
  RowScore score;
  score.top = peak.index;
  score.finite = peak.finite;
  if (target >= 0 && peak.finite) score.log_probability = logits[target] - log_sum;
  return score;
}

}  // namespace

RowScore score_row(std::span<const float> logits, int target) {
  HALFTONE_CHECK(!logits.empty() && target < static_cast<int>(logits.size()));
  const Peak peak = peak_of(logits);
  double lanes[kLanes] = {};
  const int64_t size = static_cast<int64_t>(logits.size());
  const int64_t whole = size / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += exp_negative(logits[i + lane] - peak.value);
  for (int64_t i = whole; i < size; ++i) lanes[i - whole] += exp_negative(logits[i] - peak.value);
  return row_score(logits, peak, peak.value + std::log(tree_sum(lanes)), target);
}

RowDivergence compare_rows(std::span<const float> reference, std::span<const float> candidate, int target) {
  HALFTONE_CHECK(!reference.empty() && reference.size() == candidate.size());
  HALFTONE_CHECK(target < static_cast<int>(reference.size()));
  const Peak p = peak_of(reference), q = peak_of(candidate);
  double p_lanes[kLanes] = {}, q_lanes[kLanes] = {}, cross_lanes[kLanes] = {};
  const auto add = [&](int64_t i, int lane) {
    const double pe = exp_negative(reference[i] - p.value);
    p_lanes[lane] += pe;
    q_lanes[lane] += exp_negative(candidate[i] - q.value);
    cross_lanes[lane] += pe * (static_cast<double>(reference[i]) - candidate[i]);
  };
  const int64_t size = static_cast<int64_t>(reference.size());
  const int64_t whole = size / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  for (int64_t i = whole; i < size; ++i) add(i, static_cast<int>(i - whole));
  const double p_sum = tree_sum(p_lanes), q_sum = tree_sum(q_lanes);
  const double p_log = p.value + std::log(p_sum), q_log = q.value + std::log(q_sum);
  RowDivergence result;
  result.reference = row_score(reference, p, p_log, target);
  result.candidate = row_score(candidate, q, q_log, target);
  // sum p (ln p - ln q) = E_p[r - c] - (ln Z_p - ln Z_q); rounding alone can take it below 0.
  if (p.finite && q.finite) result.kl = std::max(0.0, tree_sum(cross_lanes) / p_sum - (p_log - q_log));
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
