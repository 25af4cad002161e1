// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstring>

#include "formats/onnx/ops/windows.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

constexpr std::string_view kMicrosoft = "com.microsoft";

// A number of codes, its scale and zero point, one behind the other in the inputs.
ValueId dequantized(Lowering& node, size_t first, int64_t axis = 1) {
  return node.make(Dequantize{axis}, {node.in(first), node.in(first + 1), node.in(first + 2)});
}

// The file's output from a float, with the scale and zero point at `first` of the inputs.
Status quantized(Lowering& node, ValueId x, size_t first) {
  const DType type = node.type_of(node.in(first + 1)).value_or(DType::u8);
  return node.give(Quantize{type}, {x, node.in(first), node.in(first + 1)});
}

// Codes of 2 and 4 bits lie in a byte each: the byte's range is cut to theirs.
Status quantize_linear(Lowering& node) {
  node.ignore("saturate");   // of 8-bit floats, which are refused
  node.ignore("precision");  // we divide in float32
  Quantize op{DType::u8, node.integer("axis", 1), node.integer("block_size", 0)};
  std::optional<ElementType> type = node.element("output_dtype");
  if (const auto narrow = node.draft().narrow.find(node.in(2)); narrow != node.draft().narrow.end())
    type = narrow->second;
  if (type)
    op.to = type->type;
  else if (node.in(2) != kNoValue)
    op.to = node.type_of(node.in(2)).value_or(DType::u8);
  if (!type || !type->narrow()) return node.same(op);
  const ValueId wide = node.make(op, node.all_in());
  node.draft().narrow.emplace(node.out(0), *type);
  return node.give(Clip{}, {wide, node.scalar(static_cast<double>(type->least), type->type),
                            node.scalar(static_cast<double>(type->most), type->type)});
}

Status dequantize_linear(Lowering& node) {
  const Dequantize op{node.integer("axis", 1), node.integer("block_size", 0)};
  const auto type = node.element("output_dtype");
  if (!type || type->type == node.type_of(node.in(1))) return node.same(op);
  return node.give(Cast{type->type}, {node.make(op, node.all_in())});
}

// The convolution of the numbers that the codes stand for; the bias has the product of both scales.
Status q_linear_conv(Lowering& node) {
  HALFTONE_ASSIGN(Window window, read_weight_window(node, node.in(3)));
  const ValueId x = dequantized(node, 0), weight = dequantized(node, 3, 0);
  std::vector<ValueId> inputs = {x, weight};
  if (node.in(8) != kNoValue) {
    const ValueId scale = node.make(Binary{BinaryKind::multiply}, {node.in(1), node.in(4)});
    inputs.push_back(node.make(Dequantize{0}, {node.in(8), scale}));
  }
  return quantized(node, node.make(Conv{std::move(window), node.integer("group", 1)}, std::move(inputs)), 6);
}

Status q_linear_matmul(Lowering& node) {
  const ValueId a = dequantized(node, 0, -2), b = dequantized(node, 3, -1);
  return quantized(node, node.make(MatMul{}, {a, b}), 6);
}

template <BinaryKind kind>
Status q_linear_binary(Lowering& node) {
  const ValueId a = dequantized(node, 0), b = dequantized(node, 3);
  return quantized(node, node.make(Binary{kind}, {a, b}), 6);
}

Status q_linear_unary(Lowering& node, Op op) {
  return quantized(node, node.make(std::move(op), {dequantized(node, 0)}), 3);
}

Status q_linear_average_pool(Lowering& node) {
  Pool op{PoolKind::average, read_window(node)};
  op.window.ceil = node.flag("ceil_mode");
  op.count_pads = node.flag("count_include_pad");
  if (node.flag("channels_last")) op.window.order = ImageOrder::channels_last;
  return q_linear_unary(node, std::move(op));
}

Status q_linear_global_pool(Lowering& node) {
  Pool op{PoolKind::average, {}};
  op.global = true;
  if (node.flag("channels_last")) op.window.order = ImageOrder::channels_last;
  return q_linear_unary(node, std::move(op));
}

Status q_linear_concat(Lowering& node) {
  std::vector<ValueId> parts;
  for (size_t i = 2; i + 2 < node.inputs(); i += 3) parts.push_back(dequantized(node, i));
  return quantized(node, node.make(Concat{node.required_integer("axis")}, std::move(parts)), 0);
}

// Integers times both scales, plus a bias.
Status scaled_product(Lowering& node, std::vector<ValueId> product, ValueId a_scale, ValueId b_scale, ValueId bias) {
  const ValueId sums = node.make(IntegerMatMul{}, std::move(product));
  const ValueId scale = node.make(Binary{BinaryKind::multiply}, {a_scale, b_scale});
  const ValueId y = node.make(Binary{BinaryKind::multiply}, {node.make(Cast{DType::f32}, {sums}), scale});
  if (bias == kNoValue) return node.give(Identity{}, {y});
  return node.give(Binary{BinaryKind::add}, {y, bias});
}

Status matmul_integer_to_float(Lowering& node) {
  return scaled_product(node, {node.in(0), node.in(1), node.in(4), node.in(5)}, node.in(2), node.in(3), node.in(6));
}

Status dynamic_quantize_matmul(Lowering& node) {
  Draft& draft = node.draft();
  const ValueId codes = draft.add_value("codes"), scale = draft.add_value("scale"), zero = draft.add_value("zero");
  node.add(DynamicQuantize{}, {node.in(0)}, {codes, scale, zero});
  return scaled_product(node, {codes, node.in(1), zero, node.in(3)}, scale, node.in(2), node.in(4));
}

