// SPDX-License-Identifier: Apache-2.0
// A model of 6 million parameters over 2048 tokens in texts of 256: forward, and backward from every logit. flops
// counts two operations per weight and token (forward) and four (backward), attention not counted.
#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/rng.h"
#include "base/temp_folder.h"
#include "models/language_model.h"
#include "models/synth.h"
#include "quantize/evaluate/gradients.h"

namespace halftone {
namespace {

constexpr int64_t kTokens = 2048, kLength = 256;

struct BenchModel {
  TempFolder folder;
  std::shared_ptr<const LanguageModel> model;
  std::optional<WeightTable> weights;
  Sequences sequences;
  double weights_read = 0;

  BenchModel() {
    const nlohmann::json config = {
        {"model_type", "llama"},  {"hidden_size", 256},       {"intermediate_size", 768},
        {"num_hidden_layers", 6}, {"num_attention_heads", 4}, {"num_key_value_heads", 2},
        {"head_dim", 64},         {"vocab_size", 4096},       {"max_position_embeddings", 256},
        {"rms_norm_eps", 1e-5},   {"rope_theta", 10000.0},    {"tie_word_embeddings", true}};
    HALFTONE_CHECK(synth_from_config(config, folder / "m", {.type = DType::f32}).ok());
    model = load_language_model(folder / "m").value();
    weights.emplace(WeightTable::create(graph(), model->file).value());
    Rng rng(1);
    for (int64_t i = 0; i < kTokens; ++i) {
      if (i % kLength == 0) sequences.begins.push_back(i);
      sequences.tokens.push_back(static_cast<int32_t>(rng.below(4096)));
    }
    for (const Node& node : graph().nodes) {
      const auto* linear = std::get_if<Linear>(&node.op);
      if (linear == nullptr) continue;
      const WeightRef& ref = graph().weight(linear->weight);
      weights_read += static_cast<double>(ref.rows * ref.columns);
    }
  }
  const Graph& graph() const { return model->model->graph(); }
};

BenchModel& bench_model() {
  static BenchModel model;
  return model;
}

void report(benchmark::State& state, double operations) {
  const double passes = static_cast<double>(state.iterations()) * kTokens;
  state.counters["flops"] =
      benchmark::Counter(passes * operations * bench_model().weights_read, benchmark::Counter::kIsRate);
  state.SetItemsProcessed(state.iterations() * kTokens);
}

void forward(benchmark::State& state) {
  BenchModel& bench = bench_model();
  ThreadPool pool(static_cast<int>(state.range(0)));
  const auto evaluator =
      Evaluator::create(bench.graph(), *bench.weights, bench.sequences, pool, {.keep_values = true}).value();
  for (auto _ : state) {
    HALFTONE_CHECK(evaluator->reset(bench.sequences).ok());
    HALFTONE_CHECK(evaluator->run(0, bench.graph().nodes.size()).ok());
  }
  report(state, 2);
}

void backward(benchmark::State& state) {
  BenchModel& bench = bench_model();
  ThreadPool pool(static_cast<int>(state.range(0)));
  const auto evaluator =
      Evaluator::create(bench.graph(), *bench.weights, bench.sequences, pool, {.keep_values = true}).value();
  HALFTONE_CHECK(evaluator->run(0, bench.graph().nodes.size()).ok());
  Gradients gradients(bench.graph());
  const std::span<const float> logits = evaluator->value(bench.graph().logits);
  const std::vector<float> slopes(logits.begin(), logits.end());
  for (auto _ : state) {
    gradients.clear();
    HALFTONE_CHECK(gradients.add(*evaluator, bench.graph().logits, slopes).ok());
  }
  report(state, 4);
}

BENCHMARK(forward)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(backward)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace halftone
