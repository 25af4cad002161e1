// SPDX-License-Identifier: Apache-2.0
// What errors cost in a table that is embedding and last matrix at once.
//
// An error e in row r changes the model's distributions in two ways: the logit of token r moves by e^T x, x being what
// the last matrix multiplies, and wherever the text has token r, the whole model starts from a number that is off by e.
// To second order both cost e^T F e / 2 nats of KL divergence with the Fisher information F, the mean over tokens of
//   d^2 x x^T   and   g g^T,
// d and g being what the log-probability of a token changes by with the logit and with what was looked up, and that
// token being drawn from the model itself (Martens 2014, "New insights and perspectives on the natural gradient
// method", arXiv:1412.1193). That of a row is taken for the mean row's, times how often the model says its token.
#pragma once

#include <vector>

#include "base/thread_pool.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/evaluate/weight_table.h"

namespace halftone {

// Where the table is read: the nodes' numbers.
struct TiedTable {
  size_t embedding, linear;
};

struct TableFisher {
  std::vector<float> hessian;  // (columns, columns), of the mean row; symmetric; its scale means nothing
  // (rows): the probabilities of a row's token, added up, and their mean over rows, since other texts have other words.
  std::vector<float> row_weights;
};

// Of the first sequences, up to kFisherTokens tokens.
// Memory, of a batch of 512 tokens or of a longer sequence: its logits, twice the values of half a layer, the residual
// stream at every half layer, and 128 MB of the table. The same bits for any number of threads. Errors: those of the
// evaluator.
inline constexpr int64_t kFisherTokens = 8192;
Result<TableFisher> fisher_of(const TiedTable& table, const Graph& graph, const WeightTable& weights,
                              const Sequences& sequences, ThreadPool& pool);

}  // namespace halftone
