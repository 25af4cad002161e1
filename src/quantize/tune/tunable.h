// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/layout.h"

namespace halftone {

// Adam (Kingma, Ba: arXiv:1412.6980) over an array of numbers.
class Adam {
 public:
  explicit Adam(size_t size) : mean_(size), square_(size) {}
  // Once per step, before the directions of it.
  void begin_step();
  // How far number i moves against its gradient, in units of the rate: about -1 .. 1.
  float direction(size_t i, float gradient);

 private:
  std::vector<float> mean_, square_;
  float mean_power_ = 1, square_power_ = 1, mean_correction_ = 1, square_correction_ = 1;
};

// A stored tensor as what can be learned of it and what stays.
class Tunable {
 public:
  virtual ~Tunable() = default;
  // (rows, columns): the numbers that would be decoded if it were stored now.
  virtual void decode(ThreadPool& pool, float* out) const = 0;
  // One step against d loss / d number, (rows, columns); rate is relative to the size of what is learned.
  virtual void learn(std::span<const float> gradient, float rate, ThreadPool& pool) = 0;
  // As it is stored: panels, or floats.
  virtual void store(std::span<std::byte> out) const = 0;
};

// Scales, and bases where the layout has them; codes and the bytes of nested scales stay.
// REQUIRES: an integer layout that is no palette; panels of layout.bytes(rows, columns)
std::unique_ptr<Tunable> make_tunable_scales(const Layout& layout, int64_t rows, int64_t columns,
                                             std::span<const std::byte> panels);
// The entries of palettes; codes and the scales of rows stay. REQUIRES: a palette layout
std::unique_ptr<Tunable> make_tunable_palettes(const Layout& layout, int64_t rows, int64_t columns,
                                               std::span<const std::byte> panels);
// A vector such as a norm's; stored as f32, less `offset` (WeightRef::offset).
std::unique_ptr<Tunable> make_tunable_vector(std::vector<float> values, float offset);

}  // namespace halftone
