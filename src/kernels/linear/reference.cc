// SPDX-License-Identifier: Apache-2.0
// The plain statement of the numeric contracts, one row at a time, for every layout that can decode a row. It reads
// weights only through tensor/layout.h and sits next to the SIMD rows as the slowest of the list.
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/linear/linear.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

WeightView view_of(const LinearArgs& args, LayoutId id, Order order) {
  const Layout& layout = layout_of(id);
  const auto bytes = static_cast<size_t>(layout.bytes(args.rows, args.columns, order));
  return {&layout, order, args.rows, args.columns, {args.weights, bytes}};
}

int64_t end_row(const LinearArgs& args) {
  const int64_t end = args.panel_end * kPanelRows;
  return end < args.rows ? end : args.rows;
}

void exact_reference(const LinearArgs& args, LayoutId id, Order order) {
  const WeightView weight = view_of(args, id, order);
  auto* row = reinterpret_cast<float*>(args.scratch);
  for (int64_t r = args.panel_begin * kPanelRows; r < end_row(args); ++r) {
    decode_row(weight, r, row);
    for (int64_t t = 0; t < args.tokens; ++t) {
      const float* x = args.x + t * args.x_stride;
      float acc = 0;
      for (int64_t k = 0; k < args.columns; ++k) acc = std::fma(x[k], row[k], acc);
      args.y[t * args.y_stride + r] = acc;
    }
  }
}

// Scales and bases of one row.
struct GroupScales {
  const Layout& layout;
  std::span<const std::byte> panel;
  int r;
  float of_palette = 0;  // what its bytes are multiplied with
  float scale(int64_t group) const { return layout.is_palette() ? of_palette : layout.scale_of(panel, group, r); }
  float base(int64_t group) const { return layout.base_of(panel, group, r); }
};

float int8_dot(const int8_t* q, const GroupScales& row, const int8_t* x, const float* x_scales, int64_t columns) {
  const Layout& layout = row.layout;
  const int64_t group = layout.group == 0 ? kActivationBlock : layout.group;
  const int plus = layout.affine ? layout.offset : 0;  // affine codes count as stored
  float acc = 0;
  for (int64_t block = 0; block < columns; block += kActivationBlock) {
    const int64_t block_end = block + kActivationBlock < columns ? block + kActivationBlock : columns;
    float s = 0;
    for (int64_t begin = block; begin < block_end; begin += group) {
      const int64_t end = begin + group < block_end ? begin + group : block_end;
      int32_t isum = 0, xsum = 0;
      for (int64_t k = begin; k < end; ++k) isum += x[k] * (q[k] + plus), xsum += x[k];
      s = layout.group == 0 ? static_cast<float>(isum)
                            : std::fma(static_cast<float>(isum), row.scale(begin / group), s);
      if (layout.affine) s = std::fma(static_cast<float>(xsum), row.base(begin / group), s);
    }
    acc = std::fma(s, x_scales[block / kActivationBlock], acc);
  }
  return layout.group == 0 ? acc * row.scale(0) : acc;
}

// Codes become the bytes of their entries.
void take_palette(GroupScales& row, int64_t columns, int8_t* codes) {
  const Layout& layout = row.layout;
  const auto entry = [&](int u) { return half_at(row.panel, layout.entry_at(u, row.r)); };
  float most = 0;
  bool finite = true;
  for (int u = 0; u < layout.entries(); ++u) {
    finite = finite && std::isfinite(entry(u));
    most = std::fmax(most, std::fabs(entry(u)));
  }
  const float scale = finite ? most / 127.0f : std::numeric_limits<float>::quiet_NaN();
  for (int64_t k = 0; k < columns; ++k)
    codes[k] = static_cast<int8_t>(scale > 0 ? std::nearbyint(entry(codes[k] + layout.offset) / scale) : 0.0f);
  row.of_palette = layout.scaled ? scale * half_at(row.panel, layout.scale_at(0, row.r)) : scale;
}

void int8_reference(const LinearArgs& args, LayoutId id, Order) {
  const Layout& layout = layout_of(id);
  const auto panel_bytes = static_cast<size_t>(layout.panel_bytes(args.columns));
  auto* codes = reinterpret_cast<int8_t*>(args.scratch);
  for (int64_t r = args.panel_begin * kPanelRows; r < end_row(args); ++r) {
    const std::byte* panel = args.weights + static_cast<size_t>(r / kPanelRows) * panel_bytes;
    GroupScales row = {layout, {panel, panel_bytes}, static_cast<int>(r % kPanelRows)};
    layout.unpack_codes(row.panel, row.r, args.columns, codes);
    if (layout.is_palette()) take_palette(row, args.columns, codes);
    for (int64_t t = 0; t < args.tokens; ++t) {
      const int8_t* x = args.q.codes + t * args.q.code_stride;
      args.y[t * args.y_stride + r] = int8_dot(codes, row, x, args.q.scales + t * args.q.scale_stride, args.columns);
    }
  }
}

