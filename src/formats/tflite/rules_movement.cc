// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/tflite/importer.h"

namespace halftone::tflite {
namespace {

using network::ImageOrder;
using network::ValueId;

Status reshape(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 2));
  if (at.has_input(1)) return at.give(0, at.add(network::Reshape{true}, {at.input(0), at.indices(1)}));
  std::vector<int64_t> shape;
  for (const int32_t size : at.options().list<int32_t>(0)) shape.push_back(size);
  return at.give(0, at.add(network::Reshape{true}, {at.input(0), at.constant(shape)}));
}

Status transpose(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  HALFTONE_ASSIGN(std::vector<int64_t> order, at.constant_indices(1, "order"));
  return at.give(0, at.add(network::Transpose{std::move(order)}, {at.input(0)}));
}

Status concat(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, SIZE_MAX));
  std::vector<ValueId> parts;
  for (size_t i = 0; i < at.input_count(); ++i) parts.push_back(at.input(i));
  return at.give_activated(at.add(network::Concat{at.options().scalar<int32_t>(0, 0)}, std::move(parts)), 1);
}

Status give_all(Importer& at, const std::vector<ValueId>& values) {
  for (size_t i = 0; i < values.size(); ++i) HALFTONE_TRY(at.give(i, values[i]));
  return {};
}

Result<int64_t> axis_input(Importer& at, size_t input) {
  HALFTONE_ASSIGN(const std::vector<int64_t> axis, at.constant_indices(input, "axis"));
  if (axis.size() != 1)
    return at.refuse(StatusCode::invalid_input, fmt::format("axis: expected one number, got {}", axis.size()));
  return axis[0];
}

Status split(Importer& at) {  // axis, x
  HALFTONE_TRY(at.expect_inputs(2, 2));
  HALFTONE_ASSIGN(const int64_t axis, axis_input(at, 0));
  return give_all(at, at.add(network::Split{axis}, {at.input(1)}, at.output_count()));
}

Status split_sizes(Importer& at) {  // x, sizes, axis
  HALFTONE_TRY(at.expect_inputs(3, 3));
  HALFTONE_ASSIGN(const int64_t axis, axis_input(at, 2));
  return give_all(at, at.add(network::Split{axis}, {at.input(0), at.indices(1)}, at.output_count()));
}

Status pack(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, SIZE_MAX));
  const int64_t axis = at.options().scalar<int32_t>(1, 0);
  std::vector<ValueId> parts;
  for (size_t i = 0; i < at.input_count(); ++i)
    parts.push_back(at.add(network::Unsqueeze{}, {at.input(i), at.constant({axis})}));
  return at.give(0, at.add(network::Concat{axis}, std::move(parts)));
}

Status unpack(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  const int64_t axis = at.options().scalar<int32_t>(1, 0);
  const std::vector<ValueId> parts = at.add(network::Split{axis}, {at.input(0)}, at.output_count());
  for (size_t i = 0; i < parts.size(); ++i)
    HALFTONE_TRY(at.give(i, at.add(network::Squeeze{}, {parts[i], at.constant({axis})})));
  return {};
}

Status squeeze(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  std::vector<int64_t> axes;
  for (const int32_t axis : at.options().list<int32_t>(0)) axes.push_back(axis);
  if (axes.empty()) return at.give(0, at.add(network::Squeeze{}, {at.input(0)}));
  return at.give(0, at.add(network::Squeeze{}, {at.input(0), at.constant(axes)}));
}

Status expand_dims(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  HALFTONE_ASSIGN(const int64_t axis, axis_input(at, 1));
  return at.give(0, at.add(network::Unsqueeze{}, {at.input(0), at.constant({axis})}));
}

Status slice(Importer& at) {  // x, begins, sizes (-1: to the end)
  HALFTONE_TRY(at.expect_inputs(3, 3));
  HALFTONE_ASSIGN(const std::vector<int64_t> begins, at.constant_indices(1, "begins"));
  HALFTONE_ASSIGN(std::vector<int64_t> ends, at.constant_indices(2, "sizes"));
  if (begins.size() != ends.size())
    return at.refuse(StatusCode::invalid_input,
                     fmt::format("expected as many begins as sizes, got {} and {}", begins.size(), ends.size()));
  for (size_t i = 0; i < ends.size(); ++i)
    if (ends[i] == -1 || __builtin_add_overflow(begins[i], ends[i], &ends[i])) ends[i] = INT64_MAX;
  return at.give(0, at.add(network::Slice{}, {at.input(0), at.constant(begins), at.constant(ends)}));
}

