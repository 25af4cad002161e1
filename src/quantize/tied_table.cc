// SPDX-License-Identifier: Apache-2.0
#include "quantize/tied_table.h"

#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "quantize/calibration/statistics.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/evaluate/gradients.h"

namespace halftone {
namespace {

constexpr int64_t kBatchTokens = 512;
constexpr uint64_t kSeed = 1;

// Sequences from `next` on, at least one.
Sequences next_batch(const Sequences& all, int64_t& next) {
  Sequences batch;
  do {
    batch.begins.push_back(batch.size());
    batch.tokens.insert(batch.tokens.end(), all.tokens.begin() + all.begin(next), all.tokens.begin() + all.end(next));
  } while (++next < all.count() && batch.size() + all.length(next) <= kBatchTokens);
  return batch;
}

// d (-log p of a token drawn from p) / d logits, p = softmax(logits), in the place of the logits. Adds p to `said`.
void draw_token(const VectorKernels& kernels, double at, std::span<float> logits, std::vector<double>& said) {
  const auto vocabulary = static_cast<int64_t>(logits.size());
  const float most = kernels.maximum(logits.data(), vocabulary);
  const double sum = kernels.sum_of_exp(logits.data(), vocabulary, most, logits.data());
  double left = at * sum;
  size_t token = 0;
  while (token + 1 < logits.size() && left >= static_cast<double>(logits[token]))
    left -= static_cast<double>(logits[token++]);
  const auto part = static_cast<float>(1 / sum);
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] *= part;
    said[i] += static_cast<double>(logits[i]);
  }
  logits[token] -= 1;
}

// Rows of x times the lengths of those of d.
std::vector<float> scaled_by_length(std::span<const float> x, int64_t columns, std::span<const float> d,
                                    int64_t width) {
  std::vector<float> scaled(x.begin(), x.end());
  for (int64_t t = 0; t < std::ssize(x) / columns; ++t) {
    double squares = 0;
    for (const float one : d.subspan(static_cast<size_t>(t * width), static_cast<size_t>(width)))
      squares += static_cast<double>(one) * static_cast<double>(one);
    const auto length = static_cast<float>(std::sqrt(squares));
    for (int64_t k = 0; k < columns; ++k) scaled[static_cast<size_t>(t * columns + k)] *= length;
  }
  return scaled;
}

}  // namespace

Result<TableFisher> fisher_of(const TiedTable& table, const Graph& graph, const WeightTable& weights,
                              const Sequences& sequences, ThreadPool& pool) {
  const Node& last = graph.nodes[table.linear];
  const ValueId looked_up = graph.nodes[table.embedding].output, x = last.inputs[0];
  const float scale = std::get<Embedding>(graph.nodes[table.embedding].op).scale;
  std::unique_ptr<Evaluator> evaluator;
  Gradients gradients(graph, std::vector<bool>(graph.weights.size(), false));
  gradients.keep({looked_up, last.output});
  const int64_t columns = graph.values[static_cast<size_t>(x)].width;
  HessianSum sum(columns);
  std::vector<double> said;  // by token: its probabilities, added up
  Rng rng(kSeed);
  Sequences batch;
  for (int64_t next = 0, seen = 0; next < sequences.count() && seen < kFisherTokens; seen += batch.size()) {
    batch = next_batch(sequences, next);
    if (evaluator == nullptr) {
      HALFTONE_ASSIGN(evaluator, Evaluator::create(graph, weights, batch, pool, {.keep_values = true}));
    } else {
      HALFTONE_TRY(evaluator->reset(batch));
    }
    HALFTONE_TRY(evaluator->run(0, graph.nodes.size()));
    const VectorKernels& kernels = evaluator->products().vector();
    const std::span<const float> logits = evaluator->value(graph.logits);
    const int64_t vocabulary = evaluator->width(graph.logits);
    std::vector<float> d_logits(logits.begin(), logits.end());
    said.resize(static_cast<size_t>(vocabulary));
    for (int64_t t = 0; t < batch.size(); ++t)
      draw_token(kernels, rng.uniform(), std::span(d_logits).subspan(static_cast<size_t>(t * vocabulary), said.size()),
                 said);
    HALFTONE_TRY(gradients.add(*evaluator, graph.logits, d_logits));
    const std::vector<float> rows =
        scaled_by_length(evaluator->value(x), columns, gradients.value(last.output), evaluator->width(last.output));
    sum.add(rows.data(), batch.size(), evaluator->products());
    std::vector<float> pulls(gradients.value(looked_up).begin(), gradients.value(looked_up).end());
    for (float& pull : pulls) pull *= scale;
    sum.add(pulls.data(), batch.size(), evaluator->products());
  }
  TableFisher fisher{sum.take_mean(), {}};
  const double mean = std::accumulate(said.begin(), said.end(), 0.0) / static_cast<double>(said.size());
  for (const double one : said) fisher.row_weights.push_back(static_cast<float>(one + mean));
  return fisher;
}

}  // namespace halftone
