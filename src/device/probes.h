// SPDX-License-Identifier: Apache-2.0
// The walls of this machine: how fast memory can be read and how fast registers can multiply and add. Probes use the
// best ISA that the machine has, whatever kernels were forced to.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/thread_pool.h"

namespace halftone {

// Bytes per second of reading `bytes` once with the pool's threads (the same pages the model maps, when given them).
double read_bandwidth(std::span<const std::byte> bytes, ThreadPool& pool);
// The best of several passes over a private buffer of `megabytes`, which must be several times the last cache to mean
// memory.
double measure_read_bandwidth(ThreadPool& pool, int megabytes = 256);

// Register-only loops on every thread of the pool, in operations per second (a multiply-add is two). The best of
// `passes` of 20 ms each.
struct ComputePeaks {
  double f32_fma = 0, int8_dot = 0, bf16_dot = 0;  // bf16_dot: 0 where the CPU has none
};
inline constexpr int kPeakPasses = 4;
ComputePeaks measure_compute_peaks(ThreadPool& pool, int passes = kPeakPasses);

std::string_view probe_isa();  // of the loops, as kernels/isa.h names them

}  // namespace halftone
