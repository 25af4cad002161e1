// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <atomic>

#include "base/thread_pool.h"

namespace halftone {
namespace {

// A fork and a join in which every thread really takes part, workers still spinning.
void hot_fork_join(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  const int threads = pool.threads();
  for (auto _ : state) {
    std::atomic<int> present{0};
    pool.parallel_for(threads, 1, [&](int64_t, int64_t, int) {
      ++present;
      while (present.load(std::memory_order_relaxed) < threads) {
      }
    });
  }
}
BENCHMARK(hot_fork_join)->DenseRange(1, available_cores())->UseRealTime();

}  // namespace
}  // namespace halftone
