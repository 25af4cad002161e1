// SPDX-License-Identifier: Apache-2.0
// Random matrices and batches for the tests and benchmarks of the linear kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/rng.h"
#include "kernels/linear/linear.h"
#include "tensor/dtype.h"

namespace halftone {

// What a matrix was made from: codes and scales of integer layouts, and every weight as a number, rows padded to panels
// with zeros.
struct RandomWeights {
  const Layout* layout;
  Order order;
  int64_t rows, columns;
  std::vector<float> values;                     // (padded rows, columns)
  std::vector<int8_t> codes;                     // (padded rows, columns), signed
  std::vector<uint16_t> scales;                  // (padded rows, scale_count)
  std::vector<uint16_t> bases;                   // affine: like scales
  std::vector<uint8_t> sub_scales, sub_bases;    // nested: (padded rows, groups)
  std::vector<uint16_t> palettes;                // palettes: (panels, panel_palettes, numbers), or the head
  std::vector<float> scale_values, base_values;  // (padded rows, groups)
  std::vector<std::byte> bytes;

  RandomWeights(const Layout& layout, Order order, int64_t rows, int64_t columns, uint64_t seed);
  float weight(int64_t row, int64_t column) const { return values[static_cast<size_t>(row * columns + column)]; }

 private:
  void decode();
  void decode_palettes();
};

// A batch in both forms.
struct RandomTokens {
  int64_t tokens, columns, code_stride, scale_stride, sum_stride;
  std::vector<float> x;
  AlignedBuffer<int8_t> codes;
  std::vector<float> scales;
  std::vector<int32_t> sums;

  RandomTokens(int64_t tokens, int64_t columns, uint64_t seed);
  QuantizedActivations quantized() const {
    return {codes.data(), scales.data(), sums.data(), code_stride, scale_stride, sum_stride};
  }
};

inline RandomWeights::RandomWeights(const Layout& layout, Order order, int64_t rows, int64_t columns, uint64_t seed)
    : layout(&layout), order(order), rows(rows), columns(columns) {
  Rng rng(seed);
  const int64_t panels = (rows + kPanelRows - 1) / kPanelRows;
  const int64_t groups = layout.groups(columns), scale_count = layout.scale_count(columns);
  const auto padded = static_cast<size_t>(panels * kPanelRows);
  const uint64_t code_count = 2 * static_cast<uint64_t>(layout.offset);  // the lowest code is legal in a file
  values.resize(padded * static_cast<size_t>(columns));
  if (!layout.is_float()) codes.resize(padded * static_cast<size_t>(columns));
  scales.resize(padded * static_cast<size_t>(scale_count));
  if (layout.affine) bases.resize(scales.size());
  if (layout.is_nested()) sub_scales.resize(padded * static_cast<size_t>(groups));
  if (layout.is_nested() && layout.affine) sub_bases.resize(sub_scales.size());
  for (size_t i = 0; layout.is_float() && i < static_cast<size_t>(rows * columns); ++i) {
    const float value = static_cast<float>(rng.uniform()) - 0.5f;
    values[i] = layout.id == LayoutId::f16    ? rounded_to_f16(value)
                : layout.id == LayoutId::bf16 ? bf16_to_f32(f32_to_bf16(value))
                                              : value;
  }
  for (size_t i = 0; i < codes.size() && i < static_cast<size_t>(rows * columns); ++i) {
    codes[i] = static_cast<int8_t>(static_cast<int>(rng.below(code_count)) - layout.offset);
  }
  for (int64_t row = 0; row < static_cast<int64_t>(padded); ++row)  // those of a vector have the codes of its first
    for (int64_t k = 0; layout.vector > 1 && k < columns; ++k)
      codes[static_cast<size_t>(row * columns + k)] =
          codes[static_cast<size_t>((row - row % layout.vector) * columns + k)];
  for (size_t i = 0; i < static_cast<size_t>(rows * scale_count); ++i) {
    scales[i] = f32_to_f16(static_cast<float>(rng.uniform()) * 0.02f - 0.005f);
    if (layout.affine) bases[i] = f32_to_f16(static_cast<float>(rng.uniform()) - 0.8f);
  }
  for (size_t i = 0; layout.is_nested() && i < static_cast<size_t>(rows * groups); ++i) {
    sub_scales[i] = static_cast<uint8_t>(rng.below(256));
    if (layout.affine) sub_bases[i] = static_cast<uint8_t>(rng.below(256));
  }
  const int64_t numbers = layout.is_palette() ? layout.panel_palettes() * layout.numbers() : 0;  // of a panel
  for (int64_t i = 0; i < (layout.head_bytes() > 0 ? 1 : panels) * numbers; ++i)
    palettes.push_back(f32_to_f16(static_cast<float>(rng.uniform()) - 0.5f));
  if (layout.is_palette()) {
    decode_palettes();
  } else if (!layout.is_float()) {
    decode();
  }
  bytes.resize(static_cast<size_t>(layout.bytes(rows, columns, order)));
  if (order == Order::rows) {
    for (size_t i = 0; i < static_cast<size_t>(rows * columns); ++i) {
      const uint16_t half = layout.id == LayoutId::f16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
      const void* from = layout.bits == 32 ? static_cast<const void*>(&values[i]) : &half;
      std::memcpy(bytes.data() + i * static_cast<size_t>(layout.bits / 8), from, static_cast<size_t>(layout.bits / 8));
    }
    return;
  }
  const auto panel_bytes = static_cast<size_t>(layout.panel_bytes(columns));
  if (layout.head_bytes() > 0) std::memcpy(bytes.data(), palettes.data(), palettes.size() * 2);
  for (size_t p = 0; p < static_cast<size_t>(panels); ++p) {
    const size_t first = p * static_cast<size_t>(kPanelRows * columns);
    PanelSource source = {columns, nullptr, nullptr, nullptr};
    const size_t first_scale = p * static_cast<size_t>(kPanelRows * scale_count);
    const size_t first_group = p * static_cast<size_t>(kPanelRows * groups);
    if (layout.affine) source.bases = &bases[first_scale];
    if (layout.is_float()) source.values = &values[first];
    if (!layout.is_float()) source.codes = &codes[first];
    if (scale_count > 0) source.scales = &scales[first_scale];
    if (layout.is_palette() && layout.head_bytes() == 0) source.palettes = &palettes[p * static_cast<size_t>(numbers)];
    if (layout.is_nested()) source.sub_scales = &sub_scales[first_group];
    if (layout.is_nested() && layout.affine) source.sub_bases = &sub_bases[first_group];
    const auto at = static_cast<size_t>(layout.panel_at(static_cast<int64_t>(p), columns));
    layout.pack_panel(source, std::span(bytes).subspan(at, panel_bytes));
  }
}

// Independent of how tensor/layout.h reads scales back: from the numbers that were packed.
inline void RandomWeights::decode() {
  const int64_t groups = layout->groups(columns), width = layout->group == 0 ? columns : layout->group;
  const int64_t scale_count = layout->scale_count(columns), shared = layout->is_nested() ? layout->super / width : 1;
  for (int64_t i = 0; i < static_cast<int64_t>(scales.size()) / scale_count * groups; ++i) {
    const auto at = static_cast<size_t>(i), from = static_cast<size_t>(i / groups * scale_count + i % groups / shared);
    scale_values.push_back(f16_to_f32(scales[from]));
    if (layout->affine) base_values.push_back(f16_to_f32(bases[from]));
    if (!layout->is_nested()) continue;
    scale_values.back() *= static_cast<float>(layout->affine ? sub_scales[at] : static_cast<int8_t>(sub_scales[at]));
    if (layout->affine) base_values.back() *= -static_cast<float>(sub_bases[at]);
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t k = 0; k < columns; ++k) {
      const auto at = static_cast<size_t>(row * columns + k), of_group = static_cast<size_t>(row * groups + k / width);
      const int plus = layout->affine ? layout->offset : 0;
      const float scaled = static_cast<float>(codes[at] + plus) * scale_values[of_group];
      values[at] = layout->affine ? scaled + base_values[of_group] : scaled;
    }
  }
}

