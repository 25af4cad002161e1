// SPDX-License-Identifier: Apache-2.0
#include "device/probes.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <vector>

#include "device/arm_features.h"
#include "device/probe_loops.h"

namespace halftone {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kReadChunkBytes = 1 << 20;
constexpr double kPassSeconds = 0.02;
constexpr int kReadPasses = 4;

// Results land here, so that no loop is without effect.
std::atomic<uint64_t> sink{0};

double seconds_of(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return std::max(1e-9, std::chrono::duration<double>(Clock::now() - begin).count());
}

const ProbeLoops& best_loops() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni")) return kProbeLoopsAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kProbeLoopsAvx2;
  return kProbeLoopsScalar;
#elif defined(__aarch64__)
  if (arm_features().i8mm) return kProbeLoopsNeonI8mm;
  if (arm_features().dot) return kProbeLoopsNeonDot;
  return kProbeLoopsNeon;
#else
  return kProbeLoopsScalar;
#endif
}

bool has_bf16_dot(const ProbeLoops& loops) {
#if defined(__x86_64__)
  return loops.bf16_dot != nullptr && __builtin_cpu_supports("avx512bf16");
#else
  return loops.bf16_dot != nullptr;
#endif
}

// Operations per second of `loop`, the best of the passes. Work is dealt in pieces smaller than a pass, so that a
// thread that another process holds up does not decide the time.
double peak_of(const std::function<void(int64_t)>& loop, int64_t operations, ThreadPool& pool, int passes) {
  int64_t iterations = 1000;
  double elapsed = seconds_of([&] { loop(iterations); });
  while (elapsed < kPassSeconds / 16) {
    iterations *= 4;
    elapsed = seconds_of([&] { loop(iterations); });
  }
  const int64_t pieces = pool.threads() * std::max<int64_t>(1, static_cast<int64_t>(kPassSeconds / elapsed));
  double best = 0;
  for (int pass = 0; pass < passes; ++pass) {
    elapsed = seconds_of([&] {
      pool.parallel_for(pieces, 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t piece = begin; piece < end; ++piece) loop(iterations);
      });
    });
    best = std::max(best, static_cast<double>(operations) * static_cast<double>(iterations * pieces) / elapsed);
  }
  return best;
}

}  // namespace

std::string_view probe_isa() {
  const ProbeLoops* loops = &best_loops();
#if defined(__x86_64__)
  if (loops == &kProbeLoopsAvx512) return "avx512";
  if (loops == &kProbeLoopsAvx2) return "avx2";
#elif defined(__aarch64__)
  if (loops == &kProbeLoopsNeonI8mm) return "neon_i8mm";
  if (loops == &kProbeLoopsNeonDot) return "neon_dot";
  if (loops == &kProbeLoopsNeon) return "neon";
#endif
  return loops == &kProbeLoopsScalar ? "scalar" : "";
}

double read_bandwidth(std::span<const std::byte> bytes, ThreadPool& pool) {
  if (bytes.empty()) return 0;
  const auto size = static_cast<int64_t>(bytes.size());
  const auto read = best_loops().read;
  const double elapsed = seconds_of([&] {
    pool.parallel_for((size + kReadChunkBytes - 1) / kReadChunkBytes, 1, [&](int64_t begin, int64_t end, int) {
      const int64_t first = begin * kReadChunkBytes, last = std::min(size, end * kReadChunkBytes);
      sink.fetch_add(read(bytes.data() + first, static_cast<size_t>(last - first)), std::memory_order_relaxed);
    });
  });
  return static_cast<double>(size) / elapsed;
}

double measure_read_bandwidth(ThreadPool& pool, int megabytes) {
  const std::vector<std::byte> buffer(static_cast<size_t>(megabytes) * 1'000'000, std::byte{1});
  double best = 0;
  for (int pass = 0; pass < 1 + kReadPasses; ++pass) best = std::max(best, read_bandwidth(buffer, pool));
  return best;
}

ComputePeaks measure_compute_peaks(ThreadPool& pool, int passes) {
  const ProbeLoops& loops = best_loops();
  ComputePeaks peaks;
  const auto f32 = [&](int64_t n) { sink.fetch_add(loops.f32_fma(n) > 0 ? 1 : 0, std::memory_order_relaxed); };
  const auto int8 = [&](int64_t n) {
    sink.fetch_add(static_cast<uint64_t>(loops.int8_dot(n)), std::memory_order_relaxed);
  };
  peaks.f32_fma = peak_of(f32, loops.f32_operations, pool, passes);
  peaks.int8_dot = peak_of(int8, loops.int8_operations, pool, passes);
  if (has_bf16_dot(loops)) {
    const auto bf16 = [&](int64_t n) { sink.fetch_add(loops.bf16_dot(n) > 0 ? 1 : 0, std::memory_order_relaxed); };
    peaks.bf16_dot = peak_of(bf16, loops.bf16_operations, pool, passes);
  }
  return peaks;
}

}  // namespace halftone
