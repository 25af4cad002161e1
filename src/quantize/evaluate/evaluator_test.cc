// SPDX-License-Identifier: Apache-2.0
#include "quantize/evaluate/evaluator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/rng.h"
#include "base/temp_folder.h"
#include "models/language_model.h"
#include "models/synth.h"
#include "models/test_families.h"
#include "runtime/session.h"

namespace halftone {
namespace {

// Sequences of these lengths, of random ids below 90.
Sequences random_sequences(std::initializer_list<int64_t> lengths, uint64_t seed = 7) {
  Rng rng(seed);
  Sequences sequences;
  for (const int64_t length : lengths) {
    sequences.begins.push_back(sequences.size());
    for (int64_t i = 0; i < length; ++i) sequences.tokens.push_back(static_cast<int32_t>(rng.below(90)));
  }
  return sequences;
}

class EvaluatorFamilies : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(synth(GetParam(), temp_ / "m", {.type = DType::f32}).ok());
    const auto loaded = load_language_model(temp_ / "m");
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    model_ = *loaded;
  }
  const Graph& graph() const { return model_->model->graph(); }
  std::vector<float> logits(const Sequences& sequences, int threads, const WeightTable* given = nullptr) {
    ThreadPool pool(threads);
    const auto weights = WeightTable::create(graph(), model_->file);
    EXPECT_TRUE(weights.ok()) << weights.status().message();
    auto evaluator = Evaluator::create(graph(), given != nullptr ? *given : *weights, sequences, pool);
    EXPECT_TRUE(evaluator.ok()) << evaluator.status().message();
    const Status status = (*evaluator)->run(0, graph().nodes.size());
    EXPECT_TRUE(status.ok()) << status.message();
    const auto value = (*evaluator)->value(graph().logits);
    return {value.begin(), value.end()};
  }
  // Of the runtime, sequence by sequence.
  std::vector<float> expected(const Sequences& sequences) {
    auto executor = Executor::create(model_->model, {.threads = 1, .activations = Activations::exact});
    EXPECT_TRUE(executor.ok());
    std::vector<float> all;
    for (int64_t i = 0; i < sequences.count(); ++i) {
      Sequence sequence = (*executor)->make_sequence();
      Sequence* const one = &sequence;
      std::vector<BatchToken> batch;
      for (int64_t t = sequences.begin(i); t < sequences.end(i); ++t)
        batch.push_back({sequences.tokens[static_cast<size_t>(t)], 0, true});
      const Status status = (*executor)->forward({&one, 1}, batch, [&](int64_t, std::span<const float> row) {
        all.insert(all.end(), row.begin(), row.end());
      });
      EXPECT_TRUE(status.ok());
    }
    return all;
  }

  TempFolder temp_;
  std::shared_ptr<const LanguageModel> model_;
};

double deviation(std::span<const float> values) {
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const auto n = static_cast<double>(values.size());
  return std::sqrt(squares / n - sum / n * sum / n);
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

// Above and below the windows and the switch of rope frequencies at 32 tokens; beyond one block of 128 queries.
TEST_P(EvaluatorFamilies, LogitsAreThoseOfTheRuntime) {
  const Sequences sequences = random_sequences({30, 48, 1, 150});
  const std::vector<float> got = logits(sequences, 2), want = expected(sequences);
  // The runtime keeps keys and values as f16; everything else is float32.
  EXPECT_LE(largest_difference(got, want), 1e-2 * deviation(want));
  EXPECT_GT(deviation(want), 0);
}

// More tokens than a stretch; every value that a Linear reads, visited before the Linear runs.
TEST_P(EvaluatorFamilies, DeferredValuesHaveTheSameBits) {
  const Sequences sequences = random_sequences({150, 250, 250, 250, 200});
  ASSERT_GT(sequences.size(), Evaluator::kStretch);
  ThreadPool pool(2);
  const auto weights = WeightTable::create(graph(), model_->file);
  ASSERT_TRUE(weights.ok());
  const auto plain = Evaluator::create(graph(), *weights, sequences, pool, {.keep_values = true});
  const auto deferred = Evaluator::create(graph(), *weights, sequences, pool, {.defer_wide = true});
  ASSERT_TRUE(plain.ok() && deferred.ok());
  ASSERT_TRUE((*plain)->run(0, graph().nodes.size()).ok());
  int64_t not_held = 0;
  for (size_t i = 0; i < graph().nodes.size(); ++i) {
    const Node& node = graph().nodes[i];
    if (std::holds_alternative<Linear>(node.op)) {
      const ValueId id = node.inputs[0];
      const float* const want = (*plain)->value(id).data();
      const int64_t width = (*plain)->width(id);
      int64_t seen = 0;
      const Status status = (*deferred)->visit(id, [&](int64_t first, int64_t tokens, const float* rows) {
        EXPECT_TRUE(std::equal(rows, rows + tokens * width, want + first * width)) << "node " << i;
        EXPECT_EQ(first, seen);
        seen += tokens;
      });
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(seen, sequences.size());
      not_held += !(*deferred)->has_value(id);
    }
    ASSERT_TRUE((*deferred)->run_node(i).ok());
  }
  const auto got = (*deferred)->value(graph().logits), want = (*plain)->value(graph().logits);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), want.begin(), want.end()));
  EXPECT_GT(not_held, 0);
}

