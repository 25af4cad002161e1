// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/ops/windows.h"

namespace halftone::onnx {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

Window read_window(Lowering& node) {
  constexpr std::string_view kAutoPads[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
  Window window;
  window.kernel = node.integers("kernel_shape");
  window.strides = node.integers("strides");
  window.dilations = node.integers("dilations");
  window.auto_pad = node.choice("auto_pad", kAutoPads, AutoPad::explicit_pads);
  const std::vector<int64_t> pads = node.integers("pads");
  if (pads.size() % 2 != 0) node.complain("pads that are not pairs");
  const auto half = static_cast<ptrdiff_t>(pads.size() / 2);
  window.pads_begin.assign(pads.begin(), pads.begin() + half);
  window.pads_end.assign(pads.begin() + half, pads.end());
  return window;
}

Result<Window> read_weight_window(Lowering& node, ValueId weight) {
  Window window = read_window(node);
  const Tensor* numbers = node.constant(weight);
  const std::vector<int64_t> said = std::move(window.kernel);
  window.kernel.clear();
  if (said.empty() || numbers == nullptr) return window;
  const Shape& shape = numbers->shape();
  if (shape.size() != said.size() + 2 || !std::equal(said.begin(), said.end(), shape.begin() + 2))
    return invalid_input("expected a weight of {} axes that end with kernel_shape {}, got {}", said.size() + 2,
                         text_of(said), text_of(shape));
  return window;
}

namespace {

Status conv(Lowering& node) {
  HALFTONE_ASSIGN(Window window, read_weight_window(node, node.in(1)));
  return node.same(Conv{std::move(window), node.integer("group", 1)});
}

Status conv_integer(Lowering& node) {
  HALFTONE_ASSIGN(Window window, read_weight_window(node, node.in(1)));
  return node.same(IntegerConv{std::move(window), node.integer("group", 1)});
}

Status conv_transpose(Lowering& node) {
  HALFTONE_ASSIGN(Window window, read_weight_window(node, node.in(1)));
  ConvTranspose op{std::move(window), node.integer("group", 1), {}, {}};
  op.output_padding = node.integers("output_padding");
  op.output_shape = node.integers("output_shape");
  return node.same(std::move(op));
}

template <PoolKind kind>
Status pool(Lowering& node) {
  Pool op{kind, read_window(node)};
  if (op.window.kernel.empty()) return invalid_input("attribute kernel_shape: expected sizes, got none");
  op.window.ceil = node.flag("ceil_mode");
  if (kind == PoolKind::average) op.count_pads = node.flag("count_include_pad");
  if (kind == PoolKind::lp) op.p = node.integer("p", 2);
  if (kind == PoolKind::max) op.column_major = node.flag("storage_order");
  return node.same(std::move(op));
}

template <PoolKind kind>
Status global_pool(Lowering& node) {
  Pool op{kind, {}};
  op.global = true;
  if (kind == PoolKind::lp) op.p = node.integer("p", 2);
  return node.same(std::move(op));
}

constexpr std::array kWindowRows = std::to_array<OpRow>({
    {"Conv", conv},
    {"ConvInteger", conv_integer},
    {"ConvTranspose", conv_transpose},
    {"AveragePool", pool<PoolKind::average>},
    {"MaxPool", pool<PoolKind::max>},
    {"LpPool", pool<PoolKind::lp>},
    {"GlobalAveragePool", global_pool<PoolKind::average>},
    {"GlobalMaxPool", global_pool<PoolKind::max>},
    {"GlobalLpPool", global_pool<PoolKind::lp>},
    {"MaxUnpool", [](Lowering& node) { return node.same(MaxUnpool{read_window(node)}); }},
    {"Col2Im", [](Lowering& node) { return node.same(Col2Im{read_window(node)}); }},
});

}  // namespace

std::span<const OpRow> window_rows() { return kWindowRows; }

}  // namespace halftone::onnx
