// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/tflite/importer.h"

namespace halftone::tflite {
namespace {

using network::ImageOrder;
using network::ValueId;

constexpr int8_t kSame = 0, kValid = 1;

// Padding, then strides of width and height, begin the options of every window.
Result<network::Window> window_of(Importer& at) {
  network::Window window;
  const auto padding = at.options().scalar<int8_t>(0, kSame);
  if (padding != kSame && padding != kValid)
    return at.refuse(StatusCode::invalid_input,
                     fmt::format("expected the padding SAME or VALID (0, 1), got {}", padding));
  window.auto_pad = padding == kSame ? network::AutoPad::same_upper : network::AutoPad::valid;
  window.strides = {at.options().scalar<int32_t>(2, 0), at.options().scalar<int32_t>(1, 0)};
  window.order = ImageOrder::channels_last;
  for (const int64_t stride : window.strides)
    if (stride < 1)
      return at.refuse(StatusCode::invalid_input, fmt::format("expected strides of 1 or more, got {}", stride));
  return window;
}

Status set_dilations(Importer& at, network::Window& window, int width_field) {
  window.dilations = {at.options().scalar<int32_t>(width_field + 1, 1), at.options().scalar<int32_t>(width_field, 1)};
  for (const int64_t dilation : window.dilations)
    if (dilation < 1)
      return at.refuse(StatusCode::invalid_input, fmt::format("expected dilations of 1 or more, got {}", dilation));
  return {};
}

Status expect_rank(Importer& at, size_t input, size_t rank, std::string_view what) {
  const auto& shape = at.input_info(input).shape;
  if (shape.size() == rank) return {};
  return at.refuse(StatusCode::invalid_input,
                   fmt::format("{}: expected {} dimensions, got {}", what, rank, text_of(shape)));
}

std::vector<ValueId> with_bias(Importer& at, ValueId x, ValueId weight) {
  std::vector<ValueId> inputs = {x, weight};
  if (at.has_input(2)) inputs.push_back(at.input(2));
  return inputs;
}

Status conv(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 3));
  HALFTONE_TRY(expect_rank(at, 0, 4, "input"));
  HALFTONE_TRY(expect_rank(at, 1, 4, "weight"));
  network::Conv op;
  HALFTONE_ASSIGN(op.window, window_of(at));
  HALFTONE_TRY(set_dilations(at, op.window, 4));
  const int64_t channels = at.input_info(0).shape[3], per_group = at.input_info(1).shape[3];
  if (per_group < 1 || channels % per_group != 0)
    return at.refuse(StatusCode::invalid_input,
                     fmt::format("expected a weight of {} channels or a part of them, got {}", channels, per_group));
  op.groups = channels / per_group;
  const ValueId x = at.input(0), weight = at.input(1);
  return at.give_activated(at.add(op, with_bias(at, x, weight)), 3);
}

// The weight is (1, height, width, out): a group per input channel.
Status depthwise(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 3));
  HALFTONE_TRY(expect_rank(at, 0, 4, "input"));
  HALFTONE_TRY(expect_rank(at, 1, 4, "weight"));
  network::Conv op;
  HALFTONE_ASSIGN(op.window, window_of(at));
  HALFTONE_TRY(set_dilations(at, op.window, 5));
  const auto& sizes = at.input_info(1).shape;
  op.groups = at.input_info(0).shape[3];
  if (sizes[0] != 1 || op.groups < 1 || sizes[3] % op.groups != 0)
    return at.refuse(
        StatusCode::invalid_input,
        fmt::format("expected a weight of [1, height, width, a multiple of {}], got {}", op.groups, text_of(sizes)));
  const ValueId x = at.input(0), weight = at.moved(1, {3, 1, 2, 0});
  return at.give_activated(at.add(op, with_bias(at, x, weight)), 4);
}

