// SPDX-License-Identifier: Apache-2.0
// Asymmetric calibration: Li, Yin, Lee et al. 2025 (GPTAQ), arXiv:2504.02692; here in closed form, before columns are
// chosen.
#include "quantize/methods/drift.h"

namespace halftone {
namespace {

template <class Body>
inline void each_row(Body body) {
  for (int lane = 0; lane < kPanelRows; ++lane) body(lane);
}

}  // namespace

void follow_drift(const HessianFactor& shared, int64_t columns, Lanes* values) {
  const float* const drift = shared.drift.data();  // [x][f - x]: the transposed D
  AlignedBuffer<Lanes> moves(static_cast<size_t>(columns));
  Lanes* const u = moves.data();  // by position
  const auto column = [&](int64_t position) { return shared.order[static_cast<size_t>(position)]; };
  for (int64_t j = 0; j < columns; ++j) {
    const float* const row = drift + column(j) * columns;
    Lanes sum = {};
    for (int64_t k = 0; k < columns; ++k) each_row([&](int lane) { sum.at[lane] += values[k].at[lane] * row[k]; });
    u[j] = sum;
  }
  // u (1 + L)^T D (1 + L) = what it was: first D (1 + L) from the last position on, then (1 + L)^T from the first.
  for (int64_t j = columns - 1; j >= 0; --j) {
    for (int64_t i = 0; i < j; ++i) {
      const float share = shared.lower(j, i);
      each_row([&](int lane) { u[i].at[lane] -= u[j].at[lane] * share; });
    }
    const float pivot = shared.pivots[static_cast<size_t>(j)];
    each_row([&](int lane) { u[j].at[lane] /= pivot; });
  }
  for (int64_t j = 0; j < columns; ++j)
    for (int64_t i = 0; i < j; ++i) {
      const float share = shared.lower(j, i);
      each_row([&](int lane) { u[j].at[lane] -= u[i].at[lane] * share; });
    }
  for (int64_t j = 0; j < columns; ++j) each_row([&](int lane) { values[column(j)].at[lane] += u[j].at[lane]; });
}

}  // namespace halftone
