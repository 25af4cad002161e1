// SPDX-License-Identifier: Apache-2.0
// RNN, GRU and LSTM as ONNX defines them, in f32, one sequence after the other.
#include <algorithm>
#include <cmath>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/unary.h"

namespace halftone::network::ops {
namespace {

using Numbers = std::vector<float>;

// What one direction computes with.
struct CellWeights {
  const float *w, *r, *bias, *peephole;  // the last two may be null
  std::vector<Unary> activations;
};

struct CellState {
  Numbers hidden, cell;
};

class Cell {
 public:
  Cell(const Recurrent& op, int64_t inputs, CellWeights weights)
      : op_(op), inputs_(inputs), weights_(std::move(weights)), size_(static_cast<size_t>(op.hidden)) {}

  void step(const float* x, CellState& state) const {
    switch (op_.kind) {
      case CellKind::rnn:
        return rnn(x, state);
      case CellKind::gru:
        return gru(x, state);
      case CellKind::lstm:
        return lstm(x, state);
    }
  }

 private:
  // Of gate `g`: x W' + W's bias, and h R' + R's bias, added to `sum`.
  void add_input(size_t g, const float* x, Numbers& sum) const {
    for (size_t i = 0; i < size_; ++i) {
      const float* row = weights_.w + (g * size_ + i) * static_cast<size_t>(inputs_);
      for (int64_t k = 0; k < inputs_; ++k) sum[i] += row[k] * x[k];
      if (weights_.bias != nullptr) sum[i] += weights_.bias[g * size_ + i];
    }
  }
  void add_hidden(size_t g, const Numbers& hidden, Numbers& sum) const {
    const size_t gates = op_.kind == CellKind::rnn ? 1 : op_.kind == CellKind::gru ? 3 : 4;
    for (size_t i = 0; i < size_; ++i) {
      const float* row = weights_.r + (g * size_ + i) * size_;
      for (size_t k = 0; k < size_; ++k) sum[i] += row[k] * hidden[k];
      if (weights_.bias != nullptr) sum[i] += weights_.bias[(gates + g) * size_ + i];
    }
  }
  void add_peephole(size_t which, const Numbers& cell, Numbers& sum) const {
    for (size_t i = 0; weights_.peephole != nullptr && i < size_; ++i)
      sum[i] += weights_.peephole[which * size_ + i] * cell[i];
  }
  void activate(size_t which, Numbers& numbers) const {
    if (op_.clip > 0)
      for (float& number : numbers) number = std::min(std::max(number, -op_.clip), op_.clip);
    apply(which, numbers);
  }
  void apply(size_t which, Numbers& numbers) const {
    unary_floats(weights_.activations[which], numbers.data(), numbers.data(), static_cast<int64_t>(numbers.size()));
  }

  void rnn(const float* x, CellState& state) const {
    Numbers sum(size_);
    add_input(0, x, sum);
    add_hidden(0, state.hidden, sum);
    activate(0, sum);
    state.hidden = std::move(sum);
  }

  void gru(const float* x, CellState& state) const {
    Numbers update(size_), reset(size_), candidate(size_), from_hidden(size_);
    add_input(0, x, update);
    add_hidden(0, state.hidden, update);
    activate(0, update);
    add_input(1, x, reset);
    add_hidden(1, state.hidden, reset);
    activate(0, reset);
    add_input(2, x, candidate);
    if (op_.linear_before_reset) {
      add_hidden(2, state.hidden, from_hidden);
      for (size_t i = 0; i < size_; ++i) candidate[i] += reset[i] * from_hidden[i];
    } else {
      Numbers kept(size_);
      for (size_t i = 0; i < size_; ++i) kept[i] = reset[i] * state.hidden[i];
      add_hidden(2, kept, candidate);
    }
    activate(1, candidate);
    for (size_t i = 0; i < size_; ++i) state.hidden[i] = (1 - update[i]) * candidate[i] + update[i] * state.hidden[i];
  }