// tests/golden/logits_*.json: what tests/tools/decoder_reference.py computed in float64, apart from this code.
TEST_P(EvaluatorFamilies, LogitsAreThoseOfTheReference) {
  const auto text = read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/logits_" + GetParam() + ".json");
  ASSERT_TRUE(text.ok()) << text.status().message();
  const auto golden = nlohmann::json::parse(*text);
  for (const auto& run : golden["runs"]) {
    Sequences sequences = {golden["tokens"].get<std::vector<int32_t>>(), {0}};
    sequences.tokens.resize(run["length"].get<size_t>());
    const std::vector<float> got = logits(sequences, 2);
    const auto want = run["logits"].get<std::vector<float>>();
    const std::span<const float> last = std::span(got).last(want.size());
    EXPECT_LE(largest_difference(last, want), 1e-5 * deviation(want)) << sequences.size() << " tokens";
  }
}

TEST_P(EvaluatorFamilies, BitsDependNeitherOnThreadsNorOnOtherSequences) {
  const Sequences both = random_sequences({40, 33});
  const std::vector<float> one_thread = logits(both, 1);
  EXPECT_EQ(one_thread, logits(both, 3));
  Sequences last = {{both.tokens.begin() + 40, both.tokens.end()}, {0}};
  const std::vector<float> alone = logits(last, 1);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), one_thread.end() - static_cast<std::ptrdiff_t>(alone.size())));
}

TEST_P(EvaluatorFamilies, TheTailComesInPieces) {
  const Sequences sequences = random_sequences({20, 13});
  const std::vector<float> whole = logits(sequences, 2);
  ThreadPool pool(2);
  const auto weights = WeightTable::create(graph(), model_->file);
  auto evaluator = Evaluator::create(graph(), *weights, sequences, pool);
  ASSERT_TRUE(evaluator.ok());
  ASSERT_TRUE((*evaluator)->run(0, (*evaluator)->tail_begin()).ok());
  const int64_t vocabulary = (*evaluator)->width(graph().logits);
  AlignedBuffer<float> piece;
  for (int64_t begin = 0; begin < 33; begin += 10) {
    const int64_t end = std::min<int64_t>(33, begin + 10);
    ASSERT_TRUE((*evaluator)->run_tail(begin, end, piece).ok());
    EXPECT_TRUE(std::equal(whole.begin() + begin * vocabulary, whole.begin() + end * vocabulary, piece.data()));
  }
  EXPECT_FALSE((*evaluator)->has_value(graph().logits));
}

INSTANTIATE_TEST_SUITE_P(All, EvaluatorFamilies, every_tiny_family(), shape_name);

class EvaluatorOne : public EvaluatorFamilies {};
INSTANTIATE_TEST_SUITE_P(Tiny, EvaluatorOne, testing::Values("tiny"));

