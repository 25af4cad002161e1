// SPDX-License-Identifier: Apache-2.0
// The oracle: the whole graph computed anew with the weights that are settled so far as plain floats, and sums in
// double over what enters the matrix.
#include "quantize/observer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "quantize/evaluate/evaluator.h"
#include "quantize/test_model.h"
#include "quantize/tied_table.h"

namespace halftone {
namespace {

struct PlainMoments {
  std::vector<double> second, hessian;
};

class ObserverOf : public testing::TestWithParam<std::string> {
 protected:
  const Graph& graph() const { return model_.graph(); }

  // The names of matrices that are multiplied with, in the order of the graph, each with its first reader.
  std::vector<std::pair<std::string, size_t>> matrices() const {
    std::vector<std::pair<std::string, size_t>> found;
    for (size_t node = 0; node < graph().nodes.size(); ++node)
      if (const auto* linear = std::get_if<Linear>(&graph().nodes[node].op))
        found.emplace_back(graph().weight(linear->weight).name, node);
    return found;
  }

  PlainMoments plain(size_t node, const WeightTable& weights) {
    auto evaluator = Evaluator::create(graph(), weights, texts_, pool_);
    HALFTONE_CHECK(evaluator.ok() && (*evaluator)->run(0, node).ok());
    const ValueId id = graph().nodes[node].inputs[0];
    const std::span<const float> x = (*evaluator)->value(id);
    const auto columns = static_cast<size_t>((*evaluator)->width(id));
    const auto tokens = static_cast<double>(texts_.size());
    PlainMoments moments{{}, std::vector<double>(columns * columns)};
    for (size_t row = 0; row < x.size(); row += columns)
      for (size_t a = 0; a < columns; ++a)
        for (size_t b = 0; b < columns; ++b)
          moments.hessian[a * columns + b] +=
              static_cast<double>(x[row + a]) * static_cast<double>(x[row + b]) / tokens;
    for (size_t a = 0; a < columns; ++a) moments.second.push_back(moments.hessian[a * columns + a]);
    return moments;
  }

  // The largest difference, an element (a, b) being as large as the root of (a, a) * (b, b).
  double difference(const InputStatistics& got, const PlainMoments& want) const {
    const size_t columns = want.second.size();
    if (got.second_moment.size() != columns || got.hessian.size() != columns * columns) return INFINITY;
    double largest = 0;
    for (size_t a = 0; a < columns; ++a) {
      largest = std::max(largest, std::abs(static_cast<double>(got.second_moment[a]) / want.second[a] - 1));
      for (size_t b = 0; b < columns; ++b)
        largest = std::max(largest,
                           std::abs(static_cast<double>(got.hessian[a * columns + b]) - want.hessian[a * columns + b]) /
                               std::sqrt(want.second[a] * want.second[b]));
    }
    return largest;
  }

  WeightTable float_weights() const {
    auto weights = WeightTable::create(graph(), model_.file());
    HALFTONE_CHECK(weights.ok());
    return std::move(weights).value();
  }
  std::unique_ptr<GraphObserver> observer() {
    auto created = GraphObserver::create(graph(), model_.file(), texts_, pool_);
    HALFTONE_CHECK(created.ok());
    return std::move(created).value();
  }

  // Both get int4 of the tensor: the observer as panels, the plain weights as the floats that these decode to.
  void settle(Observer& observer, WeightTable& weights, const std::string& name) {
    const StoredTensor& source = *model_.file().find(name);
    const Layout& layout = layout_of(LayoutId::int4_block32);
    AlignedBuffer<std::byte> panels = nearest_panels(source, layout);
    WeightView view = source.view();
    view.layout = &layout;
    view.order = Order::panel16;
    view.data = {panels.data(), panels.size()};
    std::vector<float> values(static_cast<size_t>(view.rows * view.columns));
    for (int64_t row = 0; row < view.rows; ++row) decode_row(view, row, values.data() + row * view.columns);
    for (size_t id = 0; id < graph().weights.size(); ++id)
      if (graph().weights[id].name == name) weights.replace(static_cast<WeightId>(id), values);
    observer.settle(name, layout, std::move(panels));
  }

