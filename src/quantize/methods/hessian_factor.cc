// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "quantize/methods/cholesky.h"
#include "quantize/methods/gptq.h"
#include "quantize/methods/methods.h"

namespace halftone {
namespace {

constexpr double kDamping = 0.01;  // of the mean diagonal, as the paper
constexpr int kAttempts = 6;       // each with ten times the damping of the one before

Status check_hessian(const InputStatistics& statistics, int64_t columns, double* mean) {
  if (std::ssize(statistics.hessian) != columns * columns)
    return invalid_input("[gptq] expected a Hessian of {} columns, got {} numbers; give calibration data", columns,
                         statistics.hessian.size());
  double sum = 0;
  for (int64_t k = 0; k < columns; ++k) {
    const float value = statistics.hessian[static_cast<size_t>(k * columns + k)];
    if (!(value >= 0) || std::isinf(value))
      return invalid_input("[gptq] expected finite second moments, got {} at column {}; the calibration data overflow",
                           value, k);
    sum += static_cast<double>(value);
  }
  *mean = sum / static_cast<double>(columns);
  return {};
}

// Fills what choosing reads from the factor of H in reverse order: L[j][i] = F(n-1-i, n-1-j) / F(n-1-j, n-1-j).
void store(const BlockCholesky& factor, HessianFactor& out, ThreadPool& pool) {
  constexpr int64_t kBlock = HessianFactor::kBlock;
  const int64_t n = factor.size(), blocks = (n + kBlock - 1) / kBlock;
  out.left = AlignedBuffer<float>(static_cast<size_t>(blocks * (blocks - 1) / 2 * kBlock * kBlock));
  out.inside = AlignedBuffer<float>(static_cast<size_t>(blocks * kBlock * kBlock));
  out.pivots.resize(static_cast<size_t>(n));
  std::vector<float> inverse(static_cast<size_t>(n));
  for (int64_t j = 0; j < n; ++j) {
    const float root = factor.at(n - 1 - j, n - 1 - j);
    out.pivots[static_cast<size_t>(j)] = root * root;
    inverse[static_cast<size_t>(j)] = 1 / root;
  }
  pool.parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBlock, count = std::min(kBlock, n - first);
      float* const inside = out.inside.data() + block * kBlock * kBlock;
      for (int64_t j = 0; j < count; ++j)
        for (int64_t i = 0; i < j; ++i)
          inside[j * kBlock + i] =
              factor.at(n - 1 - first - i, n - 1 - first - j) * inverse[static_cast<size_t>(first + j)];
      float* const left = out.left.data() + block * (block - 1) / 2 * kBlock * kBlock;
      for (int64_t panel = 0; panel < count; panel += kPanelRows)
        for (int64_t i = 0; i < first; ++i)
          for (int64_t r = 0; r < kPanelRows && panel + r < count; ++r)
            left[(panel * first) + i * kPanelRows + r] =
                factor.at(n - 1 - i, n - 1 - first - panel - r) * inverse[static_cast<size_t>(first + panel + r)];
    }
  });
}

}  // namespace

Result<std::unique_ptr<Preparation>> prepare_gptq(const Layout& layout, const MatrixReader& matrix,
                                                  const InputStatistics& statistics, ThreadPool& pool) {
  const int64_t n = matrix.columns;
  double mean = 0;
  HALFTONE_TRY(check_hessian(statistics, n, &mean));
  auto result = std::make_unique<HessianFactor>();
  HALFTONE_ASSIGN(result->products, ExactProducts::here());
  result->hessian = statistics.hessian;
  result->drift = statistics.drift;
  const float* const h = statistics.hessian.data();
  result->order.resize(static_cast<size_t>(n));
  std::iota(result->order.begin(), result->order.end(), 0);
  std::stable_sort(result->order.begin(), result->order.end(),
                   [&](int32_t a, int32_t b) { return h[a * n + a] > h[b * n + b]; });
  const auto& order = result->order;
  BlockCholesky factor(n);
  double damping = mean > 0 ? kDamping * mean : 1;  // inputs that are all zero: every column counts alike
  for (int attempt = 0; attempt < kAttempts; ++attempt, damping *= 10) {
    const auto added = static_cast<float>(damping);
    factor.fill(
        [&](int64_t row, float* out) {
          const float* const from = h + static_cast<int64_t>(order[static_cast<size_t>(n - 1 - row)]) * n;
          for (int64_t k = 0; k <= row; ++k) out[k] = from[order[static_cast<size_t>(n - 1 - k)]];
          out[row] += added;
        },
        pool);
    if (!factor.factor(added / 4, result->products, pool)) continue;
    result->damping = damping;
    store(factor, *result, pool);
    if (layout.is_palette()) {  // columns count as they do for the grids of panels
      std::vector<float> weights(static_cast<size_t>(n));
      for (size_t j = 0; j < weights.size(); ++j)
        weights[static_cast<size_t>(order[j])] = weight_of_pivot(layout, result->pivots[j]);
      HALFTONE_ASSIGN(result->palettes,
                      prepare_kmeans(layout, matrix, {statistics.tokens, weights, {}, statistics.row_weights}, pool));
    }
    return std::unique_ptr<Preparation>(std::move(result));
  }
  return invalid_input(
      "[gptq] expected a Hessian that is positive once its diagonal is damped, got one that is not at "
      "{:g} times its mean diagonal; the statistics are damaged (NaN, not symmetric)",
      damping / 10 / mean);
}

}  // namespace halftone
