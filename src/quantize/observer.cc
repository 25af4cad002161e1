// SPDX-License-Identifier: Apache-2.0
#include "quantize/observer.h"

#include <map>
#include <vector>

#include "base/error.h"
#include "quantize/calibration/statistics.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/evaluate/weight_table.h"
#include "quantize/tied_table.h"

namespace halftone {
namespace {

constexpr size_t kNoNode = static_cast<size_t>(-1);

}  // namespace

struct GraphObserver::State {
  // Where a weight is read: its first Linear, and an embedding before.
  struct Readers {
    WeightId id = kNoWeight;
    size_t linear = kNoNode, embedding = kNoNode;
  };

  // Means over the tokens of x (tokens, columns): of x_k, of x_k squared, and of x x^T.
  struct Moments {
    ValueId value = -1;
    std::vector<float> mean = {}, second = {}, hessian = {}, row_weights = {};
  };

  const Graph& graph;
  const Sequences& sequences;
  ThreadPool& pool;
  WeightTable weights;
  std::unique_ptr<Evaluator> evaluator = nullptr;
  std::map<std::string, Readers, std::less<>> readers = {};
  size_t next = 0;  // nodes before it have been run
  Moments moments = {};

  void find_readers() {
    for (size_t node = 0; node < graph.nodes.size(); ++node) {
      const Op& op = graph.nodes[node].op;
      if (const auto* linear = std::get_if<Linear>(&op)) {
        Readers& of = readers[graph.weight(linear->weight).name];
        of.id = linear->weight;
        if (of.linear == kNoNode) of.linear = node;
      } else if (const auto* embedding = std::get_if<Embedding>(&op)) {
        Readers& of = readers[graph.weight(embedding->table).name];
        of.id = embedding->table;
        of.embedding = node;
      }
    }
  }

  Status take(ValueId value, Data wanted, std::string_view name) {
    const int64_t columns = evaluator->width(value);
    if (moments.value != value) moments = Moments{.value = value};
    const bool second = moments.second.empty(), hessian = wanted == Data::hessian && moments.hessian.empty();
    if (!second && !hessian) return {};
    ChannelStatistics statistics(columns);
    HessianSum sum(hessian ? columns : 0);
    HALFTONE_TRY(evaluator->visit(value, [&](int64_t, int64_t tokens, const float* rows) {
      if (second) statistics.add({rows, static_cast<size_t>(tokens * columns)});
      if (hessian) sum.add(rows, tokens, evaluator->products());
    }));
    if (second) {
      HALFTONE_TRY(statistics.check_finite(fmt::format("the inputs of '{}'", name)));
      moments.mean = statistics.mean();
      moments.second = statistics.second_moment();
    }
    if (!hessian) return {};
    HALFTONE_ASSIGN(evaluator->products(), Products::create(pool));  // without its copies of x, before the factor comes
    moments.hessian = sum.take_mean();
    return {};
  }

  // The float model's: nothing is quantized yet.
  Status take_of_tied(const Readers& table) {
    HALFTONE_ASSIGN(TableFisher fisher, fisher_of({table.embedding, table.linear}, graph, weights, sequences, pool));
    moments = Moments{.hessian = std::move(fisher.hessian), .row_weights = std::move(fisher.row_weights)};
    const auto columns = static_cast<size_t>(weights.ref(table.id).columns);
    for (size_t k = 0; k < columns; ++k) moments.second.push_back(moments.hessian[k * columns + k]);
    return {};
  }
};

GraphObserver::GraphObserver(std::unique_ptr<State> state) : state_(std::move(state)) {}
GraphObserver::~GraphObserver() = default;

Result<std::unique_ptr<GraphObserver>> GraphObserver::create(const Graph& graph, const ModelFile& source,
                                                             const Sequences& sequences, ThreadPool& pool) {
  HALFTONE_ASSIGN(WeightTable weights, WeightTable::create(graph, source));
  auto state = std::unique_ptr<State>(new State{graph, sequences, pool, std::move(weights), nullptr});
  state->find_readers();
  HALFTONE_ASSIGN(state->evaluator, Evaluator::create(graph, state->weights, sequences, pool, {.defer_wide = true}));
  return std::unique_ptr<GraphObserver>(new GraphObserver(std::move(state)));
}

bool GraphObserver::has_inputs(std::string_view name) const {
  const auto found = state_->readers.find(name);
  return found != state_->readers.end() && found->second.linear != kNoNode;
}

Result<InputStatistics> GraphObserver::observe(std::string_view name, Data wanted) {
  const State::Readers& readers = state_->readers.find(name)->second;
  if (readers.embedding != kNoNode && state_->next == 0) {
    HALFTONE_TRY(state_->take_of_tied(readers));
  } else {
    HALFTONE_TRY(state_->evaluator->run(state_->next, readers.linear));
    state_->next = std::max(state_->next, readers.linear);
    HALFTONE_TRY(state_->take(state_->graph.nodes[readers.linear].inputs[0], wanted, name));
  }
  const State::Moments& moments = state_->moments;
  return InputStatistics{state_->evaluator->tokens(), moments.second, moments.hessian, moments.row_weights};
}

void GraphObserver::settle(std::string_view name, const Layout& layout, AlignedBuffer<std::byte> panels) {
  const auto found = state_->readers.find(name);
  if (found != state_->readers.end()) state_->weights.replace(found->second.id, layout, std::move(panels));
}

std::vector<float> GraphObserver::correct_bias(std::string_view name) {
  const State::Readers& readers = state_->readers.find(name)->second;
  const Node& node = state_->graph.nodes[readers.linear];
  const auto& linear = std::get<Linear>(node.op);
  const std::vector<float>& mean = state_->moments.mean;
  HALFTONE_CHECK(linear.bias != kNoWeight && state_->moments.value == node.inputs[0]);
  const WeightView &source = state_->weights.stored(linear.weight), &packed = state_->weights.matrix(linear.weight);
  std::vector<float> bias = state_->weights.vector(linear.bias);
  for_rows(state_->pool, source.rows, source.columns, [&](int64_t row) {
    std::vector<float> before(mean.size()), after(mean.size());
    decode_row(source, row, before.data());
    decode_row(packed, row, after.data());
    double lost = 0;
    for (size_t k = 0; k < mean.size(); ++k)
      lost += (static_cast<double>(before[k]) - static_cast<double>(after[k])) * static_cast<double>(mean[k]);
    bias[static_cast<size_t>(row)] += static_cast<float>(lost);
  });
  state_->weights.replace(linear.bias, bias);
  return bias;
}

}  // namespace halftone
