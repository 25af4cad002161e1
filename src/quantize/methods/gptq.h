// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "base/aligned.h"
#include "quantize/methods/method.h"
#include "quantize/products.h"

namespace halftone {

// The Hessian H of a matrix's inputs, in the order in which columns are quantized, as H = (1 + L)^T D (1 + L) with L
// strictly lower. An error e made in column i is best answered by moving column j > i by e * L[j][i]; what remains of
// an error e in column j then costs D[j] * e * e.
struct HessianFactor final : Preparation {
  static constexpr int64_t kBlock = 64;

  std::vector<int32_t> order;             // position → column: largest activations first
  std::vector<float> pivots;              // D, by position
  AlignedBuffer<float> left;              // per block of positions, in panels of 16: [position before the block][16]
  AlignedBuffer<float> inside;            // per block: (kBlock, kBlock)
  std::span<const float> hessian, drift;  // as given, in the order of the matrix
  double damping = 0;                     // added to the diagonal of H
  ExactProducts products;
  std::unique_ptr<Preparation> palettes;  // SharedPalettes, where the layout has them

  // L[j][i]. REQUIRES: i < j
  float lower(int64_t j, int64_t i) const {
    const int64_t block = j / kBlock, first = block * kBlock, row = j - first;
    if (i >= first) return inside_of(block)[row * kBlock + i - first];
    return left_of(block)[row / kPanelRows * kPanelRows * first + i * kPanelRows + row % kPanelRows];
  }
  const float* left_of(int64_t block) const { return left.data() + block * (block - 1) / 2 * kBlock * kBlock; }
  const float* inside_of(int64_t block) const { return inside.data() + block * kBlock * kBlock; }
};

// How much a column counts for palettes that are made before errors are fed back. Several hundred entries of vectors
// fit the few columns that matter most so closely that they miss what feedback makes of all others: their root counts.
inline float weight_of_pivot(const Layout& layout, float pivot) { return layout.vector > 1 ? std::sqrt(pivot) : pivot; }

// choose_gptq with so many sweeps of refine.h after it.
void choose_with_feedback(const Layout& layout, const MethodInput& input, int sweeps, const MethodOutput& output);

}  // namespace halftone
