// SPDX-License-Identifier: Apache-2.0
// Matrices and correlated inputs for tests of methods, and what a choice costs, in plain doubles.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "quantize/methods/method.h"
#include "tensor/dtype.h"

namespace halftone {

struct TestMatrix {
  int64_t rows, columns;
  std::vector<float> values, hessian, second_moment;

  InputStatistics statistics() const { return {1000, second_moment, hessian}; }
};

// Normal weights; inputs that are mixtures of fewer sources than columns, some of them ten times as large.
inline TestMatrix test_matrix(int64_t rows, int64_t columns, uint64_t seed, int64_t sources = 0) {
  Rng rng(seed);
  if (sources == 0) sources = columns / 2;
  TestMatrix matrix{rows, columns, {}, {}, {}};
  for (int64_t i = 0; i < rows * columns; ++i) matrix.values.push_back(static_cast<float>(0.02 * rng.normal()));
  std::vector<double> mix(static_cast<size_t>(columns * sources));
  for (int64_t k = 0; k < columns; ++k) {
    const double size = rng.below(16) == 0 ? 10 : 1;
    for (int64_t s = 0; s < sources; ++s)
      mix[static_cast<size_t>(k * sources + s)] = size * rng.normal() / (1.0 + 0.1 * static_cast<double>(s));
  }
  for (int64_t a = 0; a < columns; ++a) {
    for (int64_t b = 0; b < columns; ++b) {
      double sum = a == b ? 0.05 : 0;
      for (int64_t s = 0; s < sources; ++s)
        sum += mix[static_cast<size_t>(a * sources + s)] * mix[static_cast<size_t>(b * sources + s)];
      matrix.hessian.push_back(static_cast<float>(sum));
    }
    matrix.second_moment.push_back(matrix.hessian.back());
  }
  for (int64_t k = 0; k < columns; ++k)
    matrix.second_moment[static_cast<size_t>(k)] = matrix.hessian[static_cast<size_t>(k * columns + k)];
  return matrix;
}

struct TestChoice {
  const Layout* layout;
  int64_t rows, columns;
  std::vector<int8_t> codes;
  std::vector<uint16_t> scales, bases, palettes;
  std::vector<uint8_t> sub_scales, sub_bases;
  std::vector<float> decoded;  // (rows, columns)
  bool finite = true;
};

// Scale and base of a group, by the definition of the layouts.
inline std::pair<float, float> line_of(const TestChoice& choice, int64_t row, int64_t group) {
  const Layout& layout = *choice.layout;
  const auto at = static_cast<size_t>(row * layout.groups(choice.columns) + group);
  if (!layout.is_nested()) return {f16_to_f32(choice.scales[at]), layout.affine ? f16_to_f32(choice.bases[at]) : 0.0f};
  const auto upper =
      static_cast<size_t>(row * layout.scale_count(choice.columns) + group * layout.group / layout.super);
  const float d = f16_to_f32(choice.scales[upper]);
  if (!layout.affine) return {d * static_cast<float>(static_cast<int8_t>(choice.sub_scales[at])), 0.0f};
  return {d * static_cast<float>(choice.sub_scales[at]),
          -(f16_to_f32(choice.bases[upper]) * static_cast<float>(choice.sub_bases[at]))};
}

inline float palette_value(const TestChoice& choice, int64_t row, int64_t k) {
  const Layout& layout = *choice.layout;
  const int64_t palette = row / kPanelRows * layout.panel_palettes() + row % kPanelRows / layout.rows_of_palette();
  const int code = choice.codes[static_cast<size_t>(row * choice.columns + k)] + layout.offset;
  const float scale = layout.scaled ? f16_to_f32(choice.scales[static_cast<size_t>(row)]) : 1.0f;
  const int64_t number = (palette * layout.entries() + code) * layout.vector + row % layout.vector;
  return f16_to_f32(choice.palettes[static_cast<size_t>(number)]) * scale;
}

inline void decode_choice(TestChoice& choice) {
  const Layout& layout = *choice.layout;
  if (layout.is_palette()) {
    for (int64_t i = 0; i < choice.rows * choice.columns; ++i) {
      choice.decoded.push_back(palette_value(choice, i / choice.columns, i % choice.columns));
      choice.finite = choice.finite && std::isfinite(choice.decoded.back());
    }
    return;
  }
  const int64_t width = layout.group == 0 ? choice.columns : layout.group;
  for (int64_t row = 0; row < choice.rows; ++row) {
    for (int64_t k = 0; k < choice.columns; ++k) {
      const int code =
          choice.codes[static_cast<size_t>(row * choice.columns + k)] + (layout.affine ? layout.offset : 0);
      const auto [scale, base] = line_of(choice, row, k / width);
      choice.decoded.push_back(std::fma(static_cast<float>(code), scale, base));
      choice.finite = choice.finite && std::isfinite(choice.decoded.back());
    }
  }
}

using Choose = void (*)(const Layout&, const MethodInput&, const MethodOutput&);

// The whole matrix by a method (or by its preparation and another `choose`), panel by panel, as the pipeline calls it.
inline TestChoice choose_all(std::string_view name, const Layout& layout, const TestMatrix& matrix,
                             const InputStatistics& statistics, int threads = 1, Choose choose = nullptr) {
  const Method& method = *find_method(name);
  ThreadPool pool(threads);
  TestChoice choice{&layout, matrix.rows, matrix.columns, {}, {}, {}, {}, {}, {}, {}};
  std::unique_ptr<Preparation> preparation;
  if (method.prepare != nullptr) {
    const MatrixReader reader{matrix.rows, matrix.columns, [&](int64_t row, float* out) {
                                std::copy_n(matrix.values.data() + row * matrix.columns, matrix.columns, out);
                              }};
    Result<std::unique_ptr<Preparation>> made = method.prepare(layout, reader, statistics, pool);
    if (!made.ok()) return choice;
    preparation = std::move(*made);
  }
  const auto groups = static_cast<size_t>(layout.groups(matrix.columns));
  const auto count = static_cast<size_t>(layout.scale_count(matrix.columns));
  const auto height = static_cast<size_t>(matrix.rows);
  choice.codes.resize(matrix.values.size());
  choice.scales.resize(height * count);
  choice.bases.resize(layout.affine ? height * count : 0);
  choice.sub_scales.resize(layout.is_nested() ? height * groups : 0);
  choice.sub_bases.resize(layout.is_nested() && layout.affine ? height * groups : 0);
  const auto palettes = static_cast<size_t>(layout.is_palette() ? layout.panel_palettes() * layout.numbers() : 0);
  choice.palettes.resize((height + 15) / 16 * palettes);
  const auto columns = static_cast<size_t>(matrix.columns);
  const auto part = [](auto& all, size_t row, size_t rows, size_t width) {
    return all.empty() ? std::span(all) : std::span(all).subspan(row * width, rows * width);
  };
  pool.parallel_for((matrix.rows + 15) / 16, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const auto row = static_cast<size_t>(16 * panel);
      const size_t rows = std::min<size_t>(16, height - row);
      const MethodInput input{std::span(matrix.values).subspan(row * columns, rows * columns),
                              static_cast<int64_t>(rows),
                              matrix.columns,
                              statistics,
                              preparation.get(),
                              static_cast<int64_t>(row)};
      const MethodOutput output{
          part(choice.codes, row, rows, columns),    part(choice.scales, row, rows, count),
          part(choice.bases, row, rows, count),      part(choice.sub_scales, row, rows, groups),
          part(choice.sub_bases, row, rows, groups), std::span(choice.palettes).subspan(row / 16 * palettes, palettes)};
      (choose == nullptr ? method.choose : choose)(layout, input, output);
    }
  });
  decode_choice(choice);
  return choice;
}

// Sum over rows of (w - w') H (w - w')^T; with diagonal_only each column counts by its second moment alone.
inline double proxy_loss(const TestMatrix& matrix, const std::vector<float>& decoded, bool diagonal_only = false) {
  const int64_t n = matrix.columns;
  double loss = 0;
  std::vector<double> off(static_cast<size_t>(n));
  for (int64_t row = 0; row < matrix.rows; ++row) {
    for (int64_t k = 0; k < n; ++k) {
      const auto at = static_cast<size_t>(row * n + k);
      off[static_cast<size_t>(k)] = static_cast<double>(matrix.values[at]) - static_cast<double>(decoded[at]);
    }
    for (int64_t a = 0; a < n; ++a)
      for (int64_t b = diagonal_only ? a : 0; b < (diagonal_only ? a + 1 : n); ++b)
        loss += off[static_cast<size_t>(a)] * off[static_cast<size_t>(b)] *
                static_cast<double>(matrix.hessian[static_cast<size_t>(a * n + b)]);
  }
  return loss;
}

}  // namespace halftone
