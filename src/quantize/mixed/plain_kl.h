// SPDX-License-Identifier: Apache-2.0
// For tests only: the oracle of every measured KL. Both models computed anew and whole, softmax and KL in double.
#pragma once

#include <cmath>
#include <map>
#include <string>

#include "quantize/evaluate/evaluator.h"
#include "quantize/test_model.h"

namespace halftone {

// Matrices by name in the layouts given, by method nearest; everything else float.
inline WeightTable plain_weights(const TestModel& model, const std::map<std::string, const Layout*>& layouts) {
  auto weights = WeightTable::create(model.graph(), model.file());
  HALFTONE_CHECK(weights.ok());
  for (size_t id = 0; id < model.graph().weights.size(); ++id) {
    const WeightRef& ref = model.graph().weights[id];
    const auto found = layouts.find(ref.name);
    if (found == layouts.end()) continue;
    const AlignedBuffer<std::byte> panels = nearest_panels(*model.file().find(ref.name), *found->second);
    const WeightView view{found->second, Order::panel16, ref.rows, ref.columns, {panels.data(), panels.size()}};
    std::vector<float> values(static_cast<size_t>(ref.rows * ref.columns));
    for (int64_t row = 0; row < ref.rows; ++row) decode_row(view, row, values.data() + row * ref.columns);
    weights->replace(static_cast<WeightId>(id), std::move(values));
  }
  return std::move(*weights);
}

inline std::vector<float> plain_logits(const TestModel& model, const WeightTable& weights, const Sequences& texts) {
  ThreadPool pool(1);
  auto evaluator = Evaluator::create(model.graph(), weights, texts, pool);
  HALFTONE_CHECK(evaluator.ok() && (*evaluator)->run(0, model.graph().nodes.size()).ok());
  const auto value = (*evaluator)->value(model.graph().logits);
  return {value.begin(), value.end()};
}

// Mean over the tokens of texts.
inline double plain_kl(const TestModel& model, const Sequences& texts,
                       const std::map<std::string, const Layout*>& layouts) {
  const std::vector<float> reference = plain_logits(model, plain_weights(model, {}), texts);
  const std::vector<float> candidate = plain_logits(model, plain_weights(model, layouts), texts);
  const size_t vocabulary = reference.size() / texts.tokens.size();
  double total = 0;
  for (size_t row = 0; row < reference.size(); row += vocabulary) {
    double p_sum = 0, q_sum = 0;
    for (size_t i = row; i < row + vocabulary; ++i) {
      p_sum += std::exp(static_cast<double>(reference[i]));
      q_sum += std::exp(static_cast<double>(candidate[i]));
    }
    for (size_t i = row; i < row + vocabulary; ++i) {
      const double p = static_cast<double>(reference[i]) - std::log(p_sum);
      const double q = static_cast<double>(candidate[i]) - std::log(q_sum);
      total += std::exp(p) * (p - q);
    }
  }
  return total / static_cast<double>(texts.size());
}

}  // namespace halftone
