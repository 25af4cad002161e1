// SPDX-License-Identifier: Apache-2.0
#include "quantize/evaluate/gradients.h"

#include <algorithm>
#include <functional>
#include <type_traits>

#include "base/error.h"
#include "quantize/evaluate/row_gradients.h"
#include "quantize/evaluate/sequence_attention.h"

namespace halftone {
namespace {

constexpr int64_t kStripTokens = 64;  // sums over tokens are taken in strips, and these in order
constexpr int64_t kStripColumns = 64;

}  // namespace

struct Gradients::Flow {
  Gradients& self;
  Evaluator& evaluator;
  const Node* node = nullptr;
  const float* d_y = nullptr;  // of the node in work

  int64_t tokens() const { return evaluator.tokens(); }
  int64_t input_width(size_t i) const { return evaluator.width(node->inputs[i]); }
  const float* input(size_t i) const { return evaluator.value(node->inputs[i]).data(); }
  bool needs(size_t i) const { return self.needed_[static_cast<size_t>(node->inputs[i])]; }
  bool wants(WeightId id) const { return id != kNoWeight && self.wanted_[static_cast<size_t>(id)]; }
  float* sum(WeightId id) { return self.sums_[static_cast<size_t>(id)].data(); }
  AlignedBuffer<float> take(int64_t width) { return self.spare_.take(tokens() * width); }
  template <class Body>
  void for_tokens(int64_t width, const Body& body) {
    for_rows(evaluator.products().pool(), tokens(), width, body);
  }

