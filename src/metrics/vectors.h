// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace halftone {

// Cosine of the angle between two vectors, in [-1, 1], summed in double. A zero vector has no direction: 0 unless both
// are zero (1). REQUIRES: equal sizes.
double cosine(std::span<const float> a, std::span<const float> b);

// Share of `relevant` items that are among the first k of `ranked`, in [0, 1]. REQUIRES: relevant not empty.
double recall_at_k(std::span<const int64_t> ranked, std::span<const int64_t> relevant, int64_t k);

// Expected calibration error (Naeini, Cooper, Hauskrecht, AAAI 2015): over `bins` equal bins of confidence in [0, 1],
// the mean of |accuracy - mean confidence| weighted by how many fall into the bin. REQUIRES: equal sizes, bins > 0.
// Empty: 0.
double expected_calibration_error(std::span<const double> confidences, std::span<const uint8_t> correct, int64_t bins);

}  // namespace halftone
