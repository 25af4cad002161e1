// SPDX-License-Identifier: Apache-2.0
#include "metrics/calibration_error.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace halftone {

double calibration_error(std::span<const double> confidence, const std::vector<bool>& right) {
  HALFTONE_CHECK(confidence.size() == right.size());
  std::array<double, kCalibrationBins> gap = {};  // sum of confidence minus the right ones
  for (size_t i = 0; i < confidence.size(); ++i) {
    const int bin = std::clamp(static_cast<int>(confidence[i] * kCalibrationBins), 0, kCalibrationBins - 1);
    gap[static_cast<size_t>(bin)] += confidence[i] - (right[i] ? 1.0 : 0.0);
  }
  double sum = 0;
  for (const double one : gap) sum += std::fabs(one);
  return confidence.empty() ? 0 : sum / static_cast<double>(confidence.size());
}

}  // namespace halftone
