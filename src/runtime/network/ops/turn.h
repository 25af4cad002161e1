// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"

namespace halftone::network::ops {

// (count, rows, columns) → (count, columns, rows), in squares that fit caches.
template <class T>
void turn_planes(const T* from, T* to, int64_t count, int64_t rows, int64_t columns, ThreadPool& pool) {
  constexpr int64_t kSide = 32;
  const int64_t bands = (columns + kSide - 1) / kSide;
  pool.parallel_for(count * bands, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % bands * kSide, last = std::min(first + kSide, columns);
      const T* plane = from + i / bands * rows * columns;
      T* turned = to + i / bands * rows * columns;
      for (int64_t row = 0; row < rows; row += kSide)
        for (int64_t c = first; c < last; ++c)
          for (int64_t r = row; r < std::min(row + kSide, rows); ++r) turned[c * rows + r] = plane[r * columns + c];
    }
  });
}

}  // namespace halftone::network::ops
