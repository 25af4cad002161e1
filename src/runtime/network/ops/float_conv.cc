// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/ops/float_conv.h"

#include <algorithm>
#include <cstring>

#include "base/aligned.h"
#include "kernels/conv/conv.h"
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

// Where the runs of a block of pixels begin.
class RunTable {
 public:
  RunTable(const ConvShape& shape, const float* zeros) : shape_(shape), zeros_(zeros), at_(shape.axes.size()) {
    for (const WindowAxis& axis : shape.axes) taps_ *= axis.kernel;
    strides_.assign(shape.axes.size(), shape.x.channels);
    for (size_t axis = shape.axes.size(); axis-- > 1;) strides_[axis - 1] = strides_[axis] * shape.axes[axis].in;
  }

  // Pixels [begin, begin + count) of one image of channels that lie together; whole rows of taps are one run where they
  // lie in the image and `channels` is all of them.
  void fill(const float* image, int64_t begin, int64_t count, bool joins) {
    const WindowAxis* last = shape_.axes.empty() ? nullptr : &shape_.axes.back();
    joined_ = joins && last != nullptr && last->dilation == 1 && last->kernel > 1;
    for (int64_t p = 0; joined_ && p < count; ++p) {
      const int64_t left = last->at((begin + p) % last->out, 0);
      joined_ = left >= 0 && left + last->kernel <= last->in;
    }
    runs_ = joined_ ? taps_ / last->kernel : taps_;
    from_.resize(static_cast<size_t>(runs_ * count));
    for (int64_t p = 0; p < count; ++p) {
      int64_t rest = begin + p;
      for (size_t axis = at_.size(); axis-- > 0;) {
        at_[axis] = rest % shape_.axes[axis].out;
        rest /= shape_.axes[axis].out;
      }
      for (int64_t run = 0; run < runs_; ++run) from_[static_cast<size_t>(run * count + p)] = place(image, run);
    }
  }

  const std::vector<const float*>& from() const { return from_; }
  int64_t runs() const { return runs_; }
  int64_t length(int64_t channels) const { return joined_ ? channels * shape_.axes.back().kernel : channels; }
  const float* zeros() const { return zeros_; }

 private:
  const float* place(const float* image, int64_t run) const {
    int64_t offset = 0;
    for (size_t axis = at_.size(); axis-- > 0;) {
      const WindowAxis& a = shape_.axes[axis];
      int64_t tap = 0;
      if (!(joined_ && axis + 1 == at_.size())) {
        tap = run % a.kernel;
        run /= a.kernel;
      }
      const int64_t at = a.at(at_[axis], tap);
      if (at < 0 || at >= a.in) return zeros_;
      offset += at * strides_[axis];
    }
    return image + offset;
  }

  const ConvShape& shape_;
  const float* zeros_;
  std::vector<int64_t> at_, strides_;
  std::vector<const float*> from_;
  int64_t taps_ = 1, runs_ = 0;
  bool joined_ = false;
};

// Channels last, in and out.
void convolve_pixels(const ConvShape& shape, const float* x, const Packed& weights, const float* bias, float* y,
                     ThreadPool& pool) {
  int64_t windows = 1, taps = 1, image = shape.x.channels;
  for (const WindowAxis& axis : shape.axes) {
    windows *= axis.out;
    taps *= axis.kernel;
    image *= axis.in;
  }
  const int64_t outputs = shape.channels_out / shape.groups;
  const bool depthwise = shape.channels_in == 1 && outputs == 1 && shape.groups > 1;
  const int64_t group_floats = depthwise ? 0 : conv_packed_floats(outputs, taps * shape.channels_in);
  const Packed zeros(static_cast<size_t>(shape.x.channels) + kConvPanel);
  const ConvFunctions& run = conv_functions();
  // A block has as many pixels as keep every thread busy.
  const int64_t share = (shape.x.batch * windows + 4 * pool.threads() - 1) / (4 * pool.threads());
  const int64_t block = std::clamp<int64_t>((share + 11) / 12 * 12, 12, kConvPixels);
  const int64_t blocks = (windows + block - 1) / block;
  pool.parallel_for(shape.x.batch * blocks, 1, [&](int64_t begin, int64_t end, int) {
    RunTable table(shape, zeros.data());
    std::vector<const float*> shifted;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / blocks, first = i % blocks * block, count = std::min(block, windows - first);
      table.fill(x + n * image, first, count, shape.groups == 1);
      float* to = y + (n * windows + first) * shape.channels_out;
      ConvArgs args{table.from().data(),
                    table.runs(),
                    table.length(shape.channels_in),
                    count,
                    weights.data(),
                    bias,
                    shape.channels_out,
                    to,
                    shape.channels_out};
      if (depthwise) {
        args.length = shape.channels_out;
        run.depthwise(args);
        continue;
      }
      for (int64_t g = 0; g < shape.groups; ++g) {
        if (g > 0) {
          shifted = table.from();
          for (const float*& from : shifted)
            if (from != table.zeros()) from += g * shape.channels_in;
          args.from = shifted.data();
        }
        args.weights = weights.data() + g * group_floats;
        args.bias = bias == nullptr ? nullptr : bias + g * outputs;
        args.channels = outputs;
        args.y = to + g * outputs;
        run.general(args);
      }
    }
  });
}

}  // namespace

void float_conv(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor& y,
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
  const float* numbers = bias.present() ? data<float>(bias) : nullptr;
  if (shape.x.order == ImageOrder::channels_last)
    return convolve_pixels(shape, data<float>(x), *packed, numbers, mutable_data<float>(y), context.pool);
  const int64_t in = product(shape.x.spatial), out = y.elements() / (shape.x.batch * shape.channels_out);
  Packed turned(static_cast<size_t>(x.elements())), computed(static_cast<size_t>(y.elements()));
  turn_planes(data<float>(x), turned.data(), shape.x.batch, shape.x.channels, in, context.pool);
  convolve_pixels(shape, turned.data(), *packed, numbers, computed.data(), context.pool);
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
    const float* from[kConvPixels];
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / parts * kConvPixels, count = std::min(kConvPixels, p.m - first);
      const int64_t panel = panels * (i % parts) / parts, last = panels * (i % parts + 1) / parts;
      for (int64_t row = 0; row < count; ++row) from[row] = p.a + (first + row) * p.stride_a;
      run.general(ConvArgs{from, 1, p.k, count, packed->data() + panel * kConvPanel * p.k, nullptr,
                           std::min(last * kConvPanel, p.n) - panel * kConvPanel,
                           p.y + first * p.n + panel * kConvPanel, p.n});
    }
  });
}

}  // namespace halftone::network::ops
