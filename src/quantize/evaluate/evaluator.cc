// SPDX-License-Identifier: Apache-2.0
#include "quantize/evaluate/evaluator.h"

#include <algorithm>

#include "base/error.h"
#include "quantize/evaluate/sequence_attention.h"

namespace halftone {

Result<std::unique_ptr<Evaluator>> Evaluator::create(const Graph& graph, const WeightTable& weights,
                                                     const Sequences& sequences, ThreadPool& pool,
                                                     EvaluatorOptions options) {
  HALFTONE_ASSIGN(Products products, Products::create(pool));
  std::unique_ptr<Evaluator> evaluator(new Evaluator(graph, weights, std::move(products), options));
  HALFTONE_TRY(evaluator->reset(sequences));
  return evaluator;
}

Evaluator::Evaluator(const Graph& graph, const WeightTable& weights, Products products, EvaluatorOptions options)
    : graph_(graph),
      weights_(weights),
      products_(std::move(products)),
      options_(options),
      last_reader_(graph.values.size(), graph.nodes.size()),
      maker_(graph.values.size(), kNoMaker),
      values_(graph.values.size()) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const ValueId input : graph.nodes[i].inputs) last_reader_[static_cast<size_t>(input)] = i;
  }
  tail_begin_ = graph.nodes.size();
  for (ValueId wanted = graph.logits; tail_begin_ > 0; --tail_begin_) {
    const Node& node = graph.nodes[tail_begin_ - 1];
    const bool in_tail = std::holds_alternative<Linear>(node.op) || std::holds_alternative<SoftCap>(node.op);
    if (!in_tail || node.output != wanted) break;
    wanted = node.inputs[0];
  }
  if (options_.defer_wide && !options_.keep_values) defer_wide_nodes();
}

namespace {

bool is_by_token(const Op& op) {
  return std::holds_alternative<Linear>(op) || std::holds_alternative<SwiGlu>(op) ||
         std::holds_alternative<GeGlu>(op) || std::holds_alternative<Gelu>(op) || std::holds_alternative<Columns>(op);
}

bool is_norm(const Op& op) { return std::holds_alternative<RmsNorm>(op) || std::holds_alternative<LayerNorm>(op); }

}  // namespace

// Deferred is what only such nodes read that can take it in stretches: what is wide, and a norm, since what it reads is
// the residual stream, which lives on anyway. Its own inputs must live until then.
void Evaluator::defer_wide_nodes() {
  std::vector<bool> in_stretches(graph_.values.size(), true);
  for (const Node& node : graph_.nodes) {
    for (const ValueId input : node.inputs)
      if (!is_by_token(node.op)) in_stretches[static_cast<size_t>(input)] = false;
  }
  in_stretches[static_cast<size_t>(tail_input())] = false;  // run_tail takes any part of it
  const int64_t narrow = width(graph_.nodes.front().output);
  for (size_t i = 0; i < tail_begin_; ++i) {
    const Node& node = graph_.nodes[i];
    const bool worth_it = is_norm(node.op) || (is_by_token(node.op) && width(node.output) > narrow);
    if (worth_it && in_stretches[static_cast<size_t>(node.output)]) maker_[static_cast<size_t>(node.output)] = i;
  }
  for (size_t i = graph_.nodes.size(); i-- > 0;) {
    const Node& node = graph_.nodes[i];
    if (!is_deferred(node.output)) continue;
    for (const ValueId input : node.inputs) {
      size_t& last = last_reader_[static_cast<size_t>(input)];
      last = std::max(last, last_reader_[static_cast<size_t>(node.output)]);
    }
  }
}

Status Evaluator::check(const Sequences& sequences) const {
  if (sequences.tokens.empty()) return invalid_input("[evaluate] expected tokens to compute with, got none");
  for (int64_t i = 0; i < sequences.count(); ++i) {
    if (sequences.length(i) > 0 && (i > 0 || sequences.begin(i) == 0)) continue;
    return invalid_input("[evaluate] sequence {}: expected tokens, got {} from token {} on", i, sequences.length(i),
                         sequences.begin(i));
  }
  for (const Node& node : graph_.nodes) {
    const auto* embedding = std::get_if<Embedding>(&node.op);
    if (embedding == nullptr) continue;
    const int64_t rows = weights_.ref(embedding->table).rows;
    for (const int32_t token : sequences.tokens) {
      if (token >= 0 && token < rows) continue;
      return invalid_input("[evaluate] expected token ids in 0..{}, got {}; the tokenizer does not fit the model",
                           rows - 1, token);
    }
  }
  return {};
}

Status Evaluator::reset(const Sequences& sequences) {
  HALFTONE_TRY(check(sequences));
  for (size_t id = 0; id < values_.size(); ++id) release(static_cast<ValueId>(id));
  sequences_ = &sequences;
  return {};
}

void Evaluator::release(ValueId id) {
  AlignedBuffer<float>& buffer = values_[static_cast<size_t>(id)];
  if (options_.keep_values) spare_.give(std::move(buffer));
  buffer = {};
}

