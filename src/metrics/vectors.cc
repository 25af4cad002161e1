// SPDX-License-Identifier: Apache-2.0
#include "metrics/vectors.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace halftone {

double cosine(std::span<const float> a, std::span<const float> b) {
  HALFTONE_CHECK(a.size() == b.size());
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (aa == 0 || bb == 0) return aa == bb ? 1 : 0;
  return std::clamp(ab / std::sqrt(aa) / std::sqrt(bb), -1.0, 1.0);
}

double recall_at_k(std::span<const int64_t> ranked, std::span<const int64_t> relevant, int64_t k) {
  HALFTONE_CHECK(!relevant.empty());
  const auto end = ranked.begin() + std::min<int64_t>(k, static_cast<int64_t>(ranked.size()));
  int64_t found = 0;
  for (const int64_t item : relevant) found += std::find(ranked.begin(), end, item) != end;
  return static_cast<double>(found) / static_cast<double>(relevant.size());
}

double expected_calibration_error(std::span<const double> confidences, std::span<const uint8_t> correct, int64_t bins) {
  HALFTONE_CHECK(confidences.size() == correct.size() && bins > 0);
  if (confidences.empty()) return 0;
  std::vector<double> gap(bins, 0.0);
  for (size_t i = 0; i < confidences.size(); ++i) {
    const double place = confidences[i] * static_cast<double>(bins);
    const int64_t bin = std::clamp<int64_t>(static_cast<int64_t>(place), 0, bins - 1);
    gap[bin] += (correct[i] ? 1.0 : 0.0) - confidences[i];
  }
  double total = 0;
  for (const double value : gap) total += std::fabs(value);
  return total / static_cast<double>(confidences.size());
}

}  // namespace halftone