// Inputs: the output's shape, weight (out, height, width, in), x, optional bias.
Status transpose_conv(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(3, 4));
  HALFTONE_TRY(expect_rank(at, 1, 4, "weight"));
  HALFTONE_TRY(expect_rank(at, 2, 4, "input"));
  HALFTONE_ASSIGN(const std::vector<int64_t> shape, at.constant_indices(0, "output shape"));
  if (shape.size() != 4)
    return at.refuse(StatusCode::invalid_input, fmt::format("output shape: expected 4 sizes, got {}", text_of(shape)));
  network::ConvTranspose op;
  HALFTONE_ASSIGN(op.window, window_of(at));
  const bool same = op.window.auto_pad == network::AutoPad::same_upper;
  op.window.auto_pad = network::AutoPad::explicit_pads;
  op.window.order = ImageOrder::channels_first;
  for (size_t k = 0; k < 2; ++k) {
    const int64_t in = at.input_info(2).shape[k + 1], kernel = at.input_info(1).shape[k + 1];
    const int64_t surplus = (in - 1) * op.window.strides[k] + kernel - shape[k + 1];
    const int64_t pads = same && surplus > 0 ? surplus : 0;
    op.window.pads_begin.push_back(pads / 2);
    op.window.pads_end.push_back(pads - pads / 2);
    op.output_padding.push_back(pads - surplus);
    if (op.output_padding.back() < 0 || op.output_padding.back() >= op.window.strides[k])
      return at.refuse(StatusCode::invalid_input,
                       fmt::format("output shape: expected one that strides and padding give, got {}", text_of(shape)));
  }
  const ValueId x = at.add(network::Transpose{{0, 3, 1, 2}}, {at.input(2)});
  std::vector<ValueId> inputs = {x, at.moved(1, {3, 0, 1, 2})};
  if (at.has_input(3)) inputs.push_back(at.input(3));
  const ValueId y = at.add(op, std::move(inputs));
  return at.give_activated(at.add(network::Transpose{{0, 2, 3, 1}}, {y}), 3);
}

template <network::PoolKind kKind>
Status pool(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  network::Pool op{kKind, {}};
  HALFTONE_ASSIGN(op.window, window_of(at));
  op.window.kernel = {at.options().scalar<int32_t>(4, 0), at.options().scalar<int32_t>(3, 0)};
  for (const int64_t size : op.window.kernel)
    if (size < 1)
      return at.refuse(StatusCode::invalid_input, fmt::format("expected a window of 1 or more, got {}", size));
  return at.give_activated(at.add(op, {at.input(0)}), 5);
}

// Weight (out, in). Unless the options keep dimensions, the input becomes (rows, in).
Status fully_connected(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 3));
  HALFTONE_TRY(expect_rank(at, 1, 2, "weight"));
  if (const auto format = at.options().scalar<int8_t>(1, 0); format != 0)
    return at.refuse(StatusCode::unsupported,
                     fmt::format("expected weights in plain order (0), got format {}", format));
  const auto& shape = at.input_info(0).shape;
  const int64_t in = at.input_info(1).shape[1];
  const bool keep = at.options().scalar<uint8_t>(2, 0) != 0;
  ValueId x = at.input(0);
  const ValueId weight = at.input(1);
  if (keep && shape.size() != 2) {
    ValueId y = at.add(network::MatMul{false, true}, {x, weight});
    if (at.has_input(2)) y = at.add(network::Binary{network::BinaryKind::add}, {y, at.input(2)});
    return at.give_activated(y, 0);
  }
  if (shape.size() != 2 || shape[1] != in) x = at.add(network::Reshape{true}, {x, at.constant({-1, in})});
  return at.give_activated(at.add(network::Gemm{1, 1, false, true}, with_bias(at, x, weight)), 0);
}

Status batch_matmul(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  const network::MatMul op{at.options().scalar<uint8_t>(0, 0) != 0, at.options().scalar<uint8_t>(1, 0) != 0};
  return at.give(0, at.add(op, {at.input(0), at.input(1)}));
}

constexpr RuleRow kWindows[] = {
    {"CONV_2D", conv},
    {"DEPTHWISE_CONV_2D", depthwise},
    {"TRANSPOSE_CONV", transpose_conv},
    {"AVERAGE_POOL_2D", pool<network::PoolKind::average>},
    {"MAX_POOL_2D", pool<network::PoolKind::max>},
    {"FULLY_CONNECTED", fully_connected},
    {"BATCH_MATMUL", batch_matmul},
};

}  // namespace

std::span<const RuleRow> window_rules() { return kWindows; }

}  // namespace halftone::tflite