  void visit(const Embedding& op);
  void visit(const RmsNorm& op);
  void visit(const LayerNorm& op);
  Status visit(const Linear& op);
  void visit(const Rope& op);
  void visit(const Attention& op);
  void visit(const SwiGlu&) { gated(Gate::silu); }
  void visit(const GeGlu&) { gated(Gate::gelu); }
  void visit(const Gelu&) { gated(Gate::gelu); }
  void visit(const SoftCap& op);
  void visit(const Columns& op);
  void visit(const Add& op);
  void gated(Gate kind);
  void contribute(size_t i, AlignedBuffer<float>&& d_input);
  void add_strips(const std::vector<WeightId>& ids, int64_t width, int64_t row_floats,
                  const std::function<void(int64_t token, float* const* sums)>& body);
};

Gradients::Gradients(const Graph& graph, std::vector<bool> wanted)
    : graph_(graph),
      wanted_(std::move(wanted)),
      needed_(graph.values.size()),
      sums_(graph.weights.size()),
      values_(graph.values.size()) {
  if (wanted_.empty()) {
    for (const WeightRef& ref : graph.weights) wanted_.push_back(ref.constant.empty());
  }
  HALFTONE_CHECK(wanted_.size() == graph.weights.size());
  for (size_t i = 0; i < wanted_.size(); ++i) {
    const WeightRef& ref = graph.weights[i];
    if (wanted_[i]) sums_[i] = AlignedBuffer<float>(static_cast<size_t>(ref.rows * ref.columns));
  }
}

std::span<const float> Gradients::weight(WeightId id) const {
  const AlignedBuffer<float>& sum = sums_[static_cast<size_t>(id)];
  HALFTONE_CHECK(sum.size() > 0);
  return {sum.data(), sum.size()};
}

std::span<const float> Gradients::value(ValueId id) const {
  const auto found = std::find(kept_.begin(), kept_.end(), id);
  HALFTONE_CHECK(found != kept_.end());
  return kept_values_[static_cast<size_t>(found - kept_.begin())];
}

void Gradients::clear() {
  for (AlignedBuffer<float>& sum : sums_) std::fill_n(sum.data(), sum.size(), 0.0f);
}

void Gradients::mark_needed(size_t begin) {
  struct Weights {
    std::vector<WeightId> operator()(const Embedding& op) const { return {op.table}; }
    std::vector<WeightId> operator()(const RmsNorm& op) const { return {op.weight}; }
    std::vector<WeightId> operator()(const LayerNorm& op) const { return {op.weight, op.bias}; }
    std::vector<WeightId> operator()(const Linear& op) const { return {op.weight, op.bias}; }
    std::vector<WeightId> operator()(const Rope&) const { return {}; }
    std::vector<WeightId> operator()(const Attention&) const { return {}; }
    std::vector<WeightId> operator()(const SwiGlu&) const { return {}; }
    std::vector<WeightId> operator()(const GeGlu&) const { return {}; }
    std::vector<WeightId> operator()(const Gelu&) const { return {}; }
    std::vector<WeightId> operator()(const SoftCap&) const { return {}; }
    std::vector<WeightId> operator()(const Columns&) const { return {}; }
    std::vector<WeightId> operator()(const halftone::Add&) const { return {}; }
  };
  needed_.assign(graph_.values.size(), false);
  for (const ValueId id : kept_) needed_[static_cast<size_t>(id)] = true;
  for (size_t i = begin; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    bool needed = false;
    for (const WeightId id : std::visit(Weights{}, node.op)) {
      needed = needed || (id != kNoWeight && wanted_[static_cast<size_t>(id)]);
    }
    for (const ValueId input : node.inputs) needed = needed || needed_[static_cast<size_t>(input)];
    if (needed) needed_[static_cast<size_t>(node.output)] = true;
  }
}

void Gradients::keep_value(ValueId id) {
  const AlignedBuffer<float>& d = values_[static_cast<size_t>(id)];
  for (size_t k = 0; k < kept_.size() && d.size() > 0; ++k)
    if (kept_[k] == id) kept_values_[k].assign(d.data(), d.data() + d.size());
}

Status Gradients::add(Evaluator& evaluator, ValueId output, std::span<const float> d_output, size_t begin) {
  HALFTONE_CHECK(static_cast<int64_t>(d_output.size()) == evaluator.tokens() * evaluator.width(output));
  mark_needed(begin);
  if (!needed_[static_cast<size_t>(output)]) return {};
  Flow flow{*this, evaluator};
  kept_values_.assign(kept_.size(), {});
  AlignedBuffer<float>& seed = values_[static_cast<size_t>(output)];
  seed = flow.take(evaluator.width(output));
  std::copy(d_output.begin(), d_output.end(), seed.data());
  Status status;
  for (size_t i = graph_.nodes.size(); i-- > begin && status.ok();) {
    const Node& node = graph_.nodes[i];
    AlignedBuffer<float>& d_y = values_[static_cast<size_t>(node.output)];
    if (d_y.size() == 0) continue;
    keep_value(node.output);
    flow.node = &node;
    flow.d_y = d_y.data();
    std::visit(
        [&](const auto& op) {
          if constexpr (std::is_same_v<decltype(op), const Linear&>) {
            status = flow.visit(op);
          } else {
            flow.visit(op);
          }
        },
        node.op);
    spare_.give(std::move(d_y));
    d_y = {};
  }
  for (const ValueId id : kept_) keep_value(id);         // of what lies before `begin`
  for (AlignedBuffer<float>& left : values_) left = {};  // of that, and after an error
  return status;
}

// The sum over all readers of a value is d loss / d value.
void Gradients::Flow::contribute(size_t i, AlignedBuffer<float>&& d_input) {
  AlignedBuffer<float>& sum = self.values_[static_cast<size_t>(node->inputs[i])];
  if (sum.size() == 0) {
    sum = std::move(d_input);
    return;
  }
  const int64_t width = input_width(i);
  for_tokens(width, [&](int64_t t) {
    float* row = sum.data() + t * width;
    evaluator.products().vector().add(row, d_input.data() + t * width, width, row);
  });
  self.spare_.give(std::move(d_input));
}

// body(token, sums) adds one token to vectors of `width`, of which each strip of tokens has its own; the strips are
// added in order to the gradients of `ids`. kNoWeight or an id that is not wanted: the vector is thrown away.
void Gradients::Flow::add_strips(const std::vector<WeightId>& ids, int64_t width, int64_t row_floats,
                                 const std::function<void(int64_t, float* const*)>& body) {
  const int64_t strips = (tokens() + kStripTokens - 1) / kStripTokens;
  const auto count = static_cast<int64_t>(ids.size());
  std::vector<float> parts(static_cast<size_t>(strips * count * width));
  for_rows(evaluator.products().pool(), strips, kStripTokens * row_floats, [&](int64_t strip) {
    float* sums[2] = {parts.data() + strip * count * width, parts.data() + (strip * count + count - 1) * width};
    const int64_t end = std::min(tokens(), (strip + 1) * kStripTokens);
    for (int64_t t = strip * kStripTokens; t < end; ++t) body(t, sums);
  });
  for (int64_t k = 0; k < count; ++k) {
    if (!wants(ids[static_cast<size_t>(k)])) continue;
    float* total = sum(ids[static_cast<size_t>(k)]);
    for (int64_t strip = 0; strip < strips; ++strip) {
      const float* part = parts.data() + (strip * count + k) * width;
      for (int64_t i = 0; i < width; ++i) total[i] += part[i];
    }
  }
}

void Gradients::Flow::visit(const Embedding& op) {
  if (!wants(op.table)) return;
  const int64_t width = evaluator.width(node->output), strips = (width + kStripColumns - 1) / kStripColumns;
  const std::vector<int32_t>& ids = evaluator.sequences().tokens;
  float* table = sum(op.table);
  for_rows(evaluator.products().pool(), strips, tokens() * kStripColumns, [&](int64_t strip) {
    const int64_t begin = strip * kStripColumns, end = std::min(width, begin + kStripColumns);
    for (int64_t t = 0; t < tokens(); ++t) {
      float* row = table + ids[static_cast<size_t>(t)] * width;
      for (int64_t i = begin; i < end; ++i) row[i] += d_y[t * width + i] * op.scale;
    }
  });
}

void Gradients::Flow::visit(const RmsNorm& op) {
  const int64_t width = input_width(0), group = op.group > 0 ? op.group : width;
  const float *x = input(0), *weight = evaluator.weights().vector(op.weight).data();
  AlignedBuffer<float> d_x = take(width);
  add_strips({op.weight}, group, width, [&](int64_t t, float* const* sums) {
    for (int64_t at = t * width; at < (t + 1) * width; at += group) {
      rms_norm_gradient(x + at, weight, d_y + at, group, op.epsilon, d_x.data() + at, sums[0]);
    }
  });
  if (needs(0)) contribute(0, std::move(d_x));
}

void Gradients::Flow::visit(const LayerNorm& op) {
  const int64_t width = input_width(0);
  const float *x = input(0), *weight = evaluator.weights().vector(op.weight).data();
  AlignedBuffer<float> d_x = take(width);
  add_strips({op.weight, op.bias}, width, width, [&](int64_t t, float* const* sums) {
    const int64_t at = t * width;
    layer_norm_gradient(x + at, weight, d_y + at, width, op.epsilon, d_x.data() + at, sums[0], sums[1]);
  });
  if (needs(0)) contribute(0, std::move(d_x));
}

Status Gradients::Flow::visit(const Linear& op) {
  const WeightRef& ref = evaluator.weights().ref(op.weight);
  Products& products = evaluator.products();
  if (wants(op.weight)) {
    AlignedBuffer<float> part = self.spare_.take(ref.rows * ref.columns);
    products.transposed_by(d_y, ref.rows, input(0), ref.columns, tokens(), part.data());
    float* total = sum(op.weight);
    for_rows(products.pool(), ref.rows, ref.columns, [&](int64_t row) {
      float* to = total + row * ref.columns;
      products.vector().add(to, part.data() + row * ref.columns, ref.columns, to);
    });
    self.spare_.give(std::move(part));
  }
  if (wants(op.bias)) {
    add_strips({op.bias}, ref.rows, ref.rows, [&](int64_t t, float* const* sums) {
      products.vector().add(sums[0], d_y + t * ref.rows, ref.rows, sums[0]);
    });
  }
  if (!needs(0)) return {};
  AlignedBuffer<float> d_x = take(ref.columns);
  products.by_stored(d_y, tokens(), evaluator.weights().matrix(op.weight), d_x.data());
  contribute(0, std::move(d_x));
  return {};
}

// The derivative turns back: by minus the angle.
void Gradients::Flow::visit(const Rope& op) {
  const int64_t width = input_width(0), half = op.rotary / 2;
  const Sequences& sequences = evaluator.sequences();
  AlignedBuffer<float> d_x = take(width);
  evaluator.rope_tables().prepare(op, evaluator.weights(), sequences.longest());
  for_rows(evaluator.products().pool(), sequences.count(), tokens() / sequences.count() * width, [&](int64_t i) {
    const float* cos = evaluator.rope_tables().at(op, sequences.length(i));
    std::vector<float> minus_sin(static_cast<size_t>(half));
    for (int64_t t = sequences.begin(i); t < sequences.end(i); ++t, cos += op.rotary) {
      for (int64_t j = 0; j < half; ++j) minus_sin[static_cast<size_t>(j)] = -cos[half + j];
      float* row = d_x.data() + t * width;
      std::copy_n(d_y + t * width, width, row);
      evaluator.products().vector().rope(row, op.heads, op.head_dim, op.rotary, cos, minus_sin.data());
    }
  });
  contribute(0, std::move(d_x));
}

void Gradients::Flow::visit(const Attention& op) {
  AlignedBuffer<float> d_q = take(input_width(0)), d_k = take(input_width(1)), d_v = take(input_width(2));
  SequenceAttention(op, evaluator.sequences(), evaluator.products())
      .backward({input(0), input(1), input(2), d_y, d_q.data(), d_k.data(), d_v.data()});
  if (needs(0)) contribute(0, std::move(d_q));
  if (needs(1)) contribute(1, std::move(d_k));
  if (needs(2)) contribute(2, std::move(d_v));
}

void Gradients::Flow::gated(Gate kind) {
  const int64_t width = input_width(0);
  const bool has_up = node->inputs.size() == 2;
  AlignedBuffer<float> d_gate = take(width), d_up = has_up ? take(width) : AlignedBuffer<float>();
  for_tokens(width, [&](int64_t t) {
    thread_local std::vector<float> scratch;
    scratch.resize(static_cast<size_t>(width));
    const int64_t at = t * width;
    gate_gradient(kind, evaluator.products().vector(), input(0) + at, has_up ? input(1) + at : nullptr, d_y + at, width,
                  d_gate.data() + at, has_up ? d_up.data() + at : nullptr, scratch.data());
  });
  if (needs(0)) contribute(0, std::move(d_gate));
  if (has_up && needs(1)) contribute(1, std::move(d_up));
}

void Gradients::Flow::visit(const SoftCap& op) {
  const int64_t width = input_width(0);
  const float* y = evaluator.value(node->output).data();
  AlignedBuffer<float> d_x = take(width);
  for_tokens(width, [&](int64_t t) {
    soft_cap_gradient(y + t * width, d_y + t * width, width, op.cap, d_x.data() + t * width);
  });
  contribute(0, std::move(d_x));
}

void Gradients::Flow::visit(const Columns& op) {
  const int64_t width = input_width(0);
  AlignedBuffer<float>& d_x = self.values_[static_cast<size_t>(node->inputs[0])];
  if (d_x.size() == 0) {
    d_x = take(width);
    std::fill_n(d_x.data(), d_x.size(), 0.0f);
  }
  for_tokens(op.width, [&](int64_t t) {
    float* row = d_x.data() + t * width + op.first;
    evaluator.products().vector().add(row, d_y + t * op.width, op.width, row);
  });
}

void Gradients::Flow::visit(const halftone::Add&) {
  const int64_t width = input_width(0);
  for (size_t i = 0; i < 2; ++i) {
    if (!needs(i)) continue;
    AlignedBuffer<float> d_x = take(width);
    std::copy_n(d_y, tokens() * width, d_x.data());
    contribute(i, std::move(d_x));
  }
}

}  // namespace halftone
