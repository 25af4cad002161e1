// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

namespace halftone {

// Expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015; as Guo et al., ICML 2017, use it): samples fall
// into 15 bins of equal width by the probability of what was picked; the mean gap between that probability and the
// share of right picks, weighted by the samples in the bin. 0 without samples. REQUIRES: as many of both, confidences
// in [0, 1].
inline constexpr int kCalibrationBins = 15;
double calibration_error(std::span<const double> confidence, const std::vector<bool>& right);

}  // namespace halftone
