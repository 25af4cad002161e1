// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/thread_pool.h"

namespace halftone {

// Bytes per second of reading `bytes` once with the pool's threads (the same pages the model maps, when given them).
double read_bandwidth(std::span<const std::byte> bytes, ThreadPool& pool);
// The best of several passes over a private buffer of `megabytes`.
double measure_read_bandwidth(ThreadPool& pool, int megabytes = 256);

// Register-only loops on every thread of the pool, in operations per second (a multiply-add is two).
struct ComputePeaks {
  double f32_fma = 0, int8_dot = 0;
};
ComputePeaks measure_compute_peaks(ThreadPool& pool);

}  // namespace halftone