// Codes of `bits` as bytes of their own: `rows` of `columns`, each row of `stride` bytes, the first in the low bits.
Tensor unpack_codes(const Tensor& packed, int64_t rows, int64_t columns, int64_t stride, int64_t bits) {
  Result<Tensor> made = Tensor::make(DType::u8, {rows, columns});
  HALFTONE_CHECK(made.ok());
  const auto from = packed.values<uint8_t>();
  const auto to = made->mutable_values<uint8_t>();
  const int64_t per_byte = 8 / bits, mask = (1 << bits) - 1;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = 0; k < columns; ++k)
      to[static_cast<size_t>(row * columns + k)] = static_cast<uint8_t>(
          from[static_cast<size_t>(row * stride + k / per_byte)] >> (bits * (k % per_byte)) & mask);
  return *std::move(made);
}

// A times a matrix (n, k) of packed codes in blocks along k. Codes become a byte each; nothing else is expanded.
Status matmul_n_bits(Lowering& node) {
  node.ignore("accuracy_level");  // how exactly others compute; we do so in float32
  const int64_t k = node.required_integer("K"), n = node.required_integer("N");
  const int64_t bits = node.integer("bits", 4), block = node.required_integer("block_size");
  if (bits != 2 && bits != 4 && bits != 8) return unsupported("{} bits", bits);
  if (node.in(4) != kNoValue) return unsupported("g_idx");
  const Tensor* packed = node.constant(node.in(1));
  if (packed == nullptr) return unsupported("codes that are known only when it runs");
  constexpr int64_t kMost = int64_t{1} << 30;
  if (k < 1 || n < 1 || block < 1 || k > kMost || n > kMost || block > kMost || block * bits % 8 != 0)
    return invalid_input("expected positive sizes and blocks of whole bytes, got K {}, N {}, block_size {}", k, n,
                         block);
  const int64_t blocks = (k + block - 1) / block, stride = blocks * block * bits / 8;
  if (packed->type() != DType::u8 || packed->size_bytes() != n * stride)
    return invalid_input("codes: expected {} rows of {} bytes (u8), got {} of {}", n, stride, text_of(packed->shape()),
                         halftone::name_of(packed->type()));
  const ValueId codes = node.constant_value(unpack_codes(*packed, n, k, stride, bits));
  const ValueId blocked = node.integers_value({n, blocks});
  const ValueId scales = node.make(Reshape{}, {node.in(2), blocked});
  ValueId zeros = kNoValue;
  const Tensor* said = node.constant(node.in(3));
  if (node.in(3) == kNoValue) {
    const std::vector<uint8_t> middle(static_cast<size_t>(n * blocks), static_cast<uint8_t>(1 << (bits - 1)));
    zeros = node.constant_value(Tensor::of<uint8_t>(DType::u8, {n, blocks}, std::span<const uint8_t>(middle)));
  } else {
    const int64_t zero_stride = (blocks * bits + 7) / 8;
    if (said == nullptr || said->type() != DType::u8) return unsupported("zero points that are no packed codes");
    if (said->size_bytes() != n * zero_stride)
      return invalid_input("zero points: expected {} bytes, got {}", n * zero_stride, said->size_bytes());
    zeros = node.constant_value(unpack_codes(*said, n, blocks, zero_stride, bits));
  }
  const ValueId weight = node.make(Dequantize{1, block}, {codes, scales, zeros});
  MatMul product;
  product.transpose_b = true;
  if (node.in(5) == kNoValue) return node.give(product, {node.in(0), weight});
  return node.give(Binary{BinaryKind::add}, {node.make(product, {node.in(0), weight}), node.in(5)});
}

constexpr std::array kQuantizedRows = std::to_array<OpRow>({
    {"QuantizeLinear", quantize_linear},
    {"DequantizeLinear", dequantize_linear},
    {"DynamicQuantizeLinear", [](Lowering& node) { return node.same(DynamicQuantize{}); }},
    {"QLinearConv", q_linear_conv},
    {"QLinearMatMul", q_linear_matmul},
    {"QuantizeLinear", quantize_linear, kMicrosoft},
    {"DequantizeLinear", dequantize_linear, kMicrosoft},
    {"QLinearAdd", q_linear_binary<BinaryKind::add>, kMicrosoft},
    {"QLinearMul", q_linear_binary<BinaryKind::multiply>, kMicrosoft},
    {"QLinearSigmoid", [](Lowering& node) { return q_linear_unary(node, Unary{UnaryKind::sigmoid}); }, kMicrosoft},
    {"QLinearLeakyRelu",
     [](Lowering& node) {
       return q_linear_unary(node, Unary{UnaryKind::leaky_relu, node.number("alpha", 0.01F)});
     },
     kMicrosoft},
    {"QLinearAveragePool", q_linear_average_pool, kMicrosoft},
    {"QLinearGlobalAveragePool", q_linear_global_pool, kMicrosoft},
    {"QLinearConcat", q_linear_concat, kMicrosoft},
    {"MatMulIntegerToFloat", matmul_integer_to_float, kMicrosoft},
    {"DynamicQuantizeMatMul", dynamic_quantize_matmul, kMicrosoft},
    {"MatMulNBits", matmul_n_bits, kMicrosoft},
});

}  // namespace

std::span<const OpRow> quantized_rows() { return kQuantizedRows; }

}  // namespace halftone::onnx
