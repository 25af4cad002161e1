// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "device/probe_loops.h"

namespace halftone {
namespace {

// Two units of latency 4 need 8 chains; 24 read up to 14 % more than 12. In two rows: g++ writes out loops of at most
// 16 and would keep the sums in memory. They begin differently, or the compiler would find them equal and keep one.
constexpr int kRows = 2, kColumns = 12, kChains = kRows * kColumns;

// Four streams, each prefetched: a kernel walks as many panels at once, and a reader that is weaker than a kernel is no
// limit. Measured beside one stream without: 2 to 4 % faster.
constexpr size_t kStreams = 4, kLine = 64, kAhead = 2048;

uint64_t sum_of(const char* at, size_t bytes) {
  uint64_t sum = 0;
  for (; bytes > 0; --bytes, ++at) sum += static_cast<unsigned char>(*at);
  return sum;
}

uint64_t read(const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  const size_t stride = bytes / kStreams / (2 * kLine) * (2 * kLine);
  __m512i sums[2 * kStreams];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  for (size_t i = 0; i < stride; i += 2 * kLine) {
    for (size_t s = 0; s < kStreams; ++s) {
      for (size_t line = 0; line < 2; ++line) {
        const char* from = at + s * stride + i + line * kLine;
        _mm_prefetch(from + kAhead, _MM_HINT_T0);
        sums[2 * s + line] = _mm512_add_epi64(sums[2 * s + line], _mm512_loadu_si512(from));
      }
    }
  }
  uint64_t sum = sum_of(at + kStreams * stride, bytes - kStreams * stride);
  for (const auto& part : sums) {
    alignas(64) uint64_t words[8];
    _mm512_store_si512(words, part);
    for (const uint64_t word : words) sum += word;
  }
  return sum;
}

double f32_fma(int64_t iterations) {
  const __m512 factor = _mm512_set1_ps(0.5f), one = _mm512_set1_ps(1.0f);
  __m512 sums[kRows][kColumns];
  float first = 0;
  for (auto& row : sums) {
    for (auto& sum : row) sum = _mm512_set1_ps(first++);
  }
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& row : sums) {
      for (auto& sum : row) sum = _mm512_fmadd_ps(sum, factor, one);
    }
  }
  double result = 0;
  for (const auto& row : sums) {
    for (const auto& sum : row) result += static_cast<double>(_mm512_cvtss_f32(sum));
  }
  return result;
}

int64_t int8_dot(int64_t iterations) {
  const __m512i left = _mm512_set1_epi8(3), right = _mm512_set1_epi8(-2);
  __m512i sums[kRows][kColumns];
  int first = 0;
  for (auto& row : sums) {
    for (auto& sum : row) sum = _mm512_set1_epi32(first++);
  }
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& row : sums) {
      for (auto& sum : row) sum = _mm512_dpbusd_epi32(sum, left, right);
    }
  }
  int64_t result = 0;
  for (const auto& row : sums) {
    for (const auto& sum : row) result += _mm512_cvtsi512_si32(sum);
  }
  return result;
}

// Beyond this file's flags: the caller asks the CPU first.
__attribute__((target("avx512bf16"))) double bf16_dot(int64_t iterations) {
  const __m512bh left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f003f00)), right = left;  // pairs of 0.5
  __m512 sums[kRows][kColumns];
  float first = 0;
  for (auto& row : sums) {
    for (auto& sum : row) sum = _mm512_set1_ps(first++);
  }
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& row : sums) {
      for (auto& sum : row) sum = _mm512_dpbf16_ps(sum, left, right);
    }
  }
  double result = 0;
  for (const auto& row : sums) {
    for (const auto& sum : row) result += static_cast<double>(_mm512_cvtss_f32(sum));
  }
  return result;
}

}  // namespace

extern const ProbeLoops kProbeLoopsAvx512 = {read,     f32_fma,         2 * 16 * kChains, int8_dot, 2 * 64 * kChains,
                                             bf16_dot, 2 * 32 * kChains};

}  // namespace halftone
