// SPDX-License-Identifier: Apache-2.0
#include "quantize/network/input_rows.h"

#include <algorithm>

#include "base/error.h"
#include "runtime/network/ops/conv.h"

namespace halftone {
namespace {

Status add_patches(const network::Conv& op, const Tensor& x, const Tensor& weight, int64_t run,
                   std::vector<float>& rows) {
  HALFTONE_ASSIGN(const network::ops::ConvShape shape,
                  network::ops::conv_shape(op.window, op.groups, x.shape(), weight.shape()));
  const network::ops::Taps taps(shape.axes, shape.x.spatial_strides);
  const int64_t columns = taps.per_window() * shape.channels_in;
  const size_t before = rows.size();
  rows.resize(before + static_cast<size_t>(shape.x.batch * taps.windows() * columns));  // pads are zeros
  float* row = rows.data() + before;
  std::vector<network::ops::Tap> here;
  for (int64_t n = 0; n < shape.x.batch; ++n) {
    const float* image =
        x.values<float>().data() + n * shape.x.batch_stride + run * shape.channels_in * shape.x.channel_stride;
    for (int64_t window = 0; window < taps.windows(); ++window, row += columns) {
      taps.at(window, here);
      for (const network::ops::Tap& tap : here)
        for (int64_t c = 0; c < shape.channels_in; ++c)
          row[tap.index * shape.weight_tap_stride + c * shape.weight_in_stride] =
              image[tap.from + c * shape.x.channel_stride];
    }
  }
  return {};
}

void add_rows_of_product(const Tensor& x, int64_t columns, bool transposed, std::vector<float>& rows) {
  const auto values = x.values<float>();
  if (!transposed || x.rank() < 2) {
    rows.insert(rows.end(), values.begin(), values.end());
    return;
  }
  const int64_t count = x.dim(x.rank() - 1), size = count * columns;
  for (int64_t matrix = 0; matrix < x.elements(); matrix += size)
    for (int64_t row = 0; row < count; ++row)
      for (int64_t k = 0; k < columns; ++k) rows.push_back(values[static_cast<size_t>(matrix + k * count + row)]);
}

}  // namespace

int64_t input_runs(const network::Node& node) {
  const auto* conv = std::get_if<network::Conv>(&node.op);
  return conv == nullptr ? 1 : conv->groups;
}

Status add_input_rows(const network::Node& node, const Tensor& x, const Tensor& weight, int64_t run,
                      std::vector<float>& rows) {
  if (const auto* conv = std::get_if<network::Conv>(&node.op)) return add_patches(*conv, x, weight, run, rows);
  const auto* product = std::get_if<network::MatMul>(&node.op);
  const bool transposed = product != nullptr ? product->transpose_a : std::get<network::Gemm>(node.op).transpose_a;
  add_rows_of_product(x, weight.dim(1), transposed, rows);
  return {};
}

}  // namespace halftone
