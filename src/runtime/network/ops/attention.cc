// SPDX-License-Identifier: Apache-2.0
// Attention and rotary positions, as ONNX defines them.
#include <cmath>
#include <limits>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

// (batch, heads, length, size), whether the heads are an axis or lie side by side.
struct Heads {
  int64_t batch = 0, heads = 0, length = 0, size = 0;
  int64_t head_stride = 0, row_stride = 0;

  int64_t offset(int64_t b, int64_t h, int64_t row) const {
    return b * heads * length * size + h * head_stride + row * row_stride;
  }
};

Result<Heads> heads_of(const Tensor& x, int64_t heads, std::string_view what) {
  if (x.type() != DType::f32) return unsupported("{}: expected f32, got {}", what, halftone::name_of(x.type()));
  Heads h;
  if (x.rank() == 4) {
    h = {x.dim(0), x.dim(1), x.dim(2), x.dim(3), x.dim(2) * x.dim(3), x.dim(3)};
  } else if (x.rank() == 3 && heads > 0 && x.dim(2) % heads == 0) {
    h = {x.dim(0), heads, x.dim(1), x.dim(2) / heads, x.dim(2) / heads, x.dim(2)};
  } else {
    return invalid_input("{}: expected 4 axes, or 3 and numbers for {} heads, got {}", what, heads, text_of(x.shape()));
  }
  return h;
}

// Keys or values: the past, then the new ones, (batch, heads, length, size).
Result<Tensor> joined(const Tensor& past, const Tensor& x, const Heads& heads, std::string_view what) {
  int64_t before = 0;
  if (past.present()) {
    if (past.type() != DType::f32 || past.rank() != 4 || past.dim(0) != heads.batch || past.dim(1) != heads.heads ||
        past.dim(3) != heads.size)
      return invalid_input("past {}: expected ({}, {}, length, {}), got {}", what, heads.batch, heads.heads, heads.size,
                           text_of(past.shape()));
    before = past.dim(2);
  }
  HALFTONE_ASSIGN(Tensor all, Tensor::make(DType::f32, {heads.batch, heads.heads, before + heads.length, heads.size}));
  float* to = mutable_data<float>(all);
  for (int64_t i = 0; i < heads.batch * heads.heads; ++i) {
    if (before > 0) to = std::copy_n(data<float>(past) + i * before * heads.size, before * heads.size, to);
    for (int64_t row = 0; row < heads.length; ++row)
      to = std::copy_n(data<float>(x) + heads.offset(i / heads.heads, i % heads.heads, row), heads.size, to);
  }
  return all;
}

struct AttentionProblem {
  const Attention& op;
  Heads q;
  Tensor keys, values;
  Tensor mask;  // f32 or u64 (of booleans), (…, queries, keys or fewer)
  Strides mask_strides;
  int64_t masked_keys = 0;
  std::vector<int64_t> valid;  // of each batch
  int64_t past = 0, total = 0;
  double scale = 1;

  // What is added to a score.
  double bias(int64_t b, int64_t h, int64_t i, int64_t j) const {
    constexpr double kNever = -std::numeric_limits<double>::infinity();
    if (op.causal && j > i + past) return kNever;
    if (!valid.empty() && j >= valid[static_cast<size_t>(b)]) return kNever;
    if (!mask.present()) return 0;
    if (j >= masked_keys) return kNever;
    const int64_t at = b * mask_strides[0] + h * mask_strides[1] + i * mask_strides[2] + j * mask_strides[3];
    if (mask.type() == DType::u64) return data<uint64_t>(mask)[at] != 0 ? 0 : kNever;
    return static_cast<double>(data<float>(mask)[at]);
  }
};