inline void RandomWeights::decode_palettes() {
  const int64_t shared = layout->palette_rows == 0 ? kPanelRows : std::min<int64_t>(layout->palette_rows, kPanelRows);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t k = 0; k < columns; ++k) {
      const auto at = static_cast<size_t>(row * columns + k);
      const int64_t before = layout->vector > 1 && layout->palette_rows == 0 ? 0 : row / shared;
      const int64_t entry = before * (int64_t{1} << layout->bits) + codes[at] + (1 << layout->bits) / 2;
      values[at] = f16_to_f32(palettes[static_cast<size_t>(entry * layout->vector + row % layout->vector)]);
      if (layout->scaled) values[at] *= f16_to_f32(scales[static_cast<size_t>(row)]);
    }
  }
}

inline RandomTokens::RandomTokens(int64_t tokens, int64_t columns, uint64_t seed)
    : tokens(tokens),
      columns(columns),
      code_stride((columns + 31) / 32 * 32),
      scale_stride((columns + kActivationBlock - 1) / kActivationBlock),
      sum_stride((columns + kActivationGroup - 1) / kActivationGroup),
      x(static_cast<size_t>(tokens * columns)),
      codes(static_cast<size_t>(tokens * code_stride)),
      scales(static_cast<size_t>(tokens * scale_stride)),
      sums(static_cast<size_t>(tokens * sum_stride)) {
  Rng rng(seed);
  for (float& value : x) value = static_cast<float>(rng.uniform()) * 4 - 2;
  for (int64_t t = 0; t < tokens; ++t) {
    quantize_activations(x.data() + t * columns, columns, 0, codes.data() + t * code_stride,
                         scales.data() + t * scale_stride, sums.data() + t * sum_stride);
  }
}

// One result of the int8 contract for palettes, whose entries become bytes: from the numbers that were packed.
inline float expected_from_bytes(const RandomWeights& w, const RandomTokens& in, int64_t t, int64_t r) {
  const int64_t shared = w.layout->palette_rows == 0 ? 16 : std::min(w.layout->palette_rows, 16);
  const auto entries =
      std::span(w.palettes).subspan(static_cast<size_t>(r / shared) << w.layout->bits, size_t{1} << w.layout->bits);
  float most = 0;
  for (const uint16_t entry : entries) most = std::max(most, std::fabs(f16_to_f32(entry)));
  const float scale = most / 127;
  float acc = 0;
  for (int64_t b = 0; b < w.columns; b += kActivationBlock) {
    int32_t isum = 0;
    for (int64_t k = b; k < std::min(b + kActivationBlock, w.columns); ++k) {
      const int code = w.codes[static_cast<size_t>(r * w.columns + k)] + w.layout->offset;
      const float byte = std::rint(f16_to_f32(entries[static_cast<size_t>(code)]) / scale);
      isum += static_cast<int32_t>(byte) * in.codes.data()[t * in.code_stride + k];
    }
    acc = std::fma(static_cast<float>(isum), in.scales[static_cast<size_t>(t * in.scale_stride + b / 128)], acc);
  }
  return acc * (w.layout->scaled ? scale * f16_to_f32(w.scales[static_cast<size_t>(r)]) : scale);
}

}  // namespace halftone
