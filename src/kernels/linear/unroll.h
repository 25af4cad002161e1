// SPDX-License-Identifier: Apache-2.0
// Loops that the front end unrolls: arrays of registers indexed in them stay registers whatever the optimizer's limits.
#pragma once

namespace halftone {
namespace {

template <int kIndex>
struct Index {
  static constexpr int kValue = kIndex;
  constexpr operator int() const { return kIndex; }
};

// body(Index<0>()), ..., body(Index<kCount - 1>()).
template <int kCount, class Body>
inline __attribute__((always_inline)) void unroll(const Body& body) {
  if constexpr (kCount > 0) {
    unroll<kCount - 1>(body);
    body(Index<kCount - 1>());
  }
}

}  // namespace
}  // namespace halftone