float without_subnormals(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value;
}

float fma_to_normal(float x, float w, float acc) {
  const float sum = std::fma(x, w, acc), smallest = std::numeric_limits<float>::min();
  if (std::fabs(sum) > smallest || std::isnan(sum)) return sum;
  // What rounds up to the smallest normal number as a subnormal may, as one of 24 bits, stay below it: ask 2^100
  // higher, where numbers of 24 bits are normal. Nothing overflows there, as sums this small come from small numbers.
  const bool normal = std::fabs(sum) == smallest &&
                      std::fabs(std::fma(x * 0x1p50f, w * 0x1p50f, acc * 0x1p100f)) >= smallest * 0x1p100f;
  return normal ? sum : std::copysign(0.0f, sum);
}

void bf16_reference(const LinearArgs& args, LayoutId id, Order order) {
  const WeightView weight = view_of(args, id, order);
  auto* row = reinterpret_cast<float*>(args.scratch);
  const auto rounded = [](float value) { return bf16_to_f32(f32_to_bf16(without_subnormals(value))); };
  for (int64_t r = args.panel_begin * kPanelRows; r < end_row(args); ++r) {
    decode_row(weight, r, row);
    for (int64_t k = 0; k < args.columns; ++k) row[k] = without_subnormals(row[k]);
    for (int64_t t = 0; t < args.tokens; ++t) {
      const float* x = args.x + t * args.x_stride;
      float acc = 0;
      for (int64_t k = 0; k < args.columns; k += 2) {
        const bool pair = k + 1 < args.columns;
        acc = fma_to_normal(pair ? rounded(x[k + 1]) : 0.0f, pair ? row[k + 1] : 0.0f, acc);
        acc = fma_to_normal(rounded(x[k]), row[k], acc);
      }
      args.y[t * args.y_stride + r] = acc;
    }
  }
}

}  // namespace

#define LINEAR_DEFINE_scalar(layout, order, activations)                            \
  void linear_##layout##_##order##_##activations##_scalar(const LinearArgs& args) { \
    activations##_reference(args, LayoutId::layout, Order::order);                  \
  }
#define LINEAR_DEFINE_avx2(layout, order, activations)
#define LINEAR_DEFINE_avx512(layout, order, activations)
#define LINEAR_DEFINE_neon(layout, order, activations)
#define LINEAR_DEFINE_neon_dot(layout, order, activations)
#define LINEAR_DEFINE_neon_i8mm(layout, order, activations)
#define LINEAR_KERNEL(isa, layout, order, activations) LINEAR_DEFINE_##isa(layout, order, activations)
#include "kernels/linear/kernels.inc"

void quantize_activations_scalar(const float* x, int64_t columns, float fixed_scale, int8_t* codes, float* scales,
                                 int32_t* sums) {
  for (int64_t begin = 0; begin < columns; begin += kActivationBlock) {
    const int64_t end = begin + kActivationBlock < columns ? begin + kActivationBlock : columns;
    const int64_t padded_end = (end + kActivationGroup - 1) / kActivationGroup * kActivationGroup;
    uint32_t largest = 0;  // of the magnitudes' bits: ordered like the values, NaN above infinity
    for (int64_t k = begin; k < end; ++k) {
      const uint32_t magnitude = std::bit_cast<uint32_t>(x[k]) & 0x7fffffffu;
      largest = magnitude > largest ? magnitude : largest;
    }
    const bool finite = largest < 0x7f800000u;
    const float wanted = fixed_scale > 0 ? fixed_scale : std::bit_cast<float>(largest) / 127.0f;
    const float scale = finite ? wanted : std::bit_cast<float>(0x7fc00000u);
    scales[begin / kActivationBlock] = scale;
    for (int64_t group = begin; group < padded_end; group += kActivationGroup) {
      int32_t sum = 0;
      for (int64_t k = group; k < group + kActivationGroup; ++k) {
        float code = k < end && scale > 0 ? std::nearbyint(x[k] / scale) : 0.0f;
        code = code > 127.0f ? 127.0f : code < -127.0f ? -127.0f : code;  // when the scale is fixed or subnormal
        codes[k] = static_cast<int8_t>(code);
        sum += codes[k];
      }
      sums[group / kActivationGroup] = sum;
    }
  }
}

}  // namespace halftone
