// SPDX-License-Identifier: Apache-2.0
// tokens = 1: decoding; bytes per second are those of the keys and values, read once for all heads of the group from
// blocks that lie as far apart as in a real cache. tokens > 1: prefill, the last tokens of the context; operations per
// second (a multiply-add is two).
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_problem.h"

namespace halftone {
namespace {

void attend(benchmark::State& state, const AttentionKernel& kernel) {
  const auto group = static_cast<int>(state.range(0)), head_dim = static_cast<int>(state.range(1));
  const int64_t keys = state.range(2);
  const auto tokens = static_cast<int>(state.range(3));
  const RandomKv kv(kernel.kv, head_dim, keys, 1, 1, tokens);
  std::vector<float> out(static_cast<size_t>(tokens * group * head_dim));
  AlignedBuffer<float> scratch(static_cast<size_t>(attention_scratch_floats(tokens * group, head_dim)));
  AttentionArgs args = kv.args(group, tokens, keys - tokens, 0);
  args.out = out.data();
  args.out_stride = group * head_dim;
  args.scratch = scratch.data();
  for (auto _ : state) {
    kernel.run->attend(args);
    benchmark::ClobberMemory();
  }
  const auto products = static_cast<double>(state.iterations() * group * tokens * (2 * keys - tokens + 1) / 2);
  state.counters["ops"] = benchmark::Counter(4.0 * head_dim * products, benchmark::Counter::kIsRate);
  state.SetBytesProcessed(state.iterations() * keys * kv_token_bytes(kernel.kv, head_dim));
}

// Every row of kernels.inc that this machine runs.
const int kRegistered = [] {
  int count = 0;
  const AttentionKernel* const* all = attention_kernels(&count);
  for (int i = 0; i < count; ++i) {
    for (const Isa isa : supported_isas()) {
      if (all[i]->isa != isa) continue;
      benchmark::RegisterBenchmark(all[i]->name, attend, *all[i])
          ->ArgNames({"group", "head_dim", "keys", "tokens"})
          ->Args({1, 128, 512, 1})
          ->Args({4, 64, 512, 1})
          ->Args({4, 64, 16384, 1})
          ->Args({4, 128, 4096, 1})
          ->Args({8, 64, 4096, 1})
          ->Args({4, 64, 512, 24})
          ->Args({4, 64, 4096, 24})
          ->Args({4, 128, 4096, 24})
          ->Args({1, 128, 4096, 96});
    }
  }
  return count;
}();

}  // namespace
}  // namespace halftone
