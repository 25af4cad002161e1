// SPDX-License-Identifier: Apache-2.0
// The two walls of this machine: how fast memory can be read and how fast registers can multiply and add. Probes use the best
// ISA that the machine has, whatever kernels were forced to.
#pragma once

#include <cstddef>
#include <span>

#include "base/thread_pool.h"

namespace halftone {

// Bytes per second of reading `bytes` once with the pool's threads (the same pages the model maps, when given them).
double read_bandwidth(std::span<const std::byte> bytes, ThreadPool& pool);
// The best of several passes over a private buffer of `megabytes`, which must be several times the last cache to mean memory.
double measure_read_bandwidth(ThreadPool& pool, int megabytes = 256);

// Register-only loops on every thread of the pool, in operations per second (a multiply-add is two). Takes about 0.2 s.
struct ComputePeaks {
  double f32_fma = 0, int8_dot = 0;
};
ComputePeaks measure_compute_peaks(ThreadPool& pool);

}  // namespace halftone
