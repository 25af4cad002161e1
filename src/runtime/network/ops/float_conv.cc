// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/ops/float_conv.h"

#include <algorithm>
#include <cstring>

#include "base/aligned.h"
#include "kernels/conv/conv.h"
#include "runtime/network/ops/run_table.h"
#include "runtime/network/ops/turn.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

using Packed = AlignedBuffer<float>;

const ConvFunctions& conv_functions() {
  const Result<Isa> active = active_isa();
  return select_conv(active.ok() ? *active : Isa::scalar).run;
}

// Panels of weights, kept with the node where they are the same in every run.
std::shared_ptr<const Packed> packed_weights(std::span<const ConvWeights> groups, bool keeps, OpContext& context) {
  if (keeps && context.kept != nullptr && *context.kept != nullptr)
    return std::static_pointer_cast<const Packed>(*context.kept);
  const ConvWeights& first = groups[0];
  const int64_t size = conv_packed_floats(first.outputs, first.taps * first.inputs);
  auto packed = std::make_shared<Packed>(static_cast<size_t>(size) * groups.size());
  context.pool.parallel_for(static_cast<int64_t>(groups.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t g = begin; g < end; ++g) pack_conv(groups[static_cast<size_t>(g)], packed->data() + g * size);
  });
  if (keeps && context.kept != nullptr) *context.kept = packed;
  return packed;
}

int64_t windows_of(const ConvShape& shape) {
  int64_t windows = 1;
  for (const WindowAxis& axis : shape.axes) windows *= axis.out;
  return windows;
}
int64_t image_of(const ConvShape& shape) {
  int64_t image = shape.x.channels;
  for (const WindowAxis& axis : shape.axes) image *= axis.in;
  return image;
}

// How work is cut: `blocks` of pixels of an image times `parts` of pairs of panels. Weights are read once per block, so
// that these are as large as kernels take them; as many pieces as threads share evenly.
struct Cut {
  int64_t blocks, block, parts;
};
Cut cut_of(int64_t batch, int64_t windows, int64_t most, int64_t panels, int threads) {
  constexpr int64_t kPiecesOfThread = 8;
  const int64_t pairs = (panels + 1) / 2;
  Cut cut{(windows + most - 1) / most, 0, 0};
  const int64_t images = cut.blocks * batch;
  cut.parts = std::clamp<int64_t>((kPiecesOfThread * threads + images - 1) / images, 1, pairs);
  while (cut.blocks * batch * cut.parts % threads != 0 && cut.blocks < windows) ++cut.blocks;
  cut.block = (windows + cut.blocks - 1) / cut.blocks;
  cut.blocks = (windows + cut.block - 1) / cut.block;
  return cut;
}

// A window is a pixel: no table is needed.
bool reads_pixels(const ConvShape& shape) {
  return shape.groups == 1 && std::ranges::all_of(shape.axes, [](const WindowAxis& axis) {
           return axis.kernel == 1 && axis.stride == 1 && axis.pad_begin == 0 && axis.pad_end == 0;
         });
}
// Pixels of a block: whole rows, so that few tiles lie in two.
int64_t most_pixels(const ConvShape& shape) {
  const int64_t row = shape.axes.empty() || reads_pixels(shape) ? kConvPixels : shape.axes.back().out;
  if (row <= kConvPixels) return kConvPixels / row * row;
  const int64_t pieces = (row + kConvPixels - 1) / kConvPixels;
  return row % pieces == 0 ? row / pieces : kConvPixels;
}

// Channels last, in and out.
void convolve_general(const ConvShape& shape, const float* x, const Packed& weights, const Ends& ends, float* y,
                      ThreadPool& pool) {
  const int64_t windows = windows_of(shape), image = image_of(shape), outputs = shape.channels_out / shape.groups;
  const int64_t panels = (outputs + kConvPanel - 1) / kConvPanel, pairs = (panels + 1) / 2;
  int64_t columns = shape.channels_in;
  for (const WindowAxis& axis : shape.axes) columns *= axis.kernel;
  const Packed zeros(static_cast<size_t>(RunTable<float>::longest_run(shape)));
  const ConvFunctions& run = conv_functions();
  const bool pixels = reads_pixels(shape);
  const Cut cut = cut_of(shape.x.batch, windows, most_pixels(shape), panels, pool.threads());
  const int64_t blocks = shape.x.batch * cut.blocks;
  pool.parallel_for(blocks * cut.parts, 1, [&](int64_t begin, int64_t end, int) {
    RunTable<float> table(shape, zeros.data());
    for (int64_t i = begin; i < end; ++i) {
      const int64_t part = i / blocks, n = i % blocks / cut.blocks, first = i % cut.blocks * cut.block;
      const int64_t count = std::min(cut.block, windows - first), pixel = n * windows + first;
      const int64_t panel = pairs * part / cut.parts * 2, last = std::min(pairs * (part + 1) / cut.parts * 2, panels);
      const float* only = x + n * image + first * shape.x.channels;
      ConvArgs args{};
      if (pixels) {
        args.from = &only, args.runs = 1, args.length = columns;
        args.step = std::max<int64_t>(columns, 1);  // of pixels without a number, too
      } else {
        table.fill(x + n * image, first, count, shape.groups == 1);
        args.from = table.from(), args.runs = table.runs(), args.length = table.length(shape.channels_in);
      }
      args.pixels = count;
      args.channels = std::min(last * kConvPanel, outputs) - panel * kConvPanel;
      args.y_stride = shape.channels_out;
      for (int64_t g = 0; g < shape.groups; ++g) {
        const int64_t channel = g * outputs + panel * kConvPanel;
        if (g > 0) args.from = table.shifted(g * shape.channels_in);
        args.weights = weights.data() + (g * panels + panel) * columns * kConvPanel;
        args.y = y + pixel * shape.channels_out + channel;
        ends.set(args, pixel, channel);
        run.general(args);
      }
    }
  });
}

