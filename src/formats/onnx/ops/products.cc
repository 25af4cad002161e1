// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "formats/onnx/lowering.h"

namespace halftone::onnx {
namespace {

using namespace network;  // NOLINT(google-build-using-namespace): ops by their own names

Status gemm(Lowering& node) {
  Gemm op;
  op.alpha = node.number("alpha", 1);
  op.beta = node.number("beta", 1);
  op.transpose_a = node.flag("transA");
  op.transpose_b = node.flag("transB");
  return node.same(op);
}

constexpr std::array kProductRows = std::to_array<OpRow>({
    {"MatMul", [](Lowering& node) { return node.same(MatMul{}); }},
    {"MatMulInteger", [](Lowering& node) { return node.same(IntegerMatMul{}); }},
    {"Gemm", gemm},
    {"Einsum", [](Lowering& node) { return node.same(Einsum{std::string(node.text("equation", ""))}); }},
});

}  // namespace

std::span<const OpRow> product_rows() { return kProductRows; }

}  // namespace halftone::onnx