std::span<const float> Evaluator::value(ValueId id) const {
  HALFTONE_CHECK(has_value(id));
  return {slot(id).data(), slot(id).size()};
}

void Evaluator::set_value(ValueId id, std::span<const float> value) {
  HALFTONE_CHECK(static_cast<int64_t>(value.size()) == tokens() * width(id));
  release(id);
  values_[static_cast<size_t>(id)] = spare_.take(tokens() * width(id));
  std::copy(value.begin(), value.end(), values_[static_cast<size_t>(id)].data());
}

Status Evaluator::run_node(size_t index) {
  const Node& node = graph_.nodes[index];
  if (is_deferred(node.output)) return {};
  bool in_stretches = false;
  for (const ValueId input : node.inputs) {
    HALFTONE_CHECK(has_value(input) || is_deferred(input));
    in_stretches = in_stretches || is_deferred(input);
  }
  const auto is_done = [&](ValueId id) {
    return !options_.keep_values && last_reader_[static_cast<size_t>(id)] == index;
  };
  AlignedBuffer<float>& out = values_[static_cast<size_t>(node.output)];
  if (std::holds_alternative<Add>(node.op) && is_done(node.inputs[0])) {
    AlignedBuffer<float>& sum = values_[static_cast<size_t>(node.inputs[0])];  // takes the place of the first input
    HALFTONE_TRY(compute(Add{}, node, sum.data()));
    out = std::move(sum);
  } else {
    release(node.output);
    out = spare_.take(tokens() * width(node.output));
    HALFTONE_TRY(in_stretches ? run_in_stretches(node, out.data())
                              : std::visit([&](const auto& op) { return compute(op, node, out.data()); }, node.op));
  }
  // Inputs, and what deferred ones were made of.
  for (size_t id = 0; id < values_.size(); ++id) {
    if (has_value(static_cast<ValueId>(id)) && is_done(static_cast<ValueId>(id))) release(static_cast<ValueId>(id));
  }
  return {};
}

// Rows of deferred values while a stretch is computed.
struct Evaluator::Scratch {
  std::vector<std::pair<ValueId, AlignedBuffer<float>>> values;
};

Status Evaluator::rows_of(ValueId id, int64_t first, int64_t tokens, Scratch& scratch, const float** rows) {
  if (!is_deferred(id)) {
    *rows = value(id).data() + first * width(id);
    return {};
  }
  for (const auto& [made, buffer] : scratch.values) {
    if (made == id) *rows = buffer.data();
  }
  if (*rows != nullptr) return {};
  const Node& node = graph_.nodes[maker_[static_cast<size_t>(id)]];
  Rows of = {{}, tokens, nullptr};
  for (size_t i = 0; i < node.inputs.size(); ++i)
    HALFTONE_TRY(rows_of(node.inputs[i], first, tokens, scratch, &of.inputs[i]));
  scratch.values.emplace_back(id, spare_.take(kStretch * width(id)));
  of.out = scratch.values.back().second.data();
  *rows = of.out;
  return compute_rows(node, of);
}

Status Evaluator::run_in_stretches(const Node& node, float* out) {
  for (int64_t first = 0; first < tokens(); first += kStretch) {
    Scratch scratch;
    Rows rows = {{}, std::min(kStretch, tokens() - first), out + first * width(node.output)};
    for (size_t i = 0; i < node.inputs.size(); ++i)
      HALFTONE_TRY(rows_of(node.inputs[i], first, rows.tokens, scratch, &rows.inputs[i]));
    HALFTONE_TRY(compute_rows(node, rows));
    for (auto& [id, buffer] : scratch.values) spare_.give(std::move(buffer));
  }
  if (!options_.keep_values) spare_ = {};  // stretches of wide values: as much as a Hessian's half
  return {};
}

Status Evaluator::visit(ValueId id, const Visitor& body) {
  for (int64_t first = 0; first < tokens(); first += kStretch) {
    Scratch scratch;
    const float* rows = nullptr;
    const int64_t count = std::min(kStretch, tokens() - first);
    HALFTONE_TRY(rows_of(id, first, count, scratch, &rows));
    body(first, count, rows);
    for (auto& [of, buffer] : scratch.values) spare_.give(std::move(buffer));
  }
  if (!options_.keep_values) spare_ = {};
  return {};
}

Status Evaluator::run(size_t begin, size_t end) {
  for (size_t index = begin; index < end; ++index) HALFTONE_TRY(run_node(index));
  return {};
}

Status Evaluator::run_tail(int64_t begin, int64_t end, AlignedBuffer<float>& logits) {
  const int64_t count = end - begin;
  const ValueId from = tail_input();
  const float* x = value(from).data() + begin * width(from);
  AlignedBuffer<float> before;
  for (size_t index = tail_begin_; index < graph_.nodes.size(); ++index) {
    const Node& node = graph_.nodes[index];
    std::swap(before, logits);
    logits.grow(static_cast<size_t>(count * width(node.output)));
    if (const auto* linear = std::get_if<Linear>(&node.op)) {
      HALFTONE_TRY(multiply(*linear, x, count, logits.data()));
    } else {
      const float cap = std::get<SoftCap>(node.op).cap;
      const int64_t columns = width(node.output);
      for_rows(products_.pool(), count, columns, [&](int64_t t) {
        products_.vector().soft_cap(x + t * columns, columns, cap, logits.data() + t * columns);
      });
    }
    x = logits.data();
  }
  return {};
}

