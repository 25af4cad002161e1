// SPDX-License-Identifier: Apache-2.0
// What differs between integer layouts on AVX-512: how 8 columns of a panel become dwords of 4 unsigned codes, and how
// many columns share a scale. Only files of this ISA include it.
#pragma once

#include "kernels/linear/linear_args.h"
#include "kernels/linear/panels_avx512.h"

namespace halftone {
namespace {

// load: the codes of 8 columns of 16 rows; low: columns 0..3, high: columns 4..7, a dword per row.
// kPlain: memory holds exactly these dwords, 64 bytes per 4 columns. Codes are q + (1 << kOffsetShift).
struct Nibbles {
  static constexpr int64_t kBytesPerColumn = 8;
  static constexpr int kOffsetShift = 3;
  static constexpr bool kPlain = false;
  static void load(const std::byte* at, __m512i& low, __m512i& high) {
    const __m512i mask = _mm512_set1_epi8(15), both = load_codes(at);
    low = _mm512_and_si512(both, mask);
    high = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
  }
};

struct Bytes {
  static constexpr int64_t kBytesPerColumn = 16;
  static constexpr int kOffsetShift = 7;
  static constexpr bool kPlain = true;
  static void load(const std::byte* at, __m512i& low, __m512i& high) {
    low = load_codes(at);
    high = load_codes(at + 64);
  }
};

// kGroup: columns per f16 scale, 32, 64 or 128; 0 is one per row. A panel is its scales, then its codes.
template <class CodesOf, int kGroup>
struct IntegerLayout {
  using Codes = CodesOf;
  static_assert(kGroup == 0 || kGroup == 32 || kGroup == 64 || kGroup == 128);
  static constexpr bool kBlock = kGroup != 0;
  static constexpr int64_t kScaleColumns = kBlock ? kGroup : INT64_MAX;
  static constexpr int64_t kSumColumns = kBlock ? kGroup : kActivationBlock;  // one exact integer sum
  static int64_t scale_bytes(int64_t columns) {
    return round_up_to(kBlock ? (columns + kSumColumns - 1) / kSumColumns * 32 : 32, 64);
  }
  static int64_t panel_bytes(int64_t columns) {
    return scale_bytes(columns) + round_up_to(columns, 8) * Codes::kBytesPerColumn;
  }
};

inline __m512i broadcast4(const int8_t* at) {
  int32_t four;
  __builtin_memcpy(&four, at, 4);
  return _mm512_set1_epi32(four);
}

// Into L2: for bytes that are not needed at once.
inline __attribute__((always_inline)) void prefetch_far(const std::byte* at, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += 64) _mm_prefetch(reinterpret_cast<const char*>(at + line), _MM_HINT_T1);
}

// Rows of a panel that exist.
inline __mmask16 lanes_of(int64_t rows, int64_t panel) {
  const int64_t left = rows - panel * 16;
  return left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
}

}  // namespace
}  // namespace halftone
