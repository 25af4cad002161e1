// SPDX-License-Identifier: Apache-2.0
// Coordinate descent on codes after GPTQ: Nair, Suggala 2024 (CDQuant), arXiv:2406.17542; lines are refitted on the
// way.
#include "quantize/methods/refine.h"

#include <algorithm>
#include <cmath>

#include "quantize/methods/palette_grid.h"

namespace halftone {
namespace {

constexpr int64_t kMostBlock = 128;
constexpr int kPasses = 2;  // over the columns of a block, whose gradient costs far more than they do

struct Descent {
  const HessianFactor& shared;
  const Lanes* values;
  int64_t columns;
  Grid& grid;
  Lanes* codes;

  int64_t width = grid.group_width();
  int64_t block = width <= kMostBlock ? std::max<int64_t>(64 / width, 1) * width : 64;
  float damping = static_cast<float>(shared.damping);
  bool vectors = grid.palettes() != nullptr && grid.palettes()->vector() > 1;
  AlignedBuffer<Lanes> decoded = AlignedBuffer<Lanes>(static_cast<size_t>(columns));
  // [16 rows] of errors and, where groups are wider than a block, [16 rows] of codes, each (columns).
  AlignedBuffer<float> rows = AlignedBuffer<float>(static_cast<size_t>(2 * kPanelRows * columns));
  AlignedBuffer<float> products = AlignedBuffer<float>(static_cast<size_t>(2 * kPanelRows * kMostBlock));
  AlignedBuffer<std::byte> scratch = AlignedBuffer<std::byte>(static_cast<size_t>(product_scratch_bytes(columns)));
  AlignedBuffer<Lanes> gradient = AlignedBuffer<Lanes>(static_cast<size_t>(kMostBlock));  // H e of the block

  const float* hessian_row(int64_t k) const { return shared.hessian.data() + k * columns; }
  float* error_of(int lane) { return rows.data() + lane * columns; }
  float* code_of_row(int lane) { return rows.data() + (kPanelRows + lane) * columns; }

