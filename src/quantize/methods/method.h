// SPDX-License-Identifier: Apache-2.0
// How numbers are chosen for a layout. One file per method, the paper on its first line; the table is in method.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "halftone/status.h"
#include "tensor/layout.h"

namespace halftone {

// What calibration saw of the inputs x of one matrix, y = W x. Borrowed; empty where the method does not ask for it.
struct InputStatistics {
  int64_t tokens = 0;                       // 0: there was no calibration
  std::span<const float> second_moment;     // (columns): mean of x_k squared, the Hessian's diagonal
  std::span<const float> hessian;           // (columns, columns): mean of x x^T, symmetric
  std::span<const float> row_weights = {};  // (rows): how much the errors of a row count; empty: all alike
  // (columns, columns): mean of x (f - x)^T, where the float model multiplies with f here; empty: with x, too
  std::span<const float> drift = {};
  // Equal runs of rows that each multiply with inputs of their own, as in a grouped convolution: of each run, one after
  // the other, is what the spans hold. Methods see one run at a time.
  int64_t runs = 1;
};

// Of one of the runs. REQUIRES: no row weights where there are several
InputStatistics of_run(const InputStatistics& statistics, int64_t run, int64_t columns);

inline float row_weight(const InputStatistics& statistics, int64_t row) {
  return statistics.row_weights.empty() ? 1.0f : statistics.row_weights[static_cast<size_t>(row)];
}

// The matrix that is to be quantized, row by row. read: row → (columns) finite floats; safe from several threads.
struct MatrixReader {
  int64_t rows, columns;
  std::function<void(int64_t row, float* out)> read;
  std::string name = {};  // for messages: "model.safetensors: tensor 'lm_head.weight'"
};

// What all rows of one matrix share, made once: the factor of a Hessian, the palette of a tensor.
struct Preparation {
  virtual ~Preparation() = default;
};

// Rows (rows, columns) of finite floats in; signed codes (rows, columns) and scales (rows, groups) as f16 bits out, and
// for affine layouts bases like scales (else empty). Palette layouts get codes of their palettes' entries, which are
// f16 bits, too, and scales (rows, 1) only where they are scaled. A scale may be negative. A scale, base or entry of
// infinity says that the group cannot be expressed; the caller makes it an error.
struct MethodInput {
  std::span<const float> values;
  int64_t rows, columns;
  InputStatistics statistics = {};
  const Preparation* preparation = nullptr;  // what the method's own prepare gave; null if it has none
  int64_t first_row = 0;                     // of the matrix, the first of `rows`
};
// Nested layouts: scales and bases are those of the upper level, (rows, scale_count), and each group has bytes like
// them, (rows, groups), as PanelSource takes them.
struct MethodOutput {
  std::span<int8_t> codes;
  std::span<uint16_t> scales;
  std::span<uint16_t> bases = {};
  std::span<uint8_t> sub_scales = {};
  std::span<uint8_t> sub_bases = {};
  std::span<uint16_t> palettes = {};  // palette layouts: (panel_palettes, 2^bits)
};

enum class Data : uint8_t { none, second_moments, hessian };

// The kinds of layouts that a method can fill.
struct Fills {
  bool lines = true;  // one scale per group, and a base where the layout has one
  bool nested = false, palettes = false;
};

struct Method {
  std::string_view name;
  Fills fills = {};
  Data uses = Data::none;  // statistics that it needs; an error where there is no calibration
  bool can_fill(const Layout& layout) const {
    return layout.is_palette() ? fills.palettes : layout.is_nested() ? fills.nested : fills.lines;
  }
  // Once per matrix, before its panels; null where rows share nothing.
  Result<std::unique_ptr<Preparation>> (*prepare)(const Layout& layout, const MatrixReader& matrix,
                                                  const InputStatistics& statistics, ThreadPool& pool) = nullptr;
  // Pure, and called from several threads, with the rows of one panel. REQUIRES: a layout that the method can fill.
  void (*choose)(const Layout& layout, const MethodInput& input, const MethodOutput& output) = nullptr;
};

std::span<const Method> all_methods();
const Method* find_method(std::string_view name);  // null when unknown

}  // namespace halftone
