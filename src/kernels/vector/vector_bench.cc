// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "kernels/vector/vector.h"

namespace halftone {
namespace {

std::vector<float> random_floats(int64_t n) {
  Rng rng(1);
  std::vector<float> out(static_cast<size_t>(n));
  for (float& x : out) x = static_cast<float>(rng.normal());
  return out;
}

template <class Op>
void add_rows(const VectorKernels& kernels, const std::string& name, const Op& op) {
  const auto run = [&kernels, op](benchmark::State& state) {
    const int64_t n = state.range(0);
    const std::vector<float> a = random_floats(n), b = a;
    std::vector<float> y(a.size());
    for (auto _ : state) {
      op(kernels, a.data(), b.data(), n, y.data());
      benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * n);
  };
  benchmark::RegisterBenchmark((name + "_" + kernels.name).c_str(), run)->Arg(2048)->Arg(32768);
}

// Every row of kernels.inc that this machine runs.
const int kRegistered = [] {
  int count = 0;
  const VectorKernels* const* all = vector_kernels(&count);
  for (const Isa isa : supported_isas()) {
    for (int i = 0; i < count; ++i) {
      const VectorKernels& k = *all[i];
      if (k.isa != isa) continue;
      add_rows(k, "rms_norm", [](const VectorKernels& v, const float* a, const float* b, int64_t n, float* y) {
        v.rms_norm(a, b, n, 1e-5f, y);
      });
      add_rows(k, "swiglu", [](const VectorKernels& v, const float* a, const float* b, int64_t n, float* y) {
        v.swiglu(a, b, n, y);
      });
      add_rows(k, "add",
               [](const VectorKernels& v, const float* a, const float* b, int64_t n, float* y) { v.add(a, b, n, y); });
      add_rows(k, "log_sum_exp", [](const VectorKernels& v, const float* a, const float*, int64_t n, float*) {
        benchmark::DoNotOptimize(v.log_sum_exp(a, n));
      });
    }
  }
  return count;
}();

}  // namespace
}  // namespace halftone
