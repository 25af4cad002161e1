// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "quantize/products.h"

namespace halftone {

// The lower triangle of a symmetric matrix, in place its Cholesky factor: A = L L^T. Block rows of kBlock rows follow
// each other; each is what lies left of its diagonal block, (rows, left) without gaps, as products want it, and then
// the block itself, (rows, kBlock). Half the memory of the square.
class BlockCholesky {
 public:
  static constexpr int64_t kBlock = 128;

  explicit BlockCholesky(int64_t size);
  int64_t size() const { return size_; }

  // fill(row, out): elements 0 .. row of a row; called from several threads.
  void fill(const std::function<void(int64_t row, float* out)>& fill_row, ThreadPool& pool);
  // False when a pivot (the square of a diagonal element of L) is not greater than `least`: contents are then lost.
  // The same bits for every number of threads.
  bool factor(float least, const ExactProducts& products, ThreadPool& pool);

  // Element (row, column) of the factor. REQUIRES: column <= row.
  float at(int64_t row, int64_t column) const {
    const int64_t block = row / kBlock, left = block * kBlock;
    return column < left ? left_of(block)[(row - left) * left + column]
                         : diagonal_of(block)[(row - left) * kBlock + column - left];
  }

 private:
  int64_t rows_of(int64_t block) const { return block + 1 < blocks_ ? kBlock : size_ - block * kBlock; }
  float* left_of(int64_t block) { return data_.data() + block * (block + 1) / 2 * kBlock * kBlock; }
  const float* left_of(int64_t block) const { return const_cast<BlockCholesky*>(this)->left_of(block); }
  float* diagonal_of(int64_t block) { return left_of(block) + rows_of(block) * block * kBlock; }
  const float* diagonal_of(int64_t block) const { return const_cast<BlockCholesky*>(this)->diagonal_of(block); }

  bool factor_diagonal(int64_t block, float least, const ExactProducts& products, float* inverse);
  void solve_below(int64_t block, int64_t row_block, const float* inverse, const ExactProducts& products,
                   std::vector<float>& product, std::byte* scratch);

  int64_t size_, blocks_;
  AlignedBuffer<float> data_;
};

}  // namespace halftone
