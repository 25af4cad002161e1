// SPDX-License-Identifier: Apache-2.0
// The embedded model against models/tinyworld/golden.json, which a plain numpy implementation wrote (evaluate.py
// --golden).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/isa.h"
#include "models/language_model.h"
#include "validate/model_scorer.h"

namespace halftone {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(HALFTONE_SOURCE_DIR) / "models/tinyworld";

// Golden arithmetic is float32; ours keeps keys and values in f16.
constexpr double kLogitTolerance = 0.02;

class Tinyworld : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream(kFolder / "golden.json") >> golden_;
    auto model = load_language_model(kFolder);
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_ = *std::move(model);
  }
  std::unique_ptr<ModelScorer> scorer() {
    auto scorer = ModelScorer::create(model_, {2, Activations::exact});
    EXPECT_TRUE(scorer.ok()) << scorer.status().message();
    return *std::move(scorer);
  }
  nlohmann::json golden_;
  std::shared_ptr<const LanguageModel> model_;
};

TEST_F(Tinyworld, TokensAndLogitsAgreeWithNumpy) {
  const auto scorer = this->scorer();
  ASSERT_FALSE(golden_["prompts"].empty());
  for (const auto& prompt : golden_["prompts"]) {
    const auto ids = scorer->tokenize(prompt["text"].get<std::string>(), true);
    ASSERT_TRUE(ids.ok()) << ids.status().message();
    EXPECT_EQ(*ids, prompt["ids"].get<std::vector<int>>()) << prompt["text"];
    ASSERT_TRUE(scorer->truncate(0).ok());
    const auto last = static_cast<int64_t>(ids->size()) - 1;
    std::vector<float> logits;
    ASSERT_TRUE(scorer
                    ->extend(*ids, last,
                             [&](int64_t, std::span<const float> row) {
                               logits.assign(row.begin(), row.end());
                               return Status();
                             })
                    .ok());
    for (size_t i = 0; i < prompt["top_ids"].size(); ++i) {
      const auto id = prompt["top_ids"][i].get<size_t>();
      EXPECT_NEAR(logits.at(id), prompt["top_logits"][i].get<double>(), kLogitTolerance)
          << prompt["text"] << " id " << id;
    }
  }
}

TEST_F(Tinyworld, ChoiceScoresAgreeWithNumpyAndDoNotDependOnTheBatch) {
  const auto scorer = this->scorer();
  std::vector<ChoiceItem> items;
  for (const auto& question : golden_["questions"]) {
    ChoiceItem item;
    const std::string prompt = "Question: " + question["question"].get<std::string>() + "\nAnswer:";
    item.prefix = scorer->tokenize(prompt, true).value();
    for (const auto& choice : question["choices"]) {
      item.continuations.push_back(scorer->tokenize(" " + choice.get<std::string>(), false).value());
    }
    items.push_back(std::move(item));
  }
  ASSERT_GE(items.size(), 40u);
  const auto scores = scorer->score_choices(items);
  ASSERT_TRUE(scores.ok()) << scores.status().message();
  for (size_t i = 0; i < items.size(); ++i) {
    const auto alone = scorer->score_choices(std::span(items).subspan(i, 1));
    ASSERT_TRUE(alone.ok());
    EXPECT_EQ(alone->front(), (*scores)[i]) << "question " << i;
    for (size_t c = 0; c < items[i].continuations.size(); ++c) {
      EXPECT_NEAR((*scores)[i][c], golden_["questions"][i]["scores"][c].get<double>(), kLogitTolerance)
          << "question " << i << " choice " << c;
    }
  }
}

TEST_F(Tinyworld, SameBitsOnEveryIsa) {
  std::vector<float> expected;
  for (const Isa isa : supported_isas()) {
    ASSERT_TRUE(force_isa(isa).ok());
    const auto scorer = this->scorer();
    const auto ids = scorer->tokenize("Question: What is 17 plus 25?\nAnswer:", true).value();
    std::vector<float> logits;
    ASSERT_TRUE(scorer
                    ->extend(ids, 0,
                             [&](int64_t, std::span<const float> row) {
                               logits.insert(logits.end(), row.begin(), row.end());
                               return Status();
                             })
                    .ok());
    if (expected.empty()) expected = logits;
    EXPECT_EQ(logits, expected) << name_of(isa);
  }
  ASSERT_TRUE(force_isa(supported_isas().back()).ok());
}

}  // namespace
}  // namespace halftone
