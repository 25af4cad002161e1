// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/rotation.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace halftone {

Rotation::Rotation(int64_t size, uint64_t seed) : odd_(size) {
  Rng rng(seed);
  for (int64_t i = 0; i < size; ++i) signs_.push_back(rng.below(2) == 0 ? 1 : -1);
  while (odd_ % 2 == 0) {
    odd_ /= 2;
    power_ *= 2;
  }
  scale_ = 1 / std::sqrt(static_cast<double>(power_));
}

void Rotation::apply(double* x, int64_t width) const {
  for (int64_t i = 0; i < size(); ++i)
    for (int64_t k = 0; k < width; ++k) x[i * width + k] *= signs_[static_cast<size_t>(i)];
  for (int64_t half = 1; half < power_; half *= 2) {
    for (int64_t i = 0; i < size(); ++i) {
      if ((i & half) != 0) continue;  // the power of two is the lowest part of the index
      for (int64_t k = 0; k < width; ++k) {
        double &a = x[i * width + k], &b = x[(i + half) * width + k];
        const double sum = a + b, difference = a - b;
        a = sum;
        b = difference;
      }
    }
  }
  for (int64_t low = 0; low < power_ && odd_ > 1; ++low) {
    for (int64_t k = 0; k < width; ++k) {
      double sum = 0;
      for (int64_t high = 0; high < odd_; ++high) sum += x[(high * power_ + low) * width + k];
      for (int64_t high = 0; high < odd_; ++high)
        x[(high * power_ + low) * width + k] -= 2 * sum / static_cast<double>(odd_);
    }
  }
  for (int64_t i = 0; i < size() * width; ++i) x[i] *= scale_;
}

void Rotation::rotate_columns(std::span<float> values, int64_t rows, int64_t first, int64_t runs) const {
  const auto stride = static_cast<int64_t>(values.size()) / rows;
  HALFTONE_CHECK(first + runs * size() <= stride);
  std::vector<double> buffer(signs_.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t run = 0; run < runs; ++run) {
      float* at = values.data() + row * stride + first + run * size();
      std::copy_n(at, buffer.size(), buffer.begin());
      apply(buffer.data(), 1);
      for (size_t i = 0; i < buffer.size(); ++i) at[i] = static_cast<float>(buffer[i]);
    }
  }
}

void Rotation::rotate_rows(std::span<float> values) const {
  constexpr int64_t kWidth = 16;
  const auto columns = static_cast<int64_t>(values.size()) / size();
  std::vector<double> buffer(signs_.size() * kWidth);
  for (int64_t first = 0; first < columns; first += kWidth) {
    const int64_t width = std::min(kWidth, columns - first);
    for (int64_t i = 0; i < size(); ++i)
      std::copy_n(values.data() + i * columns + first, width, buffer.data() + i * width);
    apply(buffer.data(), width);
    for (int64_t i = 0; i < size(); ++i)
      for (int64_t k = 0; k < width; ++k)
        values[static_cast<size_t>(i * columns + first + k)] =
            static_cast<float>(buffer[static_cast<size_t>(i * width + k)]);
  }
}

}  // namespace halftone