// Slices the axes that the masks leave, then drops and adds axes.
Status strided_slice(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(4, 4));
  HALFTONE_ASSIGN(const std::vector<int64_t> begin, at.constant_indices(1, "begins"));
  HALFTONE_ASSIGN(const std::vector<int64_t> end, at.constant_indices(2, "ends"));
  HALFTONE_ASSIGN(const std::vector<int64_t> stride, at.constant_indices(3, "strides"));
  if (begin.size() != end.size() || begin.size() != stride.size() || begin.size() > 31)
    return at.refuse(StatusCode::invalid_input, "expected as many begins as ends and strides, at most 31");
  const auto mask = [&](int field) { return static_cast<uint32_t>(at.options().scalar<int32_t>(field, 0)); };
  if (mask(2) != 0) return at.refuse(StatusCode::unsupported, "expected no ellipsis mask, got one");
  if (at.options().scalar<uint8_t>(5, 0) != 0)
    return at.refuse(StatusCode::unsupported, "expected ends counted from 0, got ends counted from the begins");
  std::vector<int64_t> starts, ends, axes, steps, dropped, added;
  int64_t axis = 0;  // of the input
  for (size_t i = 0; i < begin.size(); ++i) {
    if (stride[i] == 0) return at.refuse(StatusCode::invalid_input, "expected strides other than 0, got 0");
    if (mask(3) >> i & 1) {
      added.push_back(static_cast<int64_t>(i));
      continue;
    }
    const bool shrink = mask(4) >> i & 1, forward = stride[i] > 0;
    axes.push_back(axis);
    starts.push_back(mask(0) >> i & 1 ? (forward ? 0 : INT64_MAX) : begin[i]);
    ends.push_back(mask(1) >> i & 1 ? (forward ? INT64_MAX : INT64_MIN) : end[i]);
    steps.push_back(stride[i]);
    if (shrink) {
      ends.back() = begin[i] == -1 ? INT64_MAX : begin[i] + 1;
      starts.back() = begin[i];
      steps.back() = 1;
      dropped.push_back(axis);
    }
    ++axis;
  }
  if (!added.empty() && !dropped.empty())
    return at.refuse(StatusCode::unsupported, "expected new axes or dropped ones, got both");
  ValueId x = at.add(network::Slice{},
                     {at.input(0), at.constant(starts), at.constant(ends), at.constant(axes), at.constant(steps)});
  if (!dropped.empty()) x = at.add(network::Squeeze{}, {x, at.constant(dropped)});
  if (!added.empty()) x = at.add(network::Unsqueeze{}, {x, at.constant(added)});
  return at.give(0, x);
}

// Rows of (before, after) per axis.
Result<ValueId> pads_of(Importer& at, size_t input) {
  HALFTONE_ASSIGN(const std::vector<int64_t> rows, at.constant_indices(input, "pads"));
  std::vector<int64_t> pads;
  for (size_t i = 0; i + 1 < rows.size(); i += 2) pads.push_back(rows[i]);
  for (size_t i = 1; i < rows.size(); i += 2) pads.push_back(rows[i]);
  return at.constant(pads);
}

Status pad(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 3));
  HALFTONE_ASSIGN(const ValueId pads, pads_of(at, 1));
  std::vector<ValueId> inputs = {at.input(0), pads};
  if (at.has_input(2)) inputs.push_back(at.input(2));
  return at.give(0, at.add(network::Pad{network::PadMode::constant}, std::move(inputs)));
}

Status mirror_pad(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  if (at.options().scalar<int8_t>(0, 0) != 0)
    return at.refuse(StatusCode::unsupported, "expected the mode REFLECT (0), got SYMMETRIC");
  HALFTONE_ASSIGN(const ValueId pads, pads_of(at, 1));
  return at.give(0, at.add(network::Pad{network::PadMode::reflect}, {at.input(0), pads}));
}

Status gather(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  if (at.options().scalar<int32_t>(1, 0) != 0)
    return at.refuse(StatusCode::unsupported, "expected no batch dimensions, got some");
  return at.give(0, at.add(network::Gather{at.options().scalar<int32_t>(0, 0)}, {at.input(0), at.indices(1)}));
}

Status gather_nd(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  return at.give(0, at.add(network::GatherNd{}, {at.input(0), at.indices(1)}));
}

template <class Op>
Status by_indices(Importer& at) {  // x, then i64
  HALFTONE_TRY(at.expect_inputs(2, 2));
  return at.give(0, at.add(Op{}, {at.input(0), at.indices(1)}));
}