void convolve_depthwise(const ConvShape& shape, const float* x, const Packed& weights, const Ends& ends, float* y,
                        ThreadPool& pool) {
  const int64_t windows = windows_of(shape), image = image_of(shape), channels = shape.channels_out;
  const Packed zeros(static_cast<size_t>(shape.x.channels) + kConvPanel);
  const ConvFunctions& run = conv_functions();
  const int64_t block = std::clamp<int64_t>(windows / (8 * pool.threads()) / 4 * 4, 4, kConvPixels);
  const int64_t blocks = (windows + block - 1) / block;
  pool.parallel_for(shape.x.batch * blocks, 1, [&](int64_t begin, int64_t end, int) {
    RunTable<float> table(shape, zeros.data());
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / blocks, first = i % blocks * block, pixel = n * windows + first;
      const int64_t count = std::min(block, windows - first);
      table.fill(x + n * image, first, count, false);
      ConvArgs args{table.from(), table.runs(),         channels, count, weights.data(), nullptr,
                    channels,     y + pixel * channels, channels};
      ends.set(args, pixel, 0);
      run.depthwise(args);
    }
  });
}

bool goes_by_rows(const ConvShape& shape) {
  return !shape.axes.empty() && shape.axes.back().dilation == 1 &&
         has_conv_row(shape.axes.back().kernel, shape.axes.back().stride);
}

// A row of output pixels at a time.
void convolve_depthwise_rows(const ConvShape& shape, const float* x, const Packed& weights, const Ends& ends, float* y,
                             ThreadPool& pool) {
  const int64_t windows = windows_of(shape), image = image_of(shape), channels = shape.channels_out;
  const WindowAxis& along = shape.axes.back();
  const int64_t columns = (along.out - 1) * along.stride + along.kernel, rows = windows / along.out;
  const Packed zeros(static_cast<size_t>(shape.x.channels) + kConvPanel);
  const ConvFunctions& run = conv_functions();
  // Rows of taps, as the windows of an image of which a pixel is a row.
  ConvShape upper = shape;
  upper.axes.pop_back();
  upper.x.channels = along.in * shape.x.channels;
  pool.parallel_for(shape.x.batch * rows, 1 + rows / 32, [&](int64_t begin, int64_t end, int) {
    RunTable<float> table(upper, zeros.data());
    std::vector<const float*> from;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / rows, row = i % rows, pixel = i * along.out;
      table.fill(x + n * image, row, 1, false);
      from.assign(static_cast<size_t>(table.runs() * columns), zeros.data());
      for (int64_t tap = 0; tap < table.runs(); ++tap) {
        const float* line = table.from()[tap];
        if (line == zeros.data()) continue;
        const int64_t inside = std::min(columns, along.in + along.pad_begin);
        for (int64_t j = along.pad_begin; j < inside; ++j)
          from[static_cast<size_t>(tap * columns + j)] = line + (j - along.pad_begin) * shape.x.channels;
      }
      ConvRowArgs args{
          from.data(),  table.runs(),
          along.kernel, along.stride,
          along.out,    {nullptr, 0, 0, 0, weights.data(), nullptr, channels, y + pixel * channels, channels}};
      ends.set(args.rest, pixel, 0);
      run.depthwise_row(args);
    }
  });
}