  TestModel model_{GetParam()};
  Sequences texts_ = random_texts(3, 20);
  ThreadPool pool_{2};
};

INSTANTIATE_TEST_SUITE_P(Tied, ObserverOf, testing::Values("tiny"));
INSTANTIATE_TEST_SUITE_P(Untied, ObserverOf, testing::Values("tiny-mistral"));

TEST_P(ObserverOf, StatisticsArePlainSums) {
  const auto observer = this->observer();
  const WeightTable weights = float_weights();
  for (const auto& [name, node] : matrices()) {
    if (graph().nodes[node].output == graph().logits && GetParam() == "tiny") continue;  // tied: asked for first
    const auto got = observer->observe(name, Data::hessian);
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_EQ(got->tokens, texts_.size());
    EXPECT_LE(difference(*got, plain(node, weights)), 1e-5) << name;
  }
}

TEST_P(ObserverOf, WhatIsSettledIsSeenByWhatFollows) {
  const auto observer = this->observer();
  const WeightTable floats = float_weights();
  WeightTable settled = float_weights();
  const std::string table = "model.embed_tokens.weight";
  if (observer->has_inputs(table)) {
    ASSERT_TRUE(observer->observe(table, Data::hessian).ok());
  }
  settle(*observer, settled, table);
  for (const auto& [name, node] : matrices()) {
    if (name == table) continue;
    const auto got = observer->observe(name, Data::hessian);
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_LE(difference(*got, plain(node, settled)), 1e-4) << name;
    EXPECT_GE(difference(*got, plain(node, floats)), 1e-2) << name;
    settle(*observer, settled, name);
  }
}

TEST_P(ObserverOf, OnlyTheMomentsThatAreWanted) {
  const auto observer = this->observer();
  const auto [name, node] = matrices()[0];
  const auto moments = observer->observe(name, Data::second_moments);
  ASSERT_TRUE(moments.ok());
  EXPECT_FALSE(moments->second_moment.empty());
  EXPECT_TRUE(moments->hessian.empty());
  const auto both = observer->observe(name, Data::hessian);  // of the same value, now with more
  ASSERT_TRUE(both.ok());
  EXPECT_LE(difference(*both, plain(node, float_weights())), 1e-5);
}

TEST_P(ObserverOf, KnowsWhatIsMultipliedWith) {
  const auto observer = this->observer();
  EXPECT_EQ(observer->has_inputs("model.embed_tokens.weight"), GetParam() == "tiny");
  EXPECT_EQ(observer->has_inputs("lm_head.weight"), GetParam() != "tiny");
  EXPECT_TRUE(observer->has_inputs("model.layers.1.mlp.down_proj.weight"));
  EXPECT_FALSE(observer->has_inputs("model.norm.weight"));
  EXPECT_FALSE(observer->has_inputs("nothing"));
}

class ObserverTied : public ObserverOf {};
INSTANTIATE_TEST_SUITE_P(Tied, ObserverTied, testing::Values("tiny"));

// The embedding must be stored before anything is computed, yet what its errors cost depends on the whole model.
TEST_P(ObserverTied, TheTableTakesStatisticsOfTheFloatModel) {
  const auto observer = this->observer();
  const auto [name, node] = matrices().back();
  ASSERT_EQ(name, "model.embed_tokens.weight");
  const auto got = observer->observe(name, Data::hessian);
  ASSERT_TRUE(got.ok()) << got.status().message();
  const WeightTable weights = float_weights();
  const auto expected = fisher_of({0, node}, graph(), weights, texts_, pool_);
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  EXPECT_TRUE(std::equal(got->hessian.begin(), got->hessian.end(), expected->hessian.begin()));
  EXPECT_TRUE(std::equal(got->row_weights.begin(), got->row_weights.end(), expected->row_weights.begin()));
  const size_t columns = got->second_moment.size();
  for (size_t k = 0; k < columns; ++k) EXPECT_EQ(got->second_moment[k], got->hessian[k * columns + k]);
  const auto other = observer->observe(matrices()[0].first, Data::hessian);  // the next matrix has its own
  ASSERT_TRUE(other.ok());
  EXPECT_TRUE(other->row_weights.empty());
  EXPECT_LE(difference(*other, plain(matrices()[0].second, weights)), 1e-5);
}

}  // namespace
}  // namespace halftone