  void lstm(const float* x, CellState& state) const {
    Numbers in(size_), out(size_), forget(size_), candidate(size_);
    Numbers* gates[] = {&in, &out, &forget, &candidate};
    for (size_t g = 0; g < 4; ++g) {
      add_input(g, x, *gates[g]);
      add_hidden(g, state.hidden, *gates[g]);
    }
    add_peephole(0, state.cell, in);
    activate(0, in);
    add_peephole(2, state.cell, forget);
    activate(0, forget);
    activate(1, candidate);
    for (size_t i = 0; i < size_; ++i) {
      const float keep = op_.input_forget ? 1 - in[i] : forget[i];
      state.cell[i] = keep * state.cell[i] + in[i] * candidate[i];
    }
    add_peephole(1, state.cell, out);
    activate(0, out);
    Numbers shown = state.cell;
    apply(2, shown);
    for (size_t i = 0; i < size_; ++i) state.hidden[i] = out[i] * shown[i];
  }

  const Recurrent& op_;
  int64_t inputs_;
  CellWeights weights_;
  size_t size_;
};

Unary activation_of(const Recurrent& op, size_t index, UnaryKind kind) {
  Unary activation{kind};
  if (kind == UnaryKind::leaky_relu) activation.alpha = 0.01F;
  if (kind == UnaryKind::elu || kind == UnaryKind::thresholded_relu) activation.alpha = 1;
  if (kind == UnaryKind::hard_sigmoid) {
    activation.alpha = 0.2F;
    activation.beta = 0.5F;
  }
  if (index < op.alphas.size()) activation.alpha = op.alphas[index];
  if (index < op.betas.size()) activation.beta = op.betas[index];
  return activation;
}

Result<std::vector<Unary>> activations_of(const Recurrent& op, size_t direction, size_t directions) {
  std::vector<UnaryKind> kinds = {UnaryKind::sigmoid, UnaryKind::tanh, UnaryKind::tanh};
  if (op.kind == CellKind::rnn) kinds = {UnaryKind::tanh};
  if (op.kind == CellKind::gru) kinds.pop_back();
  const size_t count = kinds.size();
  if (!op.activations.empty() && op.activations.size() != count * directions)
    return invalid_input("activations: expected {}, got {}", count * directions, op.activations.size());
  std::vector<Unary> found;
  for (size_t i = 0; i < count; ++i) {
    const size_t index = direction * count + i;
    found.push_back(activation_of(op, index, op.activations.empty() ? kinds[i] : op.activations[index]));
    if (!unary_floats(found.back(), nullptr, nullptr, 0))
      return unsupported("activations: expected functions of floats, got {}",
                         halftone::network::name_of(found.back().kind));
  }
  return found;
}

Status need_shape(const Tensor& x, const Shape& shape, std::string_view what, bool optional) {
  if (optional && !x.present()) return {};
  if (x.present() && x.type() == DType::f32 && x.shape() == shape) return {};
  return invalid_input("{}: expected f32 of {}, got {}", what, text_of(shape),
                       x.present() ? text_of(x.shape()) : "nothing");
}

struct Sizes {
  int64_t steps, batch, inputs, directions, gates, hidden;
};

Result<Sizes> sizes_of(const Recurrent& op, const OpContext& context) {
  const Tensor& x = context.input(0);
  if (x.rank() != 3 || x.type() != DType::f32 || op.hidden < 1 || op.hidden > INT32_MAX)
    return invalid_input("expected f32 of 3 axes and a hidden size, got {} and {}", text_of(x.shape()), op.hidden);
  const int64_t gates = op.kind == CellKind::rnn ? 1 : op.kind == CellKind::gru ? 3 : 4;
  const Sizes s{x.dim(op.batch_first ? 1 : 0),
                x.dim(op.batch_first ? 0 : 1),
                x.dim(2),
                op.direction == Direction::both ? 2 : 1,
                gates,
                op.hidden};
  const Shape state = op.batch_first ? Shape{s.batch, s.directions, s.hidden} : Shape{s.directions, s.batch, s.hidden};
  HALFTONE_TRY(need_shape(context.input(1), {s.directions, gates * s.hidden, s.inputs}, "W", false));
  HALFTONE_TRY(need_shape(context.input(2), {s.directions, gates * s.hidden, s.hidden}, "R", false));
  HALFTONE_TRY(need_shape(context.input(3), {s.directions, 2 * gates * s.hidden}, "B", true));
  HALFTONE_TRY(need_shape(context.input(5), state, "initial_h", true));
  if (op.kind == CellKind::lstm) {
    HALFTONE_TRY(need_shape(context.input(6), state, "initial_c", true));
    HALFTONE_TRY(need_shape(context.input(7), {s.directions, 3 * s.hidden}, "P", true));
  }
  return s;
}

}  // namespace

Status run(const Recurrent& op, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  HALFTONE_ASSIGN(const Sizes s, sizes_of(op, context));
  std::vector<int64_t> lengths(static_cast<size_t>(s.batch), s.steps);
  if (context.input(4).present()) {
    HALFTONE_ASSIGN(lengths, integers_of(context.input(4), "sequence_lens"));
    if (static_cast<int64_t>(lengths.size()) != s.batch)
      return invalid_input("sequence_lens: expected {}, got {}", s.batch, lengths.size());
  }
  for (const int64_t length : lengths)
    if (length < 0 || length > s.steps)
      return invalid_input("sequence_lens: expected [0, {}], got {}", s.steps, length);
  const Shape state_shape =
      op.batch_first ? Shape{s.batch, s.directions, s.hidden} : Shape{s.directions, s.batch, s.hidden};
  const Shape y_shape = op.batch_first ? Shape{s.batch, s.steps, s.directions, s.hidden}
                                       : Shape{s.steps, s.directions, s.batch, s.hidden};
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::f32, y_shape));
  HALFTONE_ASSIGN(Tensor last, Tensor::make(DType::f32, state_shape));
  HALFTONE_ASSIGN(Tensor last_cell, Tensor::make(DType::f32, state_shape));
  std::ranges::fill(y.mutable_bytes(), std::byte{0});
  const auto part = [](const Tensor& x, int64_t offset) { return x.present() ? data<float>(x) + offset : nullptr; };
  for (int64_t d = 0; d < s.directions; ++d) {
    HALFTONE_ASSIGN(std::vector<Unary> activations,
                    activations_of(op, static_cast<size_t>(d), static_cast<size_t>(s.directions)));
    const int64_t rows = d * s.gates * s.hidden;
    const bool lstm = op.kind == CellKind::lstm;
    const Cell cell(op, s.inputs,
                    {part(context.input(1), rows * s.inputs), part(context.input(2), rows * s.hidden),
                     part(context.input(3), 2 * rows), lstm ? part(context.input(7), d * 3 * s.hidden) : nullptr,
                     std::move(activations)});
    const bool backward = op.direction == Direction::reverse || d == 1;
    for (int64_t b = 0; b < s.batch; ++b) {
      const int64_t at = (op.batch_first ? b * s.directions + d : d * s.batch + b) * s.hidden;
      const float *hidden = part(context.input(5), at), *memory = lstm ? part(context.input(6), at) : nullptr;
      CellState state{Numbers(static_cast<size_t>(s.hidden)), Numbers(static_cast<size_t>(s.hidden))};
      if (hidden != nullptr) state.hidden.assign(hidden, hidden + s.hidden);
      if (memory != nullptr) state.cell.assign(memory, memory + s.hidden);
      const int64_t length = lengths[static_cast<size_t>(b)];
      for (int64_t i = 0; i < length; ++i) {
        const int64_t t = backward ? length - 1 - i : i;
        cell.step(data<float>(context.input(0)) + (op.batch_first ? b * s.steps + t : t * s.batch + b) * s.inputs,
                  state);
        const int64_t to = op.batch_first ? (b * s.steps + t) * s.directions + d : (t * s.directions + d) * s.batch + b;
        std::ranges::copy(state.hidden, mutable_data<float>(y) + to * s.hidden);
      }
      std::ranges::copy(state.hidden, mutable_data<float>(last) + at);
      std::ranges::copy(state.cell, mutable_data<float>(last_cell) + at);
    }
  }
  put(context, 0, std::move(y));
  put(context, 1, std::move(last));
  if (op.kind == CellKind::lstm) put(context, 2, std::move(last_cell));
  return {};
}

}  // namespace halftone::network::ops