// Pads as numbers pay where pixels then lie in step for long, or rows of taps become one run of some length.
constexpr int64_t kFewChannels = 16, kShortRow = 20;
bool wants_pads(const ConvShape& shape) {
  return shape.groups == 1 && !reads_pixels(shape) &&
         (shape.x.channels < kFewChannels || shape.axes.back().out > kShortRow) &&
         std::ranges::any_of(shape.axes, [](const WindowAxis& axis) { return axis.pad_begin + axis.pad_end > 0; });
}
// `shape` becomes that of the image which is returned.
const float* with_pads(ConvShape& shape, const float* x, ThreadPool& pool, Scratch& scratch) {
  ConvShape padded = shape;
  for (WindowAxis& axis : padded.axes) {
    axis.in += axis.pad_begin + axis.pad_end;
    axis.pad_begin = axis.pad_end = 0;
  }
  const int64_t image = image_of(padded), length = padded.axes.back().in * shape.x.channels;
  const int64_t lines = image / length, left = shape.axes.back().pad_begin * shape.x.channels;
  const int64_t taken = shape.axes.back().in * shape.x.channels;
  scratch.image.grow(static_cast<size_t>(shape.x.batch * image));
  pool.parallel_for(shape.x.batch * lines, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t rest = i % lines, from = 0, stride = 1;
      bool inside = true;
      for (size_t axis = shape.axes.size() - 1; axis-- > 0;) {
        const int64_t at = rest % padded.axes[axis].in - shape.axes[axis].pad_begin;
        inside = inside && at >= 0 && at < shape.axes[axis].in;
        from += at * stride;
        stride *= shape.axes[axis].in;
        rest /= padded.axes[axis].in;
      }
      float* to = scratch.image.data() + i * length;
      if (!inside) {
        std::fill(to, to + length, 0.0F);
        continue;
      }
      std::fill(to, to + left, 0.0F);
      std::memcpy(to + left, x + (i / lines * stride + from) * taken, static_cast<size_t>(taken) * sizeof(float));
      std::fill(to + left + taken, to + length, 0.0F);
    }
  });
  shape = std::move(padded);
  return scratch.image.data();
}

void convolve_pixels(const ConvShape& shape, const float* x, const Packed& weights, const Ends& ends, float* y,
                     OpContext& context) {
  ThreadPool& pool = context.pool;
  if (shape.channels_in == 1 && shape.channels_out == shape.groups && shape.groups > 1) {
    if (goes_by_rows(shape)) return convolve_depthwise_rows(shape, x, weights, ends, y, pool);
    return convolve_depthwise(shape, x, weights, ends, y, pool);
  }
  if (!wants_pads(shape)) return convolve_general(shape, x, weights, ends, y, pool);
  Scratch own;
  Scratch& scratch = context.scratch == nullptr ? own : *context.scratch;
  ConvShape padded = shape;
  const float* image = with_pads(padded, x, pool, scratch);
  convolve_general(padded, image, weights, ends, y, pool);
}

}  // namespace

void float_conv(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Ends& ends, Tensor& y,
                OpContext& context) {
  int64_t taps = 1;
  for (const WindowAxis& axis : shape.axes) taps *= axis.kernel;
  const int64_t outputs = shape.channels_out / shape.groups;
  std::vector<ConvWeights> groups;
  const auto* w = data<float>(weight);
  if (shape.channels_in == 1 && outputs == 1) {
    groups.push_back({w, shape.channels_out, taps, 1, shape.weight_out_stride, shape.weight_tap_stride, 0});
  } else {
    for (int64_t g = 0; g < shape.groups; ++g)
      groups.push_back({w + g * outputs * shape.weight_out_stride, outputs, taps, shape.channels_in,
                        shape.weight_out_stride, shape.weight_tap_stride, shape.weight_in_stride});
  }
  const std::shared_ptr<const Packed> packed = packed_weights(groups, true, context);
  if (shape.x.order == ImageOrder::channels_last)
    return convolve_pixels(shape, data<float>(x), *packed, ends, mutable_data<float>(y), context);
  const int64_t in = product(shape.x.spatial), out = y.elements() / (shape.x.batch * shape.channels_out);
  Packed turned(static_cast<size_t>(x.elements())), computed(static_cast<size_t>(y.elements()));
  turn_planes(data<float>(x), turned.data(), shape.x.batch, shape.x.channels, in, context.pool);
  convolve_pixels(shape, turned.data(), *packed, ends, computed.data(), context);
  turn_planes(computed.data(), mutable_data<float>(y), shape.x.batch, out, shape.channels_out, context.pool);
}

void float_product(const FloatProduct& p, OpContext& context) {
  const ConvWeights weights{p.b, p.n, 1, p.k, p.column_b, 0, p.row_b};
  const std::shared_ptr<const Packed> packed = packed_weights(std::span(&weights, 1), p.keeps, context);
  const ConvFunctions& run = conv_functions();
  // Few rows are cut into panels instead, so that every thread has some.
  const int64_t panels = (p.n + kConvPanel - 1) / kConvPanel;
  const int64_t blocks = (p.m + kConvPixels - 1) / kConvPixels;
  const int64_t parts = std::min(panels, std::max<int64_t>(4 * context.pool.threads() / blocks, 1));
  context.pool.parallel_for(blocks * parts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / parts * kConvPixels, count = std::min(kConvPixels, p.m - first);
      const float* from[] = {p.a + first * p.stride_a};
      const int64_t panel = panels * (i % parts) / parts, last = panels * (i % parts + 1) / parts;
      ConvArgs args{from,
                    1,
                    p.k,
                    count,
                    packed->data() + panel * kConvPanel * p.k,
                    nullptr,
                    std::min(last * kConvPanel, p.n) - panel * kConvPanel,
                    p.y + first * p.n + panel * kConvPanel,
                    p.n};
      args.step = std::max<int64_t>(p.stride_a, 1);  // 0 where nothing is read
      run.general(args);
    }
  });
}

}  // namespace halftone::network::ops