  void start();
  void load_gradient(int64_t first, int64_t count);
  void set(int64_t k, const Lanes& value, int64_t first, int64_t count);
  bool refit(int64_t first, int64_t begin, int64_t end, int64_t block_end);
  bool improve(int64_t k, int64_t first, int64_t count);
  void sweep();
  void refit_wide();
};

void Descent::start() {
  for (int64_t k = 0; k < columns; ++k) {
    grid.decode(k, codes[k], decoded.data()[k]);
    for (int lane = 0; lane < kPanelRows; ++lane) error_of(lane)[k] = values[k].at[lane] - decoded.data()[k].at[lane];
  }
}

void Descent::load_gradient(int64_t first, int64_t count) {
  multiply(shared.products.by_rows, {hessian_row(first), count, columns}, rows.data(), columns, kPanelRows,
           products.data(), kMostBlock, scratch.data());
  for (int64_t j = 0; j < count; ++j)
    for (int lane = 0; lane < kPanelRows; ++lane)
      gradient.data()[j].at[lane] = products.data()[lane * kMostBlock + j] + damping * error_of(lane)[first + j];
}

// Column k now decodes to `value`.
void Descent::set(int64_t k, const Lanes& value, int64_t first, int64_t count) {
  Lanes change;
  for (int lane = 0; lane < kPanelRows; ++lane) {
    change.at[lane] = value.at[lane] - decoded.data()[k].at[lane];
    decoded.data()[k].at[lane] = value.at[lane];
    error_of(lane)[k] = values[k].at[lane] - value.at[lane];
  }
  const float* const row = hessian_row(k) + first;
  for (int64_t j = 0; j < count; ++j) {
    Lanes& one = gradient.data()[j];
    for (int lane = 0; lane < kPanelRows; ++lane) one.at[lane] -= change.at[lane] * row[j];
  }
  Lanes& own = gradient.data()[k - first];
  for (int lane = 0; lane < kPanelRows; ++lane) own.at[lane] -= change.at[lane] * damping;
}

// The group of columns begin .. end, within the block first .. block_end.
bool Descent::refit(int64_t first, int64_t begin, int64_t end, int64_t block_end) {
  LineMoments moments = {};
  for (int64_t k = begin; k < end; ++k) {
    Lanes product = {};  // H u
    float ones = damping;
    for (int64_t i = begin; i < end; ++i) {
      const float share = hessian_row(k)[i];
      ones += share;
      for (int lane = 0; lane < kPanelRows; ++lane) product.at[lane] += codes[i].at[lane] * share;
    }
    const Lanes& own = gradient.data()[k - first];
    moments.one_one += ones;
    for (int lane = 0; lane < kPanelRows; ++lane) {
      const float code = codes[k].at[lane];
      moments.code_error.at[lane] += code * own.at[lane];
      moments.error.at[lane] += own.at[lane];
      moments.code_code.at[lane] += code * (product.at[lane] + damping * code);
      moments.code_one.at[lane] += code * ones;
    }
  }
  if (!grid.refit(begin / width, moments)) return false;
  for (int64_t k = begin; k < end; ++k) {
    Lanes value;
    grid.decode(k, codes[k], value);
    set(k, value, first, block_end - first);
  }
  return true;
}

bool Descent::improve(int64_t k, int64_t first, int64_t count) {
  const float inverse = 1 / (hessian_row(k)[k] + damping);
  Lanes wanted, value, code;
  const Lanes& now = decoded.data()[k];
  for (int lane = 0; lane < kPanelRows; ++lane)
    wanted.at[lane] = now.at[lane] + gradient.data()[k - first].at[lane] * inverse;
  grid.quantize(k, wanted, value, code);
  bool any = false;
  Lanes nearer;
  for (int lane = 0; lane < kPanelRows; ++lane)
    nearer.at[lane] = std::fabs(now.at[lane] - wanted.at[lane]) - std::fabs(value.at[lane] - wanted.at[lane]);
  if (vectors) grid.palettes()->compare(wanted, now, value, nearer);
  for (int lane = 0; lane < kPanelRows; ++lane) {
    const bool better = nearer.at[lane] > 0;
    value.at[lane] = better ? value.at[lane] : now.at[lane];
    codes[k].at[lane] = better ? code.at[lane] : codes[k].at[lane];
    any = any || better;
  }
  if (any) set(k, value, first, count);
  return any;
}

void Descent::sweep() {
  for (int64_t first = 0; first < columns; first += block) {
    const int64_t end = std::min(first + block, columns);
    load_gradient(first, end - first);
    for (int pass = 0; pass < kPasses; ++pass) {
      bool any = false;
      if (width <= kMostBlock)
        for (int64_t begin = first; begin < end; begin += width)
          any = refit(first, begin, std::min(begin + width, end), end) || any;
      for (int64_t k = first; k < end; ++k) any = improve(k, first, end - first) || any;
      if (!any) break;
    }
  }
}

// Groups wider than a block, whose moments need products with all of H. REQUIRES: one group is the whole row.
void Descent::refit_wide() {
  for (int64_t k = 0; k < columns; ++k)
    for (int lane = 0; lane < kPanelRows; ++lane) code_of_row(lane)[k] = codes[k].at[lane];
  LineMoments moments = {};
  for (int64_t first = 0; first < columns; first += block) {
    const int64_t end = std::min(first + block, columns);
    multiply(shared.products.by_rows, {hessian_row(first), end - first, columns}, rows.data(), columns, 2 * kPanelRows,
             products.data(), kMostBlock, scratch.data());
    LineMoments part = {};
    for (int64_t k = first; k < end; ++k) {
      for (int lane = 0; lane < kPanelRows; ++lane) {
        const float code = codes[k].at[lane], error = error_of(lane)[k];
        const float* const product = products.data() + lane * kMostBlock + k - first;
        part.code_error.at[lane] += code * (product[0] + damping * error);
        part.code_code.at[lane] += code * (product[kPanelRows * kMostBlock] + damping * code);
      }
    }
    for (int lane = 0; lane < kPanelRows; ++lane) {
      moments.code_error.at[lane] += part.code_error.at[lane];
      moments.code_code.at[lane] += part.code_code.at[lane];
    }
  }
  if (grid.refit(0, moments)) start();
}

}  // namespace

void refine(const HessianFactor& shared, const Lanes* values, int64_t columns, int sweeps, Grid& grid, Lanes* codes) {
  Descent descent{shared, values, columns, grid, codes};
  descent.start();
  for (int i = 0; i < sweeps; ++i) {
    if (PaletteGrid* const palettes = grid.palettes()) {
      if (palettes->refit_entries(shared, descent.rows.data(), codes)) descent.start();
    } else if (descent.width > kMostBlock) {
      descent.refit_wide();
    }
    descent.sweep();
  }
}

}  // namespace halftone
