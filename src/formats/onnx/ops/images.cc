// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

constexpr std::string_view kResizeModes[] = {"nearest", "linear", "cubic"};

// A list without numbers stands for none.
ValueId unless_empty(const Lowering& node, ValueId id) {
  const Tensor* list = node.constant(id);
  return list != nullptr && list->elements() == 0 ? kNoValue : id;
}

// Opset 10 and Upsample: x, scales; every output pixel lies where a division by the scale says.
Status old_resize(Lowering& node) {
  Resize op{};
  op.mode = node.choice("mode", kResizeModes, ResizeMode::nearest);
  op.coordinates = CoordinateMode::asymmetric;
  op.nearest = NearestMode::floor;
  ValueId scales = node.in(1);
  if (node.has("scales")) {  // Upsample of opset 7
    const std::vector<float> said = node.numbers("scales");
    scales = node.constant_value(
        Tensor::of<float>(DType::f32, {static_cast<int64_t>(said.size())}, std::span<const float>(said)));
  }
  return node.give(std::move(op), {node.in(0), kNoValue, scales});
}

Status resize(Lowering& node) {
  constexpr std::string_view kCoordinates[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                               "align_corners", "asymmetric",           "tf_crop_and_resize"};
  constexpr std::string_view kNearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  constexpr std::string_view kPolicies[] = {"stretch", "not_larger", "not_smaller"};
  if (node.opset() < 11) return old_resize(node);
  Resize op{};
  op.mode = node.choice("mode", kResizeModes, ResizeMode::nearest);
  op.coordinates = node.choice("coordinate_transformation_mode", kCoordinates, CoordinateMode::half_pixel);
  op.nearest = node.choice("nearest_mode", kNearest, NearestMode::round_prefer_floor);
  op.aspect = node.choice("keep_aspect_ratio_policy", kPolicies, AspectPolicy::stretch);
  op.cubic_a = node.number("cubic_coeff_a", -0.75F);
  op.outside = node.number("extrapolation_value", 0);
  op.exclude_outside = node.flag("exclude_outside");
  op.antialias = node.flag("antialias");
  op.axes = node.integers("axes");
  return node.give(std::move(op), {node.in(0), unless_empty(node, node.in(1)), unless_empty(node, node.in(2)),
                                   unless_empty(node, node.in(3))});
}

Status grid_sample(Lowering& node) {
  constexpr std::string_view kPaddings[] = {"zeros", "border", "reflection"};
  constexpr std::string_view kOldModes[] = {"nearest", "bilinear", "bicubic"};
  const bool old = node.opset() < 20;
  if (!node.has("mode")) node.ignore("mode");
  const ResizeMode mode = old ? node.choice("mode", kOldModes, ResizeMode::linear)
                              : node.choice("mode", kResizeModes, ResizeMode::linear);
  GridSample op{mode};
  op.padding = node.choice("padding_mode", kPaddings, GridPadding::zeros);
  op.align_corners = node.flag("align_corners");
  return node.same(op);
}

Status roi_align(Lowering& node) {
  constexpr std::string_view kModes[] = {"avg", "max"};
  constexpr std::string_view kCoordinates[] = {"output_half_pixel", "half_pixel"};
  RoiAlign op;
  op.max = node.choice("mode", kModes, false);
  op.half_pixel = node.opset() >= 16 && node.choice("coordinate_transformation_mode", kCoordinates, true);
  op.height = node.integer("output_height", 1);
  op.width = node.integer("output_width", 1);
  op.sampling = node.integer("sampling_ratio", 0);
  op.scale = node.number("spatial_scale", 1);
  return node.same(op);
}

constexpr std::array kImageRows = std::to_array<OpRow>({
    {"Resize", resize},
    {"Upsample", old_resize},
    {"GridSample", grid_sample},
    {"AffineGrid", [](Lowering& node) { return node.same(AffineGrid{node.flag("align_corners")}); }},
    {"RoiAlign", roi_align},
});

}  // namespace

std::span<const OpRow> image_rows() { return kImageRows; }

}  // namespace halftone::onnx