// One query of one head: its row of y and, where wanted, of the scores.
void attend(const AttentionProblem& p, int64_t b, int64_t h, int64_t i, const float* q, float* y, float* scores) {
  const int64_t kv_heads = p.keys.dim(1), kv = b * kv_heads + h / (p.q.heads / kv_heads), width = p.values.dim(3);
  const float* keys = data<float>(p.keys) + kv * p.total * p.q.size;
  const float* values = data<float>(p.values) + kv * p.total * width;
  std::vector<double> row(static_cast<size_t>(p.total));
  const auto show = [&](int64_t stage) {
    for (size_t j = 0; scores != nullptr && p.op.scores_stage == stage && j < row.size(); ++j)
      scores[j] = static_cast<float>(row[j]);
  };
  for (int64_t j = 0; j < p.total; ++j) {
    double dot = 0;
    for (int64_t k = 0; k < p.q.size; ++k)
      dot += static_cast<double>(q[k]) * static_cast<double>(keys[j * p.q.size + k]);
    row[static_cast<size_t>(j)] = dot * p.scale;
  }
  show(0);
  for (int64_t j = 0; j < p.total; ++j) row[static_cast<size_t>(j)] += p.bias(b, h, i, j);
  show(1);
  const auto cap = static_cast<double>(p.op.soft_cap);
  if (cap > 0)
    for (double& score : row) score = std::isinf(score) ? score : cap * std::tanh(score / cap);
  show(2);
  double top = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const double score : row) top = std::max(top, score);
  for (double& score : row) {
    score = std::isinf(top) ? 0 : std::exp(score - top);  // who may look at nothing sees nothing
    sum += score;
  }
  for (double& score : row) score = sum == 0 ? 0 : score / sum;
  show(3);
  for (int64_t k = 0; k < width; ++k) {
    double value = 0;
    for (int64_t j = 0; j < p.total; ++j)
      value += row[static_cast<size_t>(j)] * static_cast<double>(values[j * width + k]);
    y[k] = static_cast<float>(value);
  }
}

Status set_mask(const OpContext& context, AttentionProblem& p) {
  const Tensor& mask = context.input(3);
  if (mask.present()) {
    const int64_t keys = mask.rank() == 0 ? 0 : mask.dim(mask.rank() - 1);
    const Shape whole = {p.q.batch, p.q.heads, p.q.length, keys == 1 ? p.total : keys};
    if ((mask.type() != DType::f32 && mask.type() != DType::u64) || mask.rank() > 4 || keys > p.total)
      return invalid_input("mask: expected floats or booleans for at most {} keys, got {}", p.total,
                           text_of(mask.shape()));
    HALFTONE_TRY(need_broadcast(mask, whole, "mask"));
    p.mask = mask;
    p.mask_strides = broadcast_strides(mask.shape(), whole);
    p.masked_keys = whole[3];
  }
  const Tensor& lengths = context.input(6);
  if (!lengths.present()) return {};
  HALFTONE_ASSIGN(p.valid, integers_of(lengths, "valid lengths"));
  if (static_cast<int64_t>(p.valid.size()) != p.q.batch)
    return invalid_input("valid lengths: expected {}, got {}", p.q.batch, p.valid.size());
  return {};
}

}  // namespace

