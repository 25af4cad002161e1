// SPDX-License-Identifier: Apache-2.0
// The oracle: every selection of a model small enough, each really measured.
#include "quantize/mixed/refine.h"

#include <gtest/gtest.h>

#include <limits>

#include "quantize/mixed/plain_kl.h"
#include "quantize/mixed/sensitivity.h"

namespace halftone {
namespace {

const std::vector<const Layout*> kThreeLayouts = {
    &layout_of(LayoutId::uint2_affine64), &layout_of(LayoutId::int3_block32), &layout_of(LayoutId::int6_block32)};

// One layer: fused matrices (table, qkv, o, gate and up, down), or a plain one in which a rule takes two of eight.
class Refine : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    SynthOptions options{.type = DType::f32};
    options.layers = 1;
    HALFTONE_CHECK(synth(GetParam(), folder_ / "m", options).ok());
    model_ = *load_language_model(folder_ / "m");
    const Recipe rules = *parse_recipe(
        "rules:\n  - {match: \"*.k_proj.weight\", layout: int8_channel}\n"
        "  - {match: \"*.v_proj.weight\", layout: int8_channel}\n",
        "r.yaml");
    const auto texts = split_texts(random_texts(8, 16), 64);
    const bool fused = std::string(GetParam()) == "tiny-phi3";
    auto tensors = list_candidates(graph(), model_->file, fused ? Recipe() : rules, kThreeLayouts, "nearest");
    HALFTONE_CHECK(texts.ok() && tensors.ok());
    tensors_ = std::move(*tensors);
    trial_ = *TrialModel::create(graph(), model_->file, texts->judge, pool_);
    CandidatePacker packer(graph(), model_->file, texts->learn, pool_);
    HALFTONE_CHECK(measure_candidates(tensors_, packer, *trial_, true, no_progress()).ok());
    for (const CandidateTensor& tensor : tensors_) {
      alone_.emplace_back();
      for (const Candidate& one : tensor.candidates) alone_.back().push_back({one.bytes(), one.kl});
      extra_.emplace_back(tensor.candidates.size(), 0.0);
      elements_ += tensor.candidates[0].assignment.source->elements();
    }
  }
  const Graph& graph() const { return model_->model->graph(); }

  int64_t bytes_of(const Selection& selection) const {
    int64_t bytes = 0;
    for (size_t i = 0; i < selection.size(); ++i) bytes += alone_[i][selection[i]].bytes;
    return bytes;
  }

  // Every selection with its cost: KL, and what else it costs.
  std::vector<std::pair<int64_t, double>> measure_all() {
    std::vector<std::pair<int64_t, double>> all;
    Selection at(tensors_.size());
    while (true) {
      std::vector<Trial> changes;
      for (size_t i = 0; i < at.size(); ++i) changes.push_back(tensors_[i].trial(at[i]));
      double cost = *trial_->kl(changes);
      for (size_t i = 0; i < at.size(); ++i) cost += extra_[i][at[i]];
      all.emplace_back(bytes_of(at), cost);
      size_t i = 0;
      while (i < at.size() && ++at[i] == tensors_[i].candidates.size()) at[i++] = 0;
      if (i == at.size()) return all;
    }
  }

  TempFolder folder_;
  std::shared_ptr<const LanguageModel> model_;
  ThreadPool pool_{2};
  std::vector<CandidateTensor> tensors_;
  std::unique_ptr<TrialModel> trial_;
  BudgetItems alone_;
  std::vector<std::vector<double>> extra_;
  int64_t elements_ = 0;
};

TEST_P(Refine, ComesWithinAHundredthOfEverySelection) {
  const auto all = measure_all();
  ASSERT_EQ(all.size(), std::string(GetParam()) == "tiny" ? 729u : 243u);
  for (const double bits : {3.3, 3.6, 4.0, 4.4, 4.8, 5.5}) {
    const auto budget = static_cast<int64_t>(bits * static_cast<double>(elements_) / 8);
    double best = std::numeric_limits<double>::infinity();
    for (const auto& [bytes, cost] : all)
      if (bytes <= budget) best = std::min(best, cost);
    SelectionKl kl(tensors_, *trial_);  // that knows nothing yet
    const auto refined = refine(alone_, extra_, kl, {budget, 100}, no_progress());
    ASSERT_TRUE(refined.ok()) << refined.status().message();
    ASSERT_EQ(refined->selection.size(), tensors_.size()) << bits;
    EXPECT_LE(bytes_of(refined->selection), budget);
    EXPECT_LE(refined->kl, 1.01 * best) << bits << " bits, the best sum " << refined->first_kl;
    EXPECT_LE(refined->kl, refined->first_kl);
    EXPECT_LE(refined->trials, 100);
  }
}

TEST_P(Refine, MeasuresWhatTheWholeModelGives) {
  SelectionKl kl(tensors_, *trial_);
  const auto refined = refine(alone_, extra_, kl, {elements_ / 2, 30}, no_progress());
  ASSERT_TRUE(refined.ok());
  std::vector<Trial> changes;
  for (size_t i = 0; i < tensors_.size(); ++i) changes.push_back(tensors_[i].trial(refined->selection[i]));
  const auto fresh = TrialModel::create(graph(), model_->file, split_texts(random_texts(8, 16), 64)->judge, pool_);
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(*(*fresh)->kl(changes), refined->kl);  // to the bit, wherever it was begun
  double sum = 0;
  for (size_t i = 0; i < tensors_.size(); ++i) sum += tensors_[i].candidates[refined->selection[i]].kl;
  EXPECT_DOUBLE_EQ(refined->predicted_kl, sum);
}

// Time that counts: what is slow must be worth it.
TEST_P(Refine, WeighsWhatElseACandidateCosts) {
  for (size_t i = 0; i < alone_.size(); ++i) {
    extra_[i].back() = 1;  // of the layout with most bits
    alone_[i].back().cost += 1;
  }
  SelectionKl kl(tensors_, *trial_);
  const auto refined = refine(alone_, extra_, kl, {elements_, 100}, no_progress());
  ASSERT_TRUE(refined.ok());
  for (size_t i = 0; i < alone_.size(); ++i) EXPECT_TRUE(alone_[i].size() == 1 || refined->selection[i] < 2);
}

TEST_P(Refine, StopsWhenTrialsAreSpentOrNothingFits) {
  SelectionKl kl(tensors_, *trial_);
  const auto few = refine(alone_, extra_, kl, {elements_ / 2, 3}, no_progress());
  ASSERT_TRUE(few.ok());
  EXPECT_EQ(few->selection.size(), tensors_.size());
  EXPECT_LE(few->trials, 4);
  const auto none = refine(alone_, extra_, kl, {elements_ / 8, 100}, no_progress());
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->selection.empty());
}

INSTANTIATE_TEST_SUITE_P(Shapes, Refine, ::testing::Values("tiny", "tiny-phi3"));

TEST(RefineSteps, PassOverWhatIsBeaten) {
  const std::vector<BudgetOption> options = {{10, 4.0}, {20, 5.0}, {30, 2.0}, {40, 1.0}, {30, 2.0}};
  EXPECT_EQ(step_up(options, 0), 2u);
  EXPECT_EQ(step_down(options, 2), 0u);
  EXPECT_EQ(step_down(options, 1), 0u);  // of one that is beaten itself
  EXPECT_EQ(step_up(options, 3), 3u);
  EXPECT_EQ(step_down(options, 0), 0u);
}

}  // namespace
}  // namespace halftone
