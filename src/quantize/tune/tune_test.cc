// SPDX-License-Identifier: Apache-2.0
// The oracle of what tuning reports: both models computed anew from what is stored, softmax and KL in double.
#include "quantize/tune/tune.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "formats/test_files.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/recipe.h"
#include "quantize/test_model.h"

namespace halftone {
namespace {

class Tune : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto recipe = parse_recipe("rules:\n  - {layout: int3_block32}\n", "r.yaml");
    auto assigned = assign_layouts(model_.file(), model_.graph(), *recipe);
    ASSERT_TRUE(assigned.ok()) << assigned.status().message();
    assignments_ = std::move(assigned).value();
  }

  // As the pipeline hands them over: matrices packed, vectors as f32.
  std::vector<TunedTensor> packed() const {
    std::vector<TunedTensor> tensors;
    for (const Assignment& one : assignments_) {
      if (one.layout != nullptr) {
        tensors.push_back({&one, nearest_panels(*one.source, *one.layout)});
        continue;
      }
      tensors.push_back({&one, AlignedBuffer<std::byte>(one.source->elements() * sizeof(float))});
      decode_row(one.source->view(), 0, reinterpret_cast<float*>(tensors.back().bytes.data()));
    }
    return tensors;
  }

  Result<TuneReport> run(std::vector<TunedTensor>& tensors, const TuneOptions& options, int threads = 2) const {
    ThreadPool pool(threads);
    return tune(model_.graph(), model_.file(), texts_, options, tensors, pool, no_progress());
  }

  std::vector<float> logits(const WeightTable& weights, const Sequences& texts) const {
    ThreadPool pool(2);
    auto evaluator = Evaluator::create(model_.graph(), weights, texts, pool);
    HALFTONE_CHECK(evaluator.ok() && (*evaluator)->run(0, model_.graph().nodes.size()).ok());
    const auto value = (*evaluator)->value(model_.graph().logits);
    return {value.begin(), value.end()};
  }

  // Mean KL of the float model to the stored numbers on every tenth text.
  double plain_kl(const std::vector<TunedTensor>& tensors) const {
    Sequences held_out;
    for (int64_t i = 9; i < texts_.count(); i += 10) {
      held_out.begins.push_back(held_out.size());
      held_out.tokens.insert(held_out.tokens.end(), texts_.tokens.begin() + texts_.begin(i),
                             texts_.tokens.begin() + texts_.end(i));
    }
    auto weights = WeightTable::create(model_.graph(), model_.file());
    const std::vector<float> reference = logits(*weights, held_out);
    for (size_t id = 0; id < model_.graph().weights.size(); ++id)
      for (const TunedTensor& tensor : tensors)
        if (tensor.assignment->source->name == model_.graph().weights[id].name)
          weights->replace(static_cast<WeightId>(id), values_of(tensor));
    const std::vector<float> candidate = logits(*weights, held_out);
    const size_t vocabulary = reference.size() / held_out.tokens.size();
    double sum = 0;
    for (size_t at = 0; at < reference.size(); at += vocabulary)
      sum += kl({reference.data() + at, vocabulary}, {candidate.data() + at, vocabulary});
    return sum / static_cast<double>(held_out.size());
  }

  static std::vector<float> values_of(const TunedTensor& tensor) {
    const StoredTensor& source = *tensor.assignment->source;
    std::vector<float> values(static_cast<size_t>(source.elements()));
    if (tensor.assignment->layout == nullptr) {
      std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
      return values;
    }
    const WeightView view{tensor.assignment->layout,
                          Order::panel16,
                          source.shape[0],
                          source.shape[1],
                          {tensor.bytes.data(), tensor.bytes.size()}};
    for (int64_t row = 0; row < view.rows; ++row) decode_row(view, row, values.data() + row * view.columns);
    return values;
  }

  static double kl(std::span<const float> reference, std::span<const float> candidate) {
    const auto log_sum = [](std::span<const float> logits) {
      double sum = 0;
      for (const float one : logits) sum += std::exp(static_cast<double>(one));
      return std::log(sum);
    };
    const double p_sum = log_sum(reference), q_sum = log_sum(candidate);
    double total = 0;
    for (size_t i = 0; i < reference.size(); ++i) {
      const double p = static_cast<double>(reference[i]) - p_sum, q = static_cast<double>(candidate[i]) - q_sum;
      total += std::exp(p) * (p - q);
    }
    return total;
  }

  static bool same(const std::vector<TunedTensor>& a, const std::vector<TunedTensor>& b) {
    for (size_t i = 0; i < a.size(); ++i)
      if (a[i].bytes.size() != b[i].bytes.size() ||
          std::memcmp(a[i].bytes.data(), b[i].bytes.data(), a[i].bytes.size()) != 0)
        return false;
    return a.size() == b.size();
  }

  TestModel model_{"tiny"};
  Sequences texts_ = random_texts(20, 16);
  std::vector<Assignment> assignments_;
};

TEST_F(Tune, FallsOnTextThatNoStepSaw) {
  std::vector<TunedTensor> tensors = packed();
  const double before = plain_kl(tensors);
  const auto report = run(tensors, {.steps = 12, .batch_tokens = 96});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_TRUE(report->kept);
  EXPECT_LT(report->kl_after, 0.98 * report->kl_before);
  EXPECT_NEAR(report->kl_before, before, 1e-3 * before);
  const double after = plain_kl(tensors);  // of what is stored now
  EXPECT_NEAR(report->kl_after, after, 1e-3 * after);
  EXPECT_EQ(report->steps, 12);
  EXPECT_EQ(report->tokens, 12 * 96);
  EXPECT_EQ(report->held_out_tokens, 2 * 16);
}

TEST_F(Tune, BytesDoNotDependOnThreads) {
  std::vector<TunedTensor> one = packed(), three = packed();
  const auto first = run(one, {.steps = 2, .batch_tokens = 64}, 1);
  const auto second = run(three, {.steps = 2, .batch_tokens = 64}, 3);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(first->kept);
  EXPECT_TRUE(same(one, three));
  EXPECT_FALSE(same(one, packed()));
  EXPECT_EQ(first->kl_after, second->kl_after);
}

TEST_F(Tune, WhatDoesNotHelpIsNotKept) {
  std::vector<TunedTensor> tensors = packed();
  const auto report = run(tensors, {.steps = 2, .batch_tokens = 64, .rate = 3});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_FALSE(report->kept);
  EXPECT_FALSE(report->kl_after < report->kl_before);
  EXPECT_TRUE(same(tensors, packed()));
}

TEST_F(Tune, WantsTextsToHoldOut) {
  texts_ = random_texts(9, 16);
  std::vector<TunedTensor> tensors = packed();
  const auto report = run(tensors, {.steps = 2});
  ASSERT_FALSE(report.ok());
  EXPECT_TRUE(contains(report.status().message(),
                       "expected at least 10 calibration sequences, since one in ten is held out, got 9"));
}

}  // namespace
}  // namespace halftone