TEST_P(EvaluatorOne, AChangedWeightIsSeenByWhatFollows) {
  const Sequences sequences = random_sequences({17});
  auto weights = WeightTable::create(graph(), model_->file);
  ASSERT_TRUE(weights.ok());
  const std::vector<float> before = logits(sequences, 1, &*weights);
  WeightId id = kNoWeight;
  for (const Node& node : graph().nodes) {
    if (const auto* linear = std::get_if<Linear>(&node.op); linear != nullptr && id == kNoWeight) id = linear->weight;
  }
  // The same numbers as a matrix of rows and as panels give the same bits.
  const std::vector<float> values = weights->values(id);
  const WeightRef& ref = weights->ref(id);
  weights->replace(id, values);
  EXPECT_EQ(logits(sequences, 1, &*weights), before);
  const Layout& layout = layout_of(LayoutId::f32);
  AlignedBuffer<std::byte> panels(static_cast<size_t>(layout.bytes(ref.rows, ref.columns, Order::panel16)));
  const int64_t panel_bytes = layout.panel_bytes(ref.columns);
  for (int64_t row = 0; row < ref.rows; row += kPanelRows) {
    std::vector<float> rows(static_cast<size_t>(kPanelRows * ref.columns));
    const int64_t count = std::min<int64_t>(kPanelRows, ref.rows - row);
    std::copy_n(values.data() + row * ref.columns, count * ref.columns, rows.data());
    layout.pack_panel({ref.columns, rows.data(), nullptr, nullptr},
                      {panels.data() + row / kPanelRows * panel_bytes, static_cast<size_t>(panel_bytes)});
  }
  weights->replace(id, layout, std::move(panels));
  EXPECT_EQ(logits(sequences, 1, &*weights), before);
  EXPECT_EQ(weights->values(id), values);
  weights->replace(id, std::vector<float>(values.size(), 0.25f));
  EXPECT_NE(logits(sequences, 1, &*weights), before);
  weights->restore(id);
  EXPECT_EQ(logits(sequences, 1, &*weights), before);
}

TEST_P(EvaluatorOne, OnlyWhatIsReadLaterStays) {
  const Sequences sequences = random_sequences({9});
  ThreadPool pool(1);
  const auto weights = WeightTable::create(graph(), model_->file);
  for (const bool keep : {false, true}) {
    auto evaluator = Evaluator::create(graph(), *weights, sequences, pool, {.keep_values = keep});
    ASSERT_TRUE(evaluator.ok());
    ASSERT_TRUE((*evaluator)->run(0, graph().nodes.size()).ok());
    size_t alive = 0;
    for (size_t id = 0; id < graph().values.size(); ++id) alive += (*evaluator)->has_value(static_cast<ValueId>(id));
    EXPECT_EQ(alive, keep ? graph().values.size() : 1u);
  }
}

TEST_P(EvaluatorOne, RefusesTokensThatTheModelDoesNotHave) {
  ThreadPool pool(1);
  const auto weights = WeightTable::create(graph(), model_->file);
  const auto message = [&](const Sequences& sequences) {
    const auto evaluator = Evaluator::create(graph(), *weights, sequences, pool);
    return evaluator.ok() ? "accepted" : std::string(evaluator.status().message());
  };
  EXPECT_NE(message({{1, 2, 1 << 20}, {0}}).find("got 1048576; the tokenizer does not fit the model"),
            std::string::npos);
  EXPECT_NE(message({{1, -2}, {0}}).find("got -2"), std::string::npos);
  EXPECT_NE(message({{}, {}}).find("expected tokens to compute with, got none"), std::string::npos);
  EXPECT_NE(message({{1, 2}, {0, 2}}).find("sequence 1: expected tokens, got 0"), std::string::npos);
}

TEST(WeightTable, NamesWhatTheFileLacks) {
  GraphBuilder builder;
  const ValueId x = builder.add("embed", Embedding{builder.weight("embed.weight", 8, 4)}, {});
  const auto graph = std::move(builder).finish(x);
  ASSERT_TRUE(graph.ok());
  ModelFile file;
  file.path = "m";
  const auto missing = WeightTable::create(*graph, file);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().message(), "[evaluate] m: expected a tensor embed.weight of 8 x 4, got none");
  const std::vector<float> values(12, 1.0f);
  file.tensors.push_back({"embed.weight",
                          {3, 4},
                          &layout_of(LayoutId::f32),
                          DType::f32,
                          Order::rows,
                          std::as_bytes(std::span(values)),
                          {}});
  const auto wrong = WeightTable::create(*graph, file);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.status().message(), "[evaluate] m: tensor embed.weight: expected 8 x 4, got 3 x 4");
}

}  // namespace
}  // namespace halftone
