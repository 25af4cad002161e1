// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace halftone {

// xoshiro256** seeded by splitmix64: the same numbers on every platform, unlike <random>'s distributions.
class Rng {
 public:
  explicit Rng(uint64_t seed);
  uint64_t next();
  double uniform();                // [0, 1), 53 bits
  uint64_t below(uint64_t bound);  // [0, bound), unbiased. REQUIRES: bound > 0
  double normal();                 // mean 0, deviation 1

 private:
  uint64_t state_[4];
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace halftone
