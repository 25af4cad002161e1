// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/methods/population.h"

namespace halftone {

// Where a sorted population is cut into clusters: 0 = ends[0] < ends[1] < ... = size; each cluster gets its mean.
struct Partition {
  std::vector<int64_t> ends;
  int64_t clusters() const { return static_cast<int64_t>(ends.size()) - 1; }
  double cost(const Population& population) const;
};

// The partition into min(clusters, size) of the least squared error (up to the rounding of doubles). O(n log n) for
// each of about ten prices of a cluster, whatever their number. REQUIRES: size and clusters above 0.
Partition optimal_partition(const Population& population, int64_t clusters);

// What the field's tools find: Lloyd's iterations from a start by k-means++ (one of them, seeded), until nothing moves.
Partition lloyd_partition(const Population& population, int64_t clusters, uint64_t seed);

}  // namespace halftone