Status Evaluator::compute(const Embedding& op, const Node& node, float* out) {
  const WeightView& table = weights_.matrix(op.table);
  const int64_t columns = width(node.output);
  for_tokens(columns, [&](int64_t t) {
    float* row = out + t * columns;
    decode_row(table, sequences_->tokens[static_cast<size_t>(t)], row);
    if (op.scale == 1) return;
    for (int64_t i = 0; i < columns; ++i) row[i] *= op.scale;
  });
  return {};
}

Status Evaluator::multiply(const Linear& op, const float* x, int64_t tokens, float* out) {
  HALFTONE_TRY(products_.by_transposed(x, tokens, weights_.matrix(op.weight), out));
  if (op.bias == kNoWeight) return {};
  const std::vector<float>& bias = weights_.vector(op.bias);
  const auto columns = static_cast<int64_t>(bias.size());
  for_rows(products_.pool(), tokens, columns,
           [&](int64_t t) { products_.vector().add(out + t * columns, bias.data(), columns, out + t * columns); });
  return {};
}

Status Evaluator::compute_rows(const Node& node, const Rows& rows) {
  const int64_t columns = width(node.output);
  const auto each = [&](auto row) {
    for_rows(products_.pool(), rows.tokens, columns, [&](int64_t t) { row(t * columns); });
    return Status();
  };
  const float *x = rows.inputs[0], *up = rows.inputs[1];
  if (const auto* linear = std::get_if<Linear>(&node.op)) return multiply(*linear, x, rows.tokens, rows.out);
  if (std::holds_alternative<SwiGlu>(node.op))
    return each([&](int64_t at) { products_.vector().swiglu(x + at, up + at, columns, rows.out + at); });
  if (std::holds_alternative<GeGlu>(node.op))
    return each([&](int64_t at) { products_.vector().geglu(x + at, up + at, columns, rows.out + at); });
  if (const auto* norm = std::get_if<RmsNorm>(&node.op)) {
    const float* weight = weights_.vector(norm->weight).data();
    const int64_t group = norm->group > 0 ? norm->group : columns;
    return each([&](int64_t row) {
      for (int64_t at = row; at < row + columns; at += group)
        products_.vector().rms_norm(x + at, weight, group, norm->epsilon, rows.out + at);
    });
  }
  if (const auto* norm = std::get_if<LayerNorm>(&node.op)) {
    const float *weight = weights_.vector(norm->weight).data(), *bias = weights_.vector(norm->bias).data();
    return each([&](int64_t at) {
      products_.vector().layer_norm(x + at, weight, bias, columns, norm->epsilon, rows.out + at);
    });
  }
  if (const auto* part = std::get_if<Columns>(&node.op)) {
    const int64_t stride = width(node.inputs[0]);
    return each([&](int64_t at) { std::copy_n(x + at / columns * stride + part->first, columns, rows.out + at); });
  }
  HALFTONE_CHECK(std::holds_alternative<Gelu>(node.op));
  return each([&](int64_t at) { products_.vector().geglu(x + at, nullptr, columns, rows.out + at); });
}

Status Evaluator::compute(const Rope& op, const Node& node, float* out) {
  const float* x = value(node.inputs[0]).data();
  const int64_t columns = width(node.output), half = op.rotary / 2;
  rope_tables_.prepare(op, weights_, sequences_->longest());
  for_rows(products_.pool(), sequences_->count(), tokens() / sequences_->count() * columns, [&](int64_t i) {
    const int64_t begin = sequences_->begin(i), length = sequences_->length(i);
    const float* cos = rope_tables_.at(op, length);
    for (int64_t t = begin; t < begin + length; ++t, cos += op.rotary) {
      std::copy_n(x + t * columns, columns, out + t * columns);
      products_.vector().rope(out + t * columns, op.heads, op.head_dim, op.rotary, cos, cos + half);
    }
  });
  return {};
}

Status Evaluator::compute(const Attention& op, const Node& node, float* out) {
  SequenceAttention(op, *sequences_, products_)
      .forward(value(node.inputs[0]).data(), value(node.inputs[1]).data(), value(node.inputs[2]).data(), out);
  return {};
}

Status Evaluator::compute(const SoftCap& op, const Node& node, float* out) {
  const float* x = value(node.inputs[0]).data();
  const int64_t columns = width(node.output);
  for_tokens(columns,
             [&](int64_t t) { products_.vector().soft_cap(x + t * columns, columns, op.cap, out + t * columns); });
  return {};
}

Status Evaluator::compute(const Add&, const Node& node, float* out) {
  const float *a = value(node.inputs[0]).data(), *b = value(node.inputs[1]).data();
  const int64_t columns = width(node.output);
  for_tokens(columns,
             [&](int64_t t) { products_.vector().add(a + t * columns, b + t * columns, columns, out + t * columns); });
  return {};
}

}  // namespace halftone
