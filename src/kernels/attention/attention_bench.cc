// SPDX-License-Identifier: Apache-2.0
// Bytes per second are those of the keys and values that one token reads once for all heads of the group.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_problem.h"

namespace halftone {
namespace {

void attend(benchmark::State& state, const AttentionKernel& kernel) {
  const auto group = static_cast<int>(state.range(0)), head_dim = static_cast<int>(state.range(1));
  const int64_t keys = state.range(2);
  const RandomKv kv(head_dim, keys, 1);
  std::vector<float> out(static_cast<size_t>(group * head_dim));
  std::vector<float> scratch(static_cast<size_t>(attention_scratch_floats(group, head_dim)));
  AttentionArgs args = kv.args(group, 0, keys);
  args.out = out.data();
  args.out_stride = head_dim;
  args.scratch = scratch.data();
  for (auto _ : state) {
    kernel.run(args);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * keys * head_dim * 4);
}

// Every row of kernels.inc that this machine runs.
const int kRegistered = [] {
  int count = 0;
  const AttentionKernel* const* all = attention_kernels(&count);
  for (int i = 0; i < count; ++i) {
    for (const Isa isa : supported_isas()) {
      if (all[i]->isa != isa) continue;
      benchmark::RegisterBenchmark(all[i]->name, attend, *all[i])
          ->ArgNames({"group", "head_dim", "keys"})
          ->Args({1, 128, 512})
          ->Args({4, 64, 512})
          ->Args({4, 64, 16384})
          ->Args({4, 128, 4096})
          ->Args({8, 64, 4096});
    }
  }
  return count;
}();

}  // namespace
}  // namespace halftone
