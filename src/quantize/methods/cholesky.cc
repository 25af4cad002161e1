// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/cholesky.h"

#include <algorithm>
#include <cmath>

namespace halftone {
namespace {

constexpr int64_t kBlock = BlockCholesky::kBlock;

// The factor of one block (stride kBlock) in doubles, and its inverse, rows of kBlock.
bool factor_small(float* block, int64_t rows, float least, float* inverse) {
  std::vector<double> a(static_cast<size_t>(rows * rows)), inv(a.size(), 0.0);
  const auto at = [rows](int64_t r, int64_t c) { return static_cast<size_t>(r * rows + c); };
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c <= r; ++c) a[at(r, c)] = static_cast<double>(block[r * kBlock + c]);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c <= r; ++c) {
      double sum = a[at(r, c)];
      for (int64_t k = 0; k < c; ++k) sum -= a[at(r, k)] * a[at(c, k)];
      if (c < r) {
        a[at(r, c)] = sum / a[at(c, c)];
        continue;
      }
      if (!(sum > static_cast<double>(least))) return false;  // NaN as well
      a[at(r, r)] = std::sqrt(sum);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c <= r; ++c) {
      double sum = c == r ? 1 : 0;
      for (int64_t k = c; k < r; ++k) sum -= a[at(r, k)] * inv[at(k, c)];
      inv[at(r, c)] = sum / a[at(r, r)];
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < rows; ++c) {
      if (c <= r) block[r * kBlock + c] = static_cast<float>(a[at(r, c)]);
      inverse[r * kBlock + c] = static_cast<float>(inv[at(r, c)]);
    }
  }
  return true;
}

}  // namespace

BlockCholesky::BlockCholesky(int64_t size)
    : size_(size),
      blocks_((size + kBlock - 1) / kBlock),
      data_(static_cast<size_t>(blocks_ * (blocks_ + 1) / 2 * kBlock * kBlock)) {}

void BlockCholesky::fill(const std::function<void(int64_t, float*)>& fill_row, ThreadPool& pool) {
  pool.parallel_for(blocks_, 1, [&](int64_t begin, int64_t end, int) {
    std::vector<float> row(static_cast<size_t>(size_));
    for (int64_t block = begin; block < end; ++block) {
      const int64_t left = block * kBlock;
      for (int64_t r = 0; r < rows_of(block); ++r) {
        fill_row(left + r, row.data());
        std::copy_n(row.data(), left, left_of(block) + r * left);
        std::copy_n(row.data() + left, r + 1, diagonal_of(block) + r * kBlock);
      }
    }
  });
}

bool BlockCholesky::factor_diagonal(int64_t block, float least, const ExactProducts& products, float* inverse) {
  const int64_t rows = rows_of(block), left = block * kBlock;
  if (left > 0) {
    std::vector<float> product(static_cast<size_t>(rows * kBlock));
    AlignedBuffer<std::byte> scratch(static_cast<size_t>(product_scratch_bytes(size_)));
    multiply(products.by_rows, {left_of(block), rows, left}, left_of(block), left, rows, product.data(), kBlock,
             scratch.data());
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c <= r; ++c)
        diagonal_of(block)[r * kBlock + c] -= product[static_cast<size_t>(r * kBlock + c)];
  }
  return factor_small(diagonal_of(block), rows, least, inverse);
}

// Block (row_block, block): what earlier blocks contribute is taken off, and the rest divided by the diagonal block.
void BlockCholesky::solve_below(int64_t block, int64_t row_block, const float* inverse, const ExactProducts& products,
                                std::vector<float>& product, std::byte* scratch) {
  const int64_t rows = rows_of(row_block), stride = row_block * kBlock, left = block * kBlock;
  float* const begin = left_of(row_block);
  float* const target = begin + left;
  product.resize(static_cast<size_t>(kBlock * kBlock));
  if (left > 0) {
    multiply(products.by_rows, {left_of(block), kBlock, left}, begin, stride, rows, product.data(), kBlock, scratch);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < kBlock; ++c) target[r * stride + c] -= product[static_cast<size_t>(r * kBlock + c)];
  }
  multiply(products.by_rows, {inverse, kBlock, kBlock}, target, stride, rows, product.data(), kBlock, scratch);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(product.data() + r * kBlock, kBlock, target + r * stride);
}

bool BlockCholesky::factor(float least, const ExactProducts& products, ThreadPool& pool) {
  std::vector<float> inverse(static_cast<size_t>(kBlock * kBlock));
  std::vector<std::vector<float>> buffers(static_cast<size_t>(pool.threads()));
  std::vector<AlignedBuffer<std::byte>> scratch(buffers.size());
  for (auto& one : scratch) one.grow(static_cast<size_t>(product_scratch_bytes(size_)));
  for (int64_t block = 0; block < blocks_; ++block) {
    if (!factor_diagonal(block, least, products, inverse.data())) return false;
    pool.parallel_for(blocks_ - block - 1, 1, [&](int64_t begin, int64_t end, int thread) {
      const auto own = static_cast<size_t>(thread);
      for (int64_t i = begin; i < end; ++i)
        solve_below(block, block + 1 + i, inverse.data(), products, buffers[own], scratch[own].data());
    });
  }
  return true;
}

}  // namespace halftone
