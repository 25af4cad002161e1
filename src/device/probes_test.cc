// SPDX-License-Identifier: Apache-2.0
// Bounds here are loose on purpose: they catch a loop that was optimised away or a wrong factor, on any machine however
// loaded.
#include "device/probes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "device/arm_features.h"
#include "device/probe_loops.h"

namespace halftone {
namespace {

constexpr double kFastestCyclesPerSecond = 8e9;

std::vector<const ProbeLoops*> runnable_loops() {
  std::vector<const ProbeLoops*> loops = {&kProbeLoopsScalar};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) loops.push_back(&kProbeLoopsAvx2);
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")) loops.push_back(&kProbeLoopsAvx512);
#elif defined(__aarch64__)
  loops.push_back(&kProbeLoopsNeon);
  if (arm_features().dot) loops.push_back(&kProbeLoopsNeonDot);
  if (arm_features().i8mm) loops.push_back(&kProbeLoopsNeonI8mm);
#endif
  return loops;
}

// The value depends on every byte: changing any one changes it, at sizes around the width of the loop.
TEST(ProbeLoops, ReadSeesEveryByte) {
  for (const ProbeLoops* loops : runnable_loops()) {
    for (const size_t size : {size_t{1}, size_t{63}, size_t{511}, size_t{512}, size_t{1091}, size_t{4096}}) {
      std::vector<unsigned char> bytes(size + 1, 7);
      unsigned char* data = bytes.data() + 1;
      const uint64_t expected = loops->read(data, size);
      for (size_t i = 0; i < size; ++i) {
        ++data[i];
        ASSERT_NE(loops->read(data, size), expected) << "byte " << i << " of " << size;
        --data[i];
      }
    }
  }
}

TEST(Probes, ReadBandwidthIsPositiveAndPhysical) {
  ThreadPool pool(2);
  EXPECT_EQ(read_bandwidth({}, pool), 0);
  const double bandwidth = measure_read_bandwidth(pool, 16);
  EXPECT_GT(bandwidth, 1e7);
  EXPECT_LT(bandwidth, pool.threads() * kFastestCyclesPerSecond * 2 * 64);  // two full-width loads per cycle
}

TEST(Probes, ComputePeaksArePositiveAndPhysical) {
  ThreadPool pool(2);
  const ComputePeaks peaks = measure_compute_peaks(pool);
  EXPECT_GT(peaks.f32_fma, 1e7);
  EXPECT_GT(peaks.int8_dot, 1e7);
  EXPECT_TRUE(peaks.bf16_dot == 0 || peaks.bf16_dot > 1e7);
  // Four units of 16 lanes, 64 for bytes; a chain that the compiler merged with its neighbours would exceed this.
  EXPECT_LT(peaks.f32_fma, pool.threads() * kFastestCyclesPerSecond * 4 * 16 * 2);
  EXPECT_LT(peaks.bf16_dot, pool.threads() * kFastestCyclesPerSecond * 4 * 32 * 2);
  EXPECT_LT(peaks.int8_dot, pool.threads() * kFastestCyclesPerSecond * 4 * 64 * 2);
}

}  // namespace
}  // namespace halftone
