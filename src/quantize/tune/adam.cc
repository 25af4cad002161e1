// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "quantize/tune/tunable.h"

namespace halftone {
namespace {

constexpr float kMeanDecay = 0.9f, kSquareDecay = 0.99f;
constexpr float kTiny = 1e-20f;  // only keeps 0 / 0 away: gradients of single numbers are as small as 1e-8

}  // namespace

void Adam::begin_step() {
  mean_power_ *= kMeanDecay;
  square_power_ *= kSquareDecay;
  mean_correction_ = 1 / (1 - mean_power_);
  square_correction_ = 1 / (1 - square_power_);
}

float Adam::direction(size_t i, float gradient) {
  mean_[i] = kMeanDecay * mean_[i] + (1 - kMeanDecay) * gradient;
  square_[i] = kSquareDecay * square_[i] + (1 - kSquareDecay) * gradient * gradient;
  return mean_[i] * mean_correction_ / (std::sqrt(square_[i] * square_correction_) + kTiny);
}

}  // namespace halftone
