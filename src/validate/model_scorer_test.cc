// SPDX-License-Identifier: Apache-2.0
#include "validate/model_scorer.h"

#include <gtest/gtest.h>

#include "base/temp_folder.h"
#include "models/synth.h"
#include "validate/validate.h"

namespace halftone {
namespace {

// A real decoder with random weights, read from a folder like any other.
class ModelScorerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto report = synth("tiny", folder_ / "tiny", {});
    ASSERT_TRUE(report.ok()) << report.status().message();
  }

  std::unique_ptr<ModelScorer> scorer(Activations activations, int threads) {
    auto model = load_language_model(folder_ / "tiny");
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (!model.ok()) return nullptr;
    auto made = ModelScorer::create(*std::move(model), {threads, activations});
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.ok() ? *std::move(made) : nullptr;
  }

  static Suite questions() {
    Suite suite;
    suite.spec.name = "questions";
    suite.spec.file = "q.csv";
    suite.spec.prompt = "{question}\nAnswer:";
    for (int i = 0; i < 30; ++i) {
      const std::string number = std::to_string(i * 37);
      suite.choices.push_back({"q" + number,
                               "q" + number,
                               i + 2,
                               std::string(i % 5 * 20, 'x') + " what is " + number + "?",
                               {"one", "a longer answer", "three", "t"},
                               i % 4,
                               {}});
    }
    return suite;
  }

  TempFolder folder_;
};

TEST_F(ModelScorerTest, batching_changes_no_score) {
  const auto model = scorer(Activations::exact, 2);
  ASSERT_NE(model, nullptr);
  const auto prepared = prepare_suite(questions(), *model, Split::all);
  ASSERT_TRUE(prepared.ok()) << prepared.status().message();
  const auto batched = model->score_choices(prepared->items);
  const auto alone = model->Scorer::score_choices(prepared->items);  // one question, one answer at a time
  ASSERT_TRUE(batched.ok() && alone.ok());
  for (size_t i = 0; i < batched->size(); ++i)
    for (size_t c = 0; c < 4; ++c) EXPECT_NEAR((*batched)[i][c], (*alone)[i][c], 1e-4) << i << " " << c;
}

TEST_F(ModelScorerTest, rows_do_not_depend_on_how_a_text_is_cut) {
  const auto model = scorer(Activations::exact, 2);
  ASSERT_NE(model, nullptr);
  const auto tokens = model->tokenize("Once upon a time there was a number, 12345, and it was cut in pieces.", true);
  ASSERT_TRUE(tokens.ok());
  const auto rows_of = [&](size_t piece) {
    std::vector<float> rows;
    EXPECT_TRUE(model->truncate(0).ok());
    for (size_t begin = 0; begin < tokens->size(); begin += piece) {
      const auto part = std::span(*tokens).subspan(begin, std::min(piece, tokens->size() - begin));
      EXPECT_TRUE(model
                      ->extend(part, 0,
                               [&](int64_t, std::span<const float> row) {
                                 rows.insert(rows.end(), row.begin(), row.end());
                                 return Status();
                               })
                      .ok());
    }
    return rows;
  };
  const std::vector<float> whole = rows_of(1000);
  EXPECT_EQ(whole.size(), tokens->size() * static_cast<size_t>(model->vocabulary()));
  for (const size_t piece : {1, 5, 16}) EXPECT_EQ(rows_of(piece), whole) << piece;
}

TEST_F(ModelScorerTest, a_consumer_that_refuses_stops_with_its_reason) {
  const auto model = scorer(Activations::exact, 1);
  ASSERT_NE(model, nullptr);
  const std::vector<int> tokens = {1, 2, 3};
  const Status status =
      model->extend(tokens, 0, [](int64_t, std::span<const float>) { return Status(StatusCode::cancelled, "enough"); });
  EXPECT_EQ(status.message(), "enough");
}

TEST_F(ModelScorerTest, a_model_agrees_with_itself_whatever_the_threads) {
  const auto reference = scorer(Activations::exact, 1), same = scorer(Activations::exact, 2);
  ASSERT_TRUE(reference != nullptr && same != nullptr);
  Suite text = questions();
  text.spec.name = "text";
  text.spec.task = Task::divergence;
  text.spec.window = 24;
  std::string words;
  for (int i = 0; i < 80; ++i) words += "word " + std::to_string(i) + ", ";
  text.documents = {{1, words}};
  const std::vector<Suite> suites = {questions(), text};
  const auto result = validate_pair(*reference, *same, suites, {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  for (const MetricRow& row : result->comparison.metrics) {
    if (row.name == "top_token_agreement")
      EXPECT_EQ(row.delta, 1);
    else
      EXPECT_EQ(row.delta, 0) << row.name;
  }
}

}  // namespace
}  // namespace halftone
