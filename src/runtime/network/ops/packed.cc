// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/ops/packed.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "kernels/conv/conv.h"
#include "runtime/network/ops/run_table.h"

namespace halftone::network::ops {
namespace {

constexpr int64_t kBufferNumbers = 1 << 20;  // of x at a time, beside the shortest that a few rows are
constexpr int64_t kLeastRows = 64;
constexpr int64_t kPiecesOfThread = 8;

int64_t ceil_to(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Rows [first, first + count) of x as floats that lie at the pointer, so many apart. `to` has room for them.
struct RowsAt {
  const float* x;
  int64_t stride;
};
using Gather = std::function<RowsAt(int64_t first, int64_t count, float* to)>;

// One group of outputs: rows [16 * panel_begin, 16 * panel_end) of the matrix.
class Multiplier {
 public:
  Multiplier(const PackedInput& weight, OpContext& context)
      : weight_(weight.constant.matrix),
        kernel_(*select_linear(weight_.layout->id, weight_.order, weight.activations, weight.isa)),
        scratch_(context.scratch != nullptr ? *context.scratch : own_),
        pool_(context.pool),
        isa_(weight.isa) {
    const auto bytes = static_cast<size_t>(linear_scratch_bytes(weight_.columns));
    scratch_.of_thread.resize(static_cast<size_t>(pool_.threads()));
    for (auto& one : scratch_.of_thread) one.grow(bytes);
    code_stride_ = ceil_to(weight_.columns, kActivationGroup);
    scale_stride_ = (weight_.columns + kActivationBlock - 1) / kActivationBlock;
    sum_stride_ = code_stride_ / kActivationGroup;
  }

  // y: (rows, stride), whose columns are those rows of the matrix that exist.
  void run(int64_t rows, const Gather& gather, const Ends& ends, float* y, int64_t stride) {
    const int64_t chunk = std::min(rows, std::max(kBufferNumbers / std::max<int64_t>(weight_.columns, 1), kLeastRows));
    for (int64_t first = 0; first < rows; first += chunk) {
      const int64_t count = std::min(chunk, rows - first);
      const RowsAt at = collect(first, count, gather);
      multiply(first, count, at, ends, y, stride);
    }
  }

 private:
  bool int8() const { return kernel_.activations == Activations::int8; }

  RowsAt collect(int64_t first, int64_t count, const Gather& gather) {
    // Where rows lie already, gather() ignores the room.
    const RowsAt probe = gather(first, 0, nullptr);
    const bool copies = probe.x == nullptr;
    const int64_t piece = std::clamp<int64_t>(count / (4 * pool_.threads()), 1, 96);
    if (copies)
      scratch_.rows.grow(
          static_cast<size_t>(int8() ? pool_.threads() * piece * weight_.columns : count * weight_.columns));
    if (int8()) {
      scratch_.codes.grow(static_cast<size_t>(count * code_stride_));
      scratch_.scales.grow(static_cast<size_t>(count * scale_stride_));
      scratch_.sums.grow(static_cast<size_t>(count * sum_stride_));
    }
    if (!int8() && !copies) return {probe.x + first * probe.stride, probe.stride};
    const QuantizeFn quantize = select_quantize(isa_);
    pool_.parallel_for(count, piece, [&](int64_t begin, int64_t end, int thread) {
      float* to = scratch_.rows.data() + (int8() ? thread * piece : begin) * weight_.columns;
      const RowsAt rows = gather(first + begin, end - begin, to);
      const float* x = copies ? rows.x : probe.x + (first + begin) * probe.stride;
      const int64_t stride = copies ? rows.stride : probe.stride;
      for (int64_t i = begin; int8() && i < end; ++i)
        quantize(x + (i - begin) * stride, weight_.columns, 0, scratch_.codes.data() + i * code_stride_,
                 scratch_.scales.data() + i * scale_stride_, scratch_.sums.data() + i * sum_stride_);
    });
    return {scratch_.rows.data(), weight_.columns};
  }

  void multiply(int64_t first, int64_t count, const RowsAt& at, const Ends& ends, float* y, int64_t stride) {
    const int64_t panels = (weight_.rows + kPanelRows - 1) / kPanelRows, pairs = (panels + 1) / 2;
    const int64_t wanted = kPiecesOfThread * pool_.threads(), parts = std::min(pairs, wanted);
    const int64_t blocks = std::clamp<int64_t>(wanted / parts, 1, std::max<int64_t>(count / 32, 1));
    const auto end = select_conv(isa_).run.end;
    pool_.parallel_for(parts * blocks, 1, [&](int64_t begin, int64_t last, int thread) {
      for (int64_t i = begin; i < last; ++i) {
        const int64_t part = i / blocks, row = count * (i % blocks) / blocks;
        LinearArgs args{};
        args.weights = weight_.data.data();
        args.rows = weight_.rows;
        args.columns = weight_.columns;
        args.panel_begin = pairs * part / parts * 2;
        args.panel_end = std::min(pairs * (part + 1) / parts * 2, panels);
        args.tokens = count * (i % blocks + 1) / blocks - row;
        if (int8()) {
          args.q = {scratch_.codes.data() + row * code_stride_,
                    scratch_.scales.data() + row * scale_stride_,
                    scratch_.sums.data() + row * sum_stride_,
                    code_stride_,
                    scale_stride_,
                    sum_stride_};
        } else {
          args.x = at.x + row * at.stride;
          args.x_stride = at.stride;
        }
        args.y = y + (first + row) * stride;
        args.y_stride = stride;
        args.scratch = scratch_.of_thread[static_cast<size_t>(thread)].data();
        kernel_.run(args);
        const int64_t channel = args.panel_begin * kPanelRows;
        ConvArgs sums{};
        sums.pixels = args.tokens;
        sums.channels = std::min(args.panel_end * kPanelRows, weight_.rows) - channel;
        sums.y = args.y + channel;
        sums.y_stride = stride;
        ends.set(sums, first + row, channel);
        end(sums);
      }
    });
  }

  const WeightView& weight_;
  const LinearKernel& kernel_;
  Scratch own_;
  Scratch& scratch_;
  ThreadPool& pool_;
  Isa isa_;
  int64_t code_stride_ = 0, scale_stride_ = 0, sum_stride_ = 0;
};

}  // namespace

bool takes_packed(const Op& op, const PackedConstant& constant) {
  if (const auto* conv = std::get_if<Conv>(&op))
    return conv->window.order == ImageOrder::channels_last && conv->groups == 1 && constant.shape.size() >= 2;
  const auto* product = std::get_if<MatMul>(&op);
  const auto* gemm = std::get_if<Gemm>(&op);
  if (constant.shape.size() != 2) return false;
  if (product != nullptr) return product->transpose_b && !product->transpose_a;
  return gemm != nullptr && gemm->transpose_b && !gemm->transpose_a;
}

Activations packed_activations(const PackedConstant& constant, Activations wanted, Isa isa) {
  const WeightView& matrix = constant.matrix;
  if (wanted == Activations::automatic) wanted = Activations::int8;
  return select_linear(matrix.layout->id, matrix.order, wanted, isa) == nullptr ? Activations::exact : wanted;
}

void packed_product(const PackedInput& weight, const PackedRows& rows, const Ends& ends, float* y, OpContext& context) {
  Multiplier(weight, context)
      .run(
          rows.rows,
          [&](int64_t, int64_t, float*) -> RowsAt {
            return {rows.x, rows.stride};
          },
          ends, y, weight.constant.matrix.rows);
}

void packed_conv(const ConvShape& shape, const PackedInput& weight, const float* x, const Ends& ends, float* y,
                 OpContext& context) {
  int64_t windows = 1, image = shape.x.channels, taps = 1;
  bool plain = true;  // a window is a pixel
  for (const WindowAxis& axis : shape.axes) {
    windows *= axis.out;
    image *= axis.in;
    taps *= axis.kernel;
    plain = plain && axis.kernel == 1 && axis.stride == 1 && axis.pad_begin == 0 && axis.pad_end == 0;
  }
  if (plain) return packed_product(weight, {shape.x.batch * windows, x, shape.x.channels}, ends, y, context);
  const int64_t columns = taps * shape.channels_in;
  const AlignedBuffer<float> zeros(static_cast<size_t>(RunTable<float>::longest_run(shape)));
  const Gather gather = [&](int64_t first, int64_t count, float* to) -> RowsAt {
    RunTable<float> table(shape, zeros.data());
    for (int64_t done = 0; done < count;) {
      const int64_t n = (first + done) / windows, pixel = (first + done) % windows;
      const int64_t some = std::min(count - done, windows - pixel);
      table.fill(x + n * image, pixel, some, true);
      const int64_t length = table.length(shape.channels_in);
      for (int64_t p = 0; p < some; ++p)
        for (int64_t run = 0; run < table.runs(); ++run)
          std::memcpy(to + (done + p) * columns + run * length, table.from()[run * some + p],
                      static_cast<size_t>(length) * sizeof(float));
      done += some;
    }
    return {to, columns};
  };
  Multiplier(weight, context).run(shape.x.batch * windows, gather, ends, y, shape.channels_out);
}

}  // namespace halftone::network::ops
