// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include "base/rng.h"
#include "metrics/bootstrap.h"
#include "metrics/logits.h"
#include "metrics/paired.h"

namespace halftone {
namespace {

std::vector<float> random_row(int64_t size, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> row(size);
  for (float& logit : row) logit = static_cast<float>(3 * rng.normal());
  return row;
}

// One position of a divergence run: vocabularies of a small, a Llama 2 and a Llama 3 model.
void compare_rows_of(benchmark::State& state) {
  const std::vector<float> reference = random_row(state.range(0), 1), candidate = random_row(state.range(0), 2);
  if (compare_rows(reference, reference, 0).kl != 0) state.SkipWithError("a row differs from itself");
  for (auto _ : state) benchmark::DoNotOptimize(compare_rows(reference, candidate, 0).kl);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(compare_rows_of)->Arg(4096)->Arg(32000)->Arg(128256);

// groups x 10,000 replicates of three quantities, as a comparison of a text suite draws them.
void bootstrap_of(benchmark::State& state) {
  Rng rng(1);
  GroupTable table{3, std::vector<double>(state.range(0), 1.0), {}};
  for (int64_t i = 0; i < 3 * state.range(0); ++i) table.sums.push_back(rng.normal());
  for (auto _ : state) benchmark::DoNotOptimize(bootstrap_means(table, 10000, 7)[0].mean);
  state.SetItemsProcessed(state.iterations() * state.range(0) * 10000);
}
BENCHMARK(bootstrap_of)->Arg(200)->Arg(2000)->Arg(6000)->Unit(benchmark::kMillisecond);

void loss_interval_of(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(loss_interval({4000, 31, 12}, 0.95).high);
}
BENCHMARK(loss_interval_of);

}  // namespace
}  // namespace halftone
