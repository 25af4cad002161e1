// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "runtime/executor_state.h"

namespace halftone {
namespace {

constexpr int64_t kStreamingTokens = 8;

}  // namespace

void Executor::State::prepare() {
  const int threads = pool.threads();
  linear_scratch_stride = (linear_scratch_bytes(plan.widest_linear_input) + 127) / 64 * 64;
  linear_scratch.grow(static_cast<size_t>(linear_scratch_stride * threads));
  for (const Step& step : plan.steps) {
    if (const auto* attention = std::get_if<AttentionStep>(&step)) {
      const int64_t rows = tile_tokens(*attention) * (attention->heads / attention->kv_heads);
      const int64_t floats = attention_scratch_floats(rows, attention->head_dim);
      attention_scratch_stride = std::max(attention_scratch_stride, (floats + 31) / 16 * 16);
    }
  }
  attention_scratch.grow(static_cast<size_t>(attention_scratch_stride * threads));
}

void Executor::State::compute_rope() {
  const auto count = static_cast<int64_t>(tokens.size());
  rope_offsets.clear();
  int64_t floats = 0;
  for (const RopeTable& table : plan.rope_tables) {
    rope_offsets.push_back(floats);
    floats += count * table.rotary;
  }
  rope.grow(static_cast<size_t>(floats));
  const auto frequencies_of = [&](const RopeTable& table, const Token& token) -> const std::vector<float>& {
    const bool is_long = table.long_frequencies != kNoWeight && token.reach > table.long_beyond;
    return model->vector(is_long ? table.long_frequencies : table.inverse_frequencies);
  };
  for (size_t i = 0; i < plan.rope_tables.size(); ++i) {
    const RopeTable& table = plan.rope_tables[i];
    const int64_t half = table.rotary / 2;
    for_rows(count, 64 * half, [&](int64_t t) {
      const Token& token = tokens[static_cast<size_t>(t)];
      const std::vector<float>& frequencies = frequencies_of(table, token);
      float* cos = rope.data() + rope_offsets[i] + t * table.rotary;
      for (int64_t j = 0; j < half; ++j) {
        // The angle is rounded to float, as the reference implementations do.
        const float angle = static_cast<float>(token.position) * frequencies[static_cast<size_t>(j)];
        cos[j] = static_cast<float>(std::cos(static_cast<double>(angle))) * table.magnitude;
        cos[half + j] = static_cast<float>(std::sin(static_cast<double>(angle))) * table.magnitude;
      }
    });
  }
}

void Executor::State::run(const std::vector<Step>& steps, float* base, int64_t count) {
  for (const Step& step : steps) {
    std::visit([&](const auto& typed) { run_step(typed, base, count); }, step);
    if (clock) clock->lap(step, count);
  }
}

void Executor::State::run_step(const EmbedStep& step, float* base, int64_t count) {
  const WeightView& table = model->weight(step.table);
  for_rows(count, step.out.width, [&](int64_t t) {
    float* out = base + step.out.at(count, t);
    decode_row(table, tokens[static_cast<size_t>(t)].id, out);
    if (step.scale == 1) return;
    for (int64_t i = 0; i < step.out.width; ++i) out[i] *= step.scale;
  });
}

void Executor::State::run_step(const NormStep& step, float* base, int64_t count) {
  const float* weight = model->vector(step.weight).data();
  for_rows(count, step.in.width, [&](int64_t t) {
    const float* in = base + step.in.at(count, t);
    float* out = base + step.out.at(count, t);
    for (int64_t begin = 0; begin < step.in.width; begin += step.group) {
      plan.vector->rms_norm(in + begin, weight, step.group, step.epsilon, out + begin);
    }
  });
}

void Executor::State::run_step(const LayerNormStep& step, float* base, int64_t count) {
  const float *weight = model->vector(step.weight).data(), *bias = model->vector(step.bias).data();
  for_rows(count, step.in.width, [&](int64_t t) {
    plan.vector->layer_norm(base + step.in.at(count, t), weight, bias, step.in.width, step.epsilon,
                            base + step.out.at(count, t));
  });
}

QuantizedActivations Executor::State::quantize(const float* x, int64_t stride, int64_t width, int64_t count,
                                               float fixed_scale) {
  const int64_t code_stride = (width + 63) / 64 * 64;
  const int64_t scale_stride = (width + kActivationBlock - 1) / kActivationBlock;
  const int64_t sum_stride = (width + kActivationGroup - 1) / kActivationGroup;
  codes.grow(static_cast<size_t>(code_stride * count));
  scales.grow(static_cast<size_t>(scale_stride * count));
  sums.grow(static_cast<size_t>(sum_stride * count));
  for_rows(count, width, [&](int64_t t) {
    quantize_activations(x + t * stride, width, fixed_scale, codes.data() + t * code_stride,
                         scales.data() + t * scale_stride, sums.data() + t * sum_stride);
  });
  return {codes.data(), scales.data(), sums.data(), code_stride, scale_stride, sum_stride};
}

const float* Executor::State::round(const float* x, int64_t stride, int64_t width, int64_t count,
                                    const StaticRange& range) {
  rounded.grow(static_cast<size_t>(width * count));
  for_rows(count, width, [&](int64_t t) { round_to_range(x + t * stride, width, range, rounded.data() + t * width); });
  return rounded.data();
}

void Executor::State::run_step(const LinearStep& step, float* base, int64_t count) {
  LinearArgs common{};
  common.columns = step.in.width;
  common.tokens = count;
  common.x = base + step.in.at(count, 0);
  common.x_stride = step.in.stride;
  if (step.quantize) common.q = quantize(common.x, step.in.stride, step.in.width, count, step.range.scale);
  if (step.round) {
    common.x = round(common.x, step.in.stride, step.in.width, count, step.range);
    common.x_stride = step.in.width;
  }

  // All parts are one range of panels, so that a small matrix does not cost a fork-join of its own.
  std::vector<int64_t> first_panel{0};
  for (const LinearStep::Part& part : step.parts) {
    first_panel.push_back(first_panel.back() + (model->weight(part.weight).rows + kPanelRows - 1) / kPanelRows);
  }
  const int64_t panels = first_panel.back();
  // Kernels keep 4 panels in flight when few tokens stream the weights, and small chunks let threads end together; many
  // tokens unpack what they multiply, and a larger chunk pays for that.
  const int64_t chunk =
      count <= kStreamingTokens ? 4 : std::clamp<int64_t>(panels / (8 * pool.threads()), 4, 32) / 4 * 4;
  pool.parallel_for(panels, chunk, [&](int64_t begin, int64_t end, int thread) {
    for (size_t i = 0; i < step.parts.size(); ++i) {
      const int64_t from = std::max(begin, first_panel[i]), to = std::min(end, first_panel[i + 1]);
      if (from >= to) continue;
      const LinearStep::Part& part = step.parts[i];
      const WeightView& weight = model->weight(part.weight);
      LinearArgs args = common;
      args.weights = weight.data.data();
      args.rows = weight.rows;
      args.panel_begin = from - first_panel[i];
      args.panel_end = to - first_panel[i];
      args.y = base + part.out.at(count, 0);
      args.y_stride = part.out.stride;
      args.scratch = linear_scratch.data() + thread * linear_scratch_stride;
      part.kernel->run(args);
      if (part.bias == kNoWeight) continue;
      const std::vector<float>& bias = model->vector(part.bias);
      const int64_t row_end = std::min(args.rows, args.panel_end * kPanelRows);
      for (int64_t t = 0; t < count; ++t) {
        for (int64_t r = args.panel_begin * kPanelRows; r < row_end; ++r) {
          args.y[t * args.y_stride + r] += bias[static_cast<size_t>(r)];
        }
      }
    }
  });
}

void Executor::State::run_step(const RopeStep& step, float* base, int64_t count) {
  const float* table = rope.data() + rope_offsets[static_cast<size_t>(step.table)];
  for_rows(count, step.in.width, [&](int64_t t) {
    const float* in = base + step.in.at(count, t);
    float* out = base + step.out.at(count, t);
    std::copy(in, in + step.in.width, out);
    const float* cos = table + t * step.rotary;
    plan.vector->rope(out, step.heads, step.head_dim, step.rotary, cos, cos + step.rotary / 2);
  });
}

void Executor::State::run_step(const SwiGluStep& step, float* base, int64_t count) {
  for_rows(count, step.out.width, [&](int64_t t) {
    plan.vector->swiglu(base + step.gate.at(count, t), base + step.up.at(count, t), step.out.width,
                        base + step.out.at(count, t));
  });
}

void Executor::State::run_step(const GeGluStep& step, float* base, int64_t count) {
  for_rows(count, step.out.width, [&](int64_t t) {
    plan.vector->geglu(base + step.gate.at(count, t), base + step.up.at(count, t), step.out.width,
                       base + step.out.at(count, t));
  });
}

void Executor::State::run_step(const GeluStep& step, float* base, int64_t count) {
  for_rows(count, step.out.width, [&](int64_t t) {
    plan.vector->geglu(base + step.in.at(count, t), nullptr, step.out.width, base + step.out.at(count, t));
  });
}

void Executor::State::run_step(const SoftCapStep& step, float* base, int64_t count) {
  for_rows(count, step.out.width, [&](int64_t t) {
    plan.vector->soft_cap(base + step.in.at(count, t), step.out.width, step.cap, base + step.out.at(count, t));
  });
}

void Executor::State::run_step(const AddStep& step, float* base, int64_t count) {
  for_rows(count, step.out.width, [&](int64_t t) {
    plan.vector->add(base + step.a.at(count, t), base + step.b.at(count, t), step.out.width,
                     base + step.out.at(count, t));
  });
}

}  // namespace halftone
