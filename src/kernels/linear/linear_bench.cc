// SPDX-License-Identifier: Apache-2.0
// Every row of kernels.inc that this machine runs, decode (1 token), verify (4, 8) and prefill (32, 512), on all cores.
// Each first has to give the bits of the reference. The best pass counts (the machine may be shared); each figure
// stands beside its wall: `of_read` against a plain read of the same bytes in the same minute, `of_peak` against a
// register-only loop.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

#include "base/thread_pool.h"
#include "device/probes.h"
#include "kernels/linear/linear_problem.h"

namespace halftone {
namespace {

using Clock = std::chrono::steady_clock;

ThreadPool& pool() {
  static ThreadPool threads(available_cores());
  return threads;
}

const ComputePeaks& peaks() {
  static const ComputePeaks measured = measure_compute_peaks(pool());
  return measured;
}

struct Case {
  const LinearKernel* kernel;
  int64_t rows, columns, tokens;
};

// A few distinct panels of random numbers, repeated until the matrix has its size.
AlignedBuffer<std::byte> repeated(const RandomWeights& some, int64_t bytes) {
  AlignedBuffer<std::byte> all(static_cast<size_t>(bytes));
  for (size_t at = 0; at < all.size(); at += some.bytes.size()) {
    std::memcpy(all.data() + at, some.bytes.data(), std::min(some.bytes.size(), all.size() - at));
  }
  return all;
}

LinearArgs arguments(const Case& c, const std::byte* weights, const RandomTokens& in, float* y) {
  LinearArgs args = {};
  args.weights = weights;
  args.rows = c.rows;
  args.columns = c.columns;
  args.tokens = c.tokens;
  args.x = in.x.data();
  args.x_stride = c.columns;
  args.q = in.quantized();
  args.y = y;
  args.y_stride = c.rows;
  return args;
}

bool answer_is_right(const Case& c, LinearArgs args) {
  const LinearKernel& kernel = *c.kernel;
  const LinearKernel* reference = select_linear(kernel.layout, kernel.order, kernel.activations, Isa::scalar);
  AlignedBuffer<std::byte> scratch(static_cast<size_t>(linear_scratch_bytes(c.columns)));
  args.rows = 48;
  args.panel_end = 3;
  args.tokens = std::min<int64_t>(c.tokens, 14);
  args.scratch = scratch.data();
  kernel.run(args);
  const std::vector<float> got(args.y, args.y + (args.tokens - 1) * args.y_stride + args.rows);
  reference->run(args);
  for (int64_t t = 0; t < args.tokens; ++t) {
    const int64_t at = t * args.y_stride;
    if (std::memcmp(got.data() + at, args.y + at, static_cast<size_t>(args.rows) * sizeof(float)) != 0) return false;
  }
  return true;
}

void run_case(benchmark::State& state, const Case& c) {
  const Layout& layout = layout_of(c.kernel->layout);
  const RandomWeights some(layout, c.kernel->order, std::min<int64_t>(c.rows, 256), c.columns, 1);
  const AlignedBuffer<std::byte> weights = repeated(some, layout.bytes(c.rows, c.columns, c.kernel->order));
  const RandomTokens in(c.tokens, c.columns, 2);
  AlignedBuffer<float> y(static_cast<size_t>(c.tokens * c.rows));
  LinearArgs args = arguments(c, weights.data(), in, y.data());
  if (!answer_is_right(c, args)) return state.SkipWithError("differs from the reference");
  std::vector<AlignedBuffer<std::byte>> scratch;
  for (int i = 0; i < pool().threads(); ++i) scratch.emplace_back(static_cast<size_t>(linear_scratch_bytes(c.columns)));
  const int64_t panels = (c.rows + kPanelRows - 1) / kPanelRows;
  const std::span<const std::byte> bytes(weights.data(), weights.size());
  double best = 1e9, best_read = 0;
  for (auto _ : state) {
    if (c.tokens <= 8) best_read = std::max(best_read, read_bandwidth(bytes, pool()));
    const auto start = Clock::now();
    pool().parallel_for(panels, 16, [&](int64_t begin, int64_t end, int thread) {
      LinearArgs part = args;
      part.panel_begin = begin;
      part.panel_end = end;
      part.scratch = scratch[static_cast<size_t>(thread)].data();
      c.kernel->run(part);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    state.SetIterationTime(seconds);
    best = std::min(best, seconds);
  }
  const double ops = 2.0 * static_cast<double>(c.rows) * static_cast<double>(c.columns) * static_cast<double>(c.tokens);
  const bool int8 = c.kernel->activations == Activations::int8;
  state.counters["GB/s"] = static_cast<double>(weights.size()) / best / 1e9;
  state.counters["Gop/s"] = ops / best / 1e9;
  if (c.tokens <= 8) state.counters["of_read"] = static_cast<double>(weights.size()) / best / best_read;
  state.counters["of_peak"] = ops / best / (int8 ? peaks().int8_dot : peaks().f32_fma);
}

void run_quantize(benchmark::State& state, const QuantizeKernel& kernel) {
  constexpr int64_t kColumns = 2048;
  const RandomTokens in(1, kColumns, 3);
  std::vector<int8_t> codes(kColumns);
  std::vector<float> scales(kColumns / kActivationBlock);
  std::vector<int32_t> sums(kColumns / kActivationGroup);
  for (auto _ : state) {
    kernel.run(in.x.data(), kColumns, codes.data(), scales.data(), sums.data());
    benchmark::DoNotOptimize(codes.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kColumns);
}

bool machine_has(Isa isa) {
  for (const Isa supported : supported_isas()) {
    if (supported == isa) return true;
  }
  return false;
}

int register_all() {
  constexpr int64_t kColumns = 2048, kReadBytes = 192 << 20;
  int count = 0;
  const LinearKernel* const* kernels = linear_kernels(&count);
  for (int i = 0; i < count; ++i) {
    const LinearKernel* kernel = kernels[i];
    if (!machine_has(kernel->isa)) continue;
    const bool slow = kernel->isa == Isa::scalar;
    const int64_t big = kReadBytes / layout_of(kernel->layout).bytes(16, kColumns, Order::panel16) * 16;
    for (const int64_t tokens : {1, 4, 8, 32, 512}) {
      const Case c = {kernel, slow ? 64 : tokens > 8 ? 2048 : big, kColumns, tokens};
      const std::string name = std::string(kernel->name) + "/tokens:" + std::to_string(tokens);
      benchmark::RegisterBenchmark(name.c_str(), [c](benchmark::State& state) { run_case(state, c); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  const QuantizeKernel* const* quantizers = quantize_kernels(&count);
  for (int i = 0; i < count; ++i) {
    const QuantizeKernel* kernel = quantizers[i];
    if (!machine_has(kernel->isa)) continue;
    benchmark::RegisterBenchmark(kernel->name, [kernel](benchmark::State& state) { run_quantize(state, *kernel); });
  }
  return count;
}

const int registered = register_all();

}  // namespace
}  // namespace halftone