template <class Op>
Status space(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  const int64_t block = at.options().scalar<int32_t>(0, 0);
  if (block < 1)
    return at.refuse(StatusCode::invalid_input, fmt::format("expected a block of 1 or more, got {}", block));
  Op op{block};
  op.order = ImageOrder::channels_last;
  return at.give(0, at.add(op, {at.input(0)}));
}

template <network::ResizeMode kMode>
Status resize(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  const bool corners = at.options().scalar<uint8_t>(kMode == network::ResizeMode::linear ? 2 : 0, 0) != 0;
  const bool half = at.options().scalar<uint8_t>(kMode == network::ResizeMode::linear ? 3 : 1, 0) != 0;
  network::Resize op;
  op.mode = kMode;
  op.coordinates = corners ? network::CoordinateMode::align_corners
                   : half  ? network::CoordinateMode::half_pixel
                           : network::CoordinateMode::asymmetric;
  op.nearest = corners || half ? network::NearestMode::round_prefer_ceil : network::NearestMode::floor;
  op.axes = {1, 2};
  return at.give(0, at.add(op, {at.input(0), network::kNoValue, network::kNoValue, at.indices(1)}));
}

Status shape_of(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(1, 1));
  const ValueId shape = at.add(network::ShapeOf{}, {at.input(0)});
  const bool wide = at.output_count() > 0 && at.output_info(0).element == Element::i64;
  return at.give(0, wide ? shape : at.add(network::Cast{DType::i32}, {shape}));
}

Status fill(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  const ValueId value = at.add(network::Reshape{true}, {at.input(1), at.constant({1})});
  return at.give(0, at.add(network::ConstantOfShape{}, {at.indices(0), value}));
}

Status range(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(3, 3));
  return at.give(0, at.add(network::Range{}, {at.input(0), at.input(1), at.input(2)}));
}

Status one_hot(Importer& at) {  // indices, depth, on, off
  HALFTONE_TRY(at.expect_inputs(4, 4));
  const ValueId one = at.constant({1});
  const ValueId off = at.add(network::Reshape{true}, {at.input(3), one});
  const ValueId on = at.add(network::Reshape{true}, {at.input(2), one});
  const ValueId values = at.add(network::Concat{0}, {off, on});
  return at.give(0,
                 at.add(network::OneHot{at.options().scalar<int32_t>(0, 0)}, {at.indices(0), at.indices(1), values}));
}

Status reverse(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  HALFTONE_ASSIGN(const std::vector<int64_t> axes, at.constant_indices(1, "axes"));
  const std::vector<int64_t> starts(axes.size(), INT64_MAX), ends(axes.size(), INT64_MIN), steps(axes.size(), -1);
  return at.give(0, at.add(network::Slice{}, {at.input(0), at.constant(starts), at.constant(ends), at.constant(axes),
                                              at.constant(steps)}));
}

Status reverse_sequence(Importer& at) {
  HALFTONE_TRY(at.expect_inputs(2, 2));
  const network::ReverseSequence op{at.options().scalar<int32_t>(1, 0), at.options().scalar<int32_t>(0, 0)};
  return at.give(0, at.add(op, {at.input(0), at.indices(1)}));
}

constexpr RuleRow kMovement[] = {
    {"RESHAPE", reshape},
    {"TRANSPOSE", transpose},
    {"CONCATENATION", concat},
    {"SPLIT", split},
    {"SPLIT_V", split_sizes},
    {"PACK", pack},
    {"UNPACK", unpack},
    {"SQUEEZE", squeeze},
    {"EXPAND_DIMS", expand_dims},
    {"SLICE", slice},
    {"STRIDED_SLICE", strided_slice},
    {"PAD", pad},
    {"PADV2", pad},
    {"MIRROR_PAD", mirror_pad},
    {"GATHER", gather},
    {"GATHER_ND", gather_nd},
    {"TILE", by_indices<network::Tile>},
    {"BROADCAST_TO", by_indices<network::Expand>},
    {"DEPTH_TO_SPACE", space<network::DepthToSpace>},
    {"SPACE_TO_DEPTH", space<network::SpaceToDepth>},
    {"RESIZE_BILINEAR", resize<network::ResizeMode::linear>},
    {"RESIZE_NEAREST_NEIGHBOR", resize<network::ResizeMode::nearest>},
    {"SHAPE", shape_of},
    {"FILL", fill},
    {"RANGE", range},
    {"ONE_HOT", one_hot},
    {"REVERSE_V2", reverse},
    {"REVERSE_SEQUENCE", reverse_sequence},
};

}  // namespace

std::span<const RuleRow> movement_rules() { return kMovement; }

}  // namespace halftone::tflite