Status run(const Attention& op, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  HALFTONE_ASSIGN(const Heads q, heads_of(context.input(0), op.heads, "q"));
  HALFTONE_ASSIGN(const Heads k, heads_of(context.input(1), op.kv_heads == 0 ? op.heads : op.kv_heads, "k"));
  HALFTONE_ASSIGN(const Heads v, heads_of(context.input(2), op.kv_heads == 0 ? op.heads : op.kv_heads, "v"));
  if (k.batch != q.batch || v.batch != q.batch || k.heads != v.heads || k.heads < 1 || q.heads % k.heads != 0 ||
      k.size != q.size || k.length != v.length)
    return invalid_input("expected k and v that fit q, got {}, {} and {}", text_of(context.input(0).shape()),
                         text_of(context.input(1).shape()), text_of(context.input(2).shape()));
  AttentionProblem p{op, q, {}, {}, {}, {}, 0, {}, 0, 0, 1};
  HALFTONE_ASSIGN(p.keys, joined(context.input(4), context.input(1), k, "key"));
  HALFTONE_ASSIGN(p.values, joined(context.input(5), context.input(2), v, "value"));
  p.total = p.keys.dim(2);
  p.past = p.total - k.length;
  if (p.values.dim(2) != p.total)
    return invalid_input("past value: expected {} rows as the keys', got {}", p.past, p.values.dim(2) - v.length);
  p.scale =
      op.scale != 0 ? static_cast<double>(op.scale) : 1 / std::sqrt(static_cast<double>(std::max<int64_t>(q.size, 1)));
  HALFTONE_TRY(set_mask(context, p));
  const bool flat = context.input(0).rank() == 3;
  const Heads out = {
      q.batch, q.heads, q.length, v.size, flat ? v.size : q.length * v.size, flat ? q.heads * v.size : v.size};
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::f32, flat ? Shape{q.batch, q.length, q.heads * v.size}
                                                          : Shape{q.batch, q.heads, q.length, v.size}));
  Tensor scores;
  if (context.outputs.size() > 3) {
    HALFTONE_ASSIGN(scores, Tensor::make(DType::f32, {q.batch, q.heads, q.length, p.total}));
  }
  context.pool.parallel_for(q.batch * q.heads * q.length, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t i = row % q.length, h = row / q.length % q.heads, b = row / (q.length * q.heads);
      attend(p, b, h, i, data<float>(context.input(0)) + q.offset(b, h, i),
             mutable_data<float>(y) + out.offset(b, h, i),
             scores.present() ? mutable_data<float>(scores) + row * p.total : nullptr);
    }
  });
  put(context, 0, std::move(y));
  put(context, 1, std::move(p.keys));
  put(context, 2, std::move(p.values));
  if (scores.present()) put(context, 3, std::move(scores));
  return {};
}

Status run(const RotaryEmbedding& op, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor &x = context.input(0), &cos = context.input(1), &sin = context.input(2), &positions = context.input(3);
  HALFTONE_ASSIGN(const Heads heads, heads_of(x, op.heads, "x"));
  const int64_t rotary = op.rotary == 0 ? heads.size : op.rotary, half = rotary / 2;
  if (rotary < 0 || rotary > heads.size || rotary % 2 != 0)
    return invalid_input("expected an even part of {} numbers to rotate, got {}", heads.size, rotary);
  const Shape by_row = {heads.batch, heads.length, half};
  const bool looked_up = positions.present();
  const bool fits = looked_up ? cos.rank() == 2 && cos.dim(1) == half : cos.shape() == by_row;
  if (!fits || sin.shape() != cos.shape() || cos.type() != DType::f32 || sin.type() != DType::f32)
    return invalid_input("expected cos and sin of {}, got {} and {}",
                         looked_up ? "(positions, " + std::to_string(half) + ")" : text_of(by_row),
                         text_of(cos.shape()), text_of(sin.shape()));
  std::vector<int64_t> rows;
  if (looked_up) {
    if (positions.shape() != Shape{heads.batch, heads.length})
      return invalid_input("positions: expected [{}, {}], got {}", heads.batch, heads.length,
                           text_of(positions.shape()));
    HALFTONE_ASSIGN(rows, integers_of(positions.reshaped({positions.elements()}), "positions"));
    for (const int64_t row : rows)
      if (row < 0 || row >= cos.dim(0)) return invalid_input("positions: expected [0, {}), got {}", cos.dim(0), row);
  }
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::f32, x.shape()));
  std::copy_n(data<float>(x), x.elements(), mutable_data<float>(y));
  for (int64_t i = 0; x.elements() > 0 && i < heads.batch * heads.length; ++i) {
    const int64_t row = (looked_up ? rows[static_cast<size_t>(i)] : i) * half;
    for (int64_t h = 0; h < heads.heads; ++h) {
      const int64_t at = heads.offset(i / heads.length, h, i % heads.length);
      const float* from = data<float>(x) + at;
      float* to = mutable_data<float>(y) + at;
      for (int64_t k = 0; k < half; ++k) {
        const int64_t first = op.interleaved ? 2 * k : k, second = op.interleaved ? 2 * k + 1 : k + half;
        const float c = data<float>(cos)[row + k], s = data<float>(sin)[row + k];
        to[first] = from[first] * c - from[second] * s;
        to[second] = from[first] * s + from[second] * c;
      }
    }
  }
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
