// SPDX-License-Identifier: Apache-2.0
// Entries under the Hessian, codes fixed. With S the matrix that spreads entries to the weights that have them, the
// best move d solves S^T H S d = S^T H e. S^T H S is never made: a few conjugate gradients (Hestenes, Stiefel 1952)
// need only products with H, which are fast.
#include <algorithm>
#include <cmath>

#include "quantize/methods/palette_grid.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int kGradientSteps = 4;
constexpr int64_t kProductRows = 64;  // of H at a time

}  // namespace

// S^T (H + damping) x, the rows of x as vectors, each times its weight: [16][columns].
PaletteGrid::Entries PaletteGrid::gather(const HessianFactor& shared, const float* vectors, const Lanes* codes) const {
  Entries sums(static_cast<size_t>(kPanelRows) * entries());  // by lane
  alignas(64) float products[kPanelRows * kProductRows];
  AlignedBuffer<std::byte> scratch(static_cast<size_t>(product_scratch_bytes(columns_)));
  const auto damping = static_cast<float>(shared.damping);
  for (int64_t first = 0; first < columns_; first += kProductRows) {
    const int64_t count = std::min(kProductRows, columns_ - first);
    multiply(shared.products.by_rows, {shared.hessian.data() + first * columns_, count, columns_}, vectors, columns_,
             kPanelRows, products, kProductRows, scratch.data());
    for (int64_t lane = 0; lane < rows_; ++lane)
      for (int64_t j = 0; j < count; ++j) {
        const float moved = products[lane * kProductRows + j] + damping * vectors[lane * columns_ + first + j];
        const auto u = static_cast<size_t>(codes[first + j].at[lane]);
        sums[static_cast<size_t>(lane) * entries() + u] +=
            static_cast<double>(moved * scale_.at[lane] * weight_.at[lane]);
      }
  }
  Entries result(static_cast<size_t>(layout_.panel_palettes()) * numbers());
  for (int64_t lane = 0; lane < rows_; ++lane)
    for (size_t u = 0; u < entries(); ++u)
      result[number_of(lane, u)] += sums[static_cast<size_t>(lane) * entries() + u];
  return result;
}

// The part of S^T (H + damping) S that the diagonal of H makes, which is diagonal; 1 for entries that nobody has.
PaletteGrid::Entries PaletteGrid::curvature(const HessianFactor& shared, const Lanes* codes) const {
  Entries result(static_cast<size_t>(layout_.panel_palettes()) * numbers());
  for (int64_t k = 0; k < columns_; ++k) {
    const double own = static_cast<double>(shared.hessian[static_cast<size_t>(k * columns_ + k)]) + shared.damping;
    for (int64_t lane = 0; lane < rows_; ++lane) {
      const auto scale = static_cast<double>(scale_.at[lane]);
      const auto u = static_cast<size_t>(codes[k].at[lane]);
      result[number_of(lane, u)] += own * scale * scale * static_cast<double>(weight_.at[lane]);
    }
  }
  for (double& one : result) one = one > 0 ? one : 1;
  return result;
}

void PaletteGrid::spread(const Entries& moves, const Lanes* codes, float* vectors) const {
  for (int64_t lane = 0; lane < rows_; ++lane) {
    for (int64_t k = 0; k < columns_; ++k)
      vectors[lane * columns_ + k] =
          static_cast<float>(moves[number_of(lane, static_cast<size_t>(codes[k].at[lane]))]) * scale_.at[lane];
  }
}

bool PaletteGrid::refit_entries(const HessianFactor& shared, const float* errors, const Lanes* codes) {
  if (palettes_ != nullptr) return false;  // other panels have them, too
  const size_t count = numbers(), palettes = static_cast<size_t>((rows_ - 1) / lanes_of_palette() + 1);
  const Entries pull = gather(shared, errors, codes), weight = curvature(shared, codes);
  Entries left = pull, direction(pull.size()), move(pull.size());
  AlignedBuffer<float> vectors(static_cast<size_t>(kPanelRows * columns_));
  std::fill_n(vectors.data(), kPanelRows * columns_, 0.0f);
  std::vector<double> before(palettes);
  for (int step = 0; step < kGradientSteps; ++step) {
    for (size_t p = 0; p < palettes; ++p) {
      double size = 0;
      for (size_t i = p * count; i < (p + 1) * count; ++i) size += left[i] * left[i] / weight[i];
      const double kept = step > 0 && before[p] > 0 ? size / before[p] : 0;
      for (size_t i = p * count; i < (p + 1) * count; ++i) direction[i] = left[i] / weight[i] + kept * direction[i];
      before[p] = size;
    }
    spread(direction, codes, vectors.data());
    const Entries moved = gather(shared, vectors.data(), codes);
    for (size_t p = 0; p < palettes; ++p) {
      double against = 0;
      for (size_t i = p * count; i < (p + 1) * count; ++i) against += direction[i] * moved[i];
      if (!(against > 0)) continue;
      const double length = before[p] / against;
      for (size_t i = p * count; i < (p + 1) * count; ++i) {
        move[i] += length * direction[i];
        left[i] -= length * moved[i];
      }
    }
  }
  std::vector<float> stored(pull.size());
  for (size_t i = 0; i < palettes * count; ++i) {
    const size_t own = static_cast<size_t>(vector());
    const float now = values_[i % count / own].at[i / count * static_cast<size_t>(lanes_of_palette()) + i % own];
    stored[i] = rounded_to_f16(now + static_cast<float>(move[i]));
    move[i] = static_cast<double>(stored[i]) - static_cast<double>(now);
  }
  spread(move, codes, vectors.data());
  const Entries moved = gather(shared, vectors.data(), codes);
  bool any = false;
  for (size_t p = 0; p < palettes; ++p) {
    double change = 0;
    for (size_t i = p * count; i < (p + 1) * count; ++i) change += move[i] * (moved[i] - 2 * pull[i]);
    if (!(change < 0) || std::isinf(change)) continue;
    any = true;
    const auto first = static_cast<int64_t>(p) * lanes_of_palette();
    const int64_t end = vector() > 1 ? kPanelRows : std::min(first + lanes_of_palette(), rows_);
    for (int64_t lane = first; lane < end; ++lane)
      for (size_t u = 0; u < entries(); ++u) values_[u].at[lane] = stored[number_of(lane, u)];
  }
  if (any) sort_entries();
  return any;
}

}  // namespace halftone
