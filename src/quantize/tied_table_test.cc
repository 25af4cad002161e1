// SPDX-License-Identifier: Apache-2.0
// The oracle: sums in double over central differences of the forward pass, for the same drawn tokens.
#include "quantize/tied_table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/test_model.h"

namespace halftone {
namespace {

class TiedTables : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto weights = WeightTable::create(graph(), model_.file());
    HALFTONE_CHECK(weights.ok());
    weights_.emplace(std::move(*weights));
    auto evaluator = Evaluator::create(graph(), *weights_, texts_, pool_, {.keep_values = true});
    HALFTONE_CHECK(evaluator.ok() && (*evaluator)->run(0, graph().nodes.size()).ok());
    evaluator_ = std::move(*evaluator);
    for (size_t node = 0; node < graph().nodes.size(); ++node)
      if (const auto* linear = std::get_if<Linear>(&graph().nodes[node].op))
        if (linear->weight == std::get<Embedding>(graph().nodes[0].op).table) table_.linear = node;
    HALFTONE_CHECK(table_.linear > 0);
    draw_tokens();
  }
  const Graph& graph() const { return model_.graph(); }
  size_t vocabulary() const { return static_cast<size_t>(evaluator_->width(graph().logits)); }

  // log of the sum of exp of the logits of token t.
  double log_sum(size_t t) const {
    const auto logits = evaluator_->value(graph().logits).subspan(t * vocabulary(), vocabulary());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    return std::log(sum);
  }
  double log_probability(size_t t, size_t token) const {
    return static_cast<double>(evaluator_->value(graph().logits)[t * vocabulary() + token]) - log_sum(t);
  }

  void draw_tokens() {
    Rng rng(1);
    said_.resize(vocabulary());
    for (size_t t = 0; t < static_cast<size_t>(texts_.size()); ++t) {
      double left = rng.uniform();
      size_t token = 0;
      for (size_t v = 0; v < vocabulary(); ++v) said_[v] += std::exp(log_probability(t, v));
      while (token + 1 < vocabulary() && left >= std::exp(log_probability(t, token)))
        left -= std::exp(log_probability(t, token++));
      drawn_.push_back(token);
    }
  }

  // Of the drawn tokens, when the number that was looked up for token t moves along `direction`.
  double slope(size_t t, const std::vector<float>& direction) {
    const ValueId id = graph().nodes[0].output;
    const std::vector<float> before(evaluator_->value(id).begin(), evaluator_->value(id).end());
    const auto loss = [&](float by) {
      std::vector<float> moved = before;
      for (size_t k = 0; k < direction.size(); ++k) moved[t * direction.size() + k] += by * direction[k];
      evaluator_->set_value(id, moved);
      HALFTONE_CHECK(evaluator_->run(1, graph().nodes.size()).ok());
      double sum = 0;
      for (size_t at = 0; at < drawn_.size(); ++at) sum += log_probability(at, drawn_[at]);
      return sum;
    };
    constexpr float kStep = 0.01f;  // of fourth order
    const double near = loss(kStep) - loss(-kStep), far = loss(2 * kStep) - loss(-2 * kStep);
    const double slope = (8 * near - far) / (12 * static_cast<double>(kStep));
    evaluator_->set_value(id, before);
    HALFTONE_CHECK(evaluator_->run(1, graph().nodes.size()).ok());
    return slope;
  }

  // e^T F e, the mean over both kinds of terms.
  double plain_form(const std::vector<float>& e) {
    double sum = 0;
    const auto x = evaluator_->value(graph().nodes[table_.linear].inputs[0]);
    const double scale = static_cast<double>(std::get<Embedding>(graph().nodes[0].op).scale);
    for (size_t t = 0; t < drawn_.size(); ++t) {
      double length = 0, product = 0;
      for (size_t v = 0; v < vocabulary(); ++v)
        length += std::pow(std::exp(log_probability(t, v)) - (v == drawn_[t] ? 1 : 0), 2);
      for (size_t k = 0; k < e.size(); ++k)
        product += static_cast<double>(x[t * e.size() + k]) * static_cast<double>(e[k]);
      sum += length * product * product + std::pow(scale * slope(t, e), 2);
    }
    return sum / (2 * static_cast<double>(drawn_.size()));
  }

  TestModel model_{GetParam()};
  Sequences texts_ = random_texts(3, 12);
  ThreadPool pool_{2};
  std::optional<WeightTable> weights_;
  std::unique_ptr<Evaluator> evaluator_;
  TiedTable table_ = {0, 0};
  std::vector<size_t> drawn_;
  std::vector<double> said_;
};

INSTANTIATE_TEST_SUITE_P(All, TiedTables, testing::Values("tiny", "tiny-gemma"));

TEST_P(TiedTables, FisherIsWhatDifferencesGive) {
  const auto fisher = fisher_of(table_, graph(), *weights_, texts_, pool_);
  ASSERT_TRUE(fisher.ok()) << fisher.status().message();
  Rng rng(4);
  const auto columns = static_cast<size_t>(weights_->ref(std::get<Embedding>(graph().nodes[0].op).table).columns);
  ASSERT_EQ(fisher->hessian.size(), columns * columns);
  for (int round = 0; round < 2; ++round) {
    std::vector<float> e;
    for (size_t k = 0; k < columns; ++k) e.push_back(static_cast<float>(0.1 * rng.normal()));
    double form = 0;
    for (size_t a = 0; a < columns; ++a)
      for (size_t b = 0; b < columns; ++b) form += static_cast<double>(e[a] * fisher->hessian[a * columns + b] * e[b]);
    const double expected = plain_form(e);
    EXPECT_NEAR(form / expected, 1, 0.01);
  }
  for (size_t v = 0; v < said_.size(); ++v) {
    const double mean = static_cast<double>(texts_.size()) / static_cast<double>(said_.size());
    EXPECT_NEAR(static_cast<double>(fisher->row_weights[v]), said_[v] + mean, 1e-4);
  }
}

TEST_P(TiedTables, ThreadsDoNotChangeTheBits) {
  ThreadPool one(1);
  const auto first = fisher_of(table_, graph(), *weights_, texts_, one);
  const auto second = fisher_of(table_, graph(), *weights_, texts_, pool_);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->hessian, second->hessian);
  EXPECT_EQ(first->row_weights, second->row_weights);
}

}  // namespace
}  // namespace halftone
