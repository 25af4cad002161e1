// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "device/probe_loops.h"

namespace halftone {
namespace {

// Two units of latency 4 need 8. Chains begin differently, or the compiler would find them equal and keep one.
constexpr int kChains = 12;

uint64_t read(const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  __m512i sums[8];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  for (; bytes >= sizeof sums; bytes -= sizeof sums, at += sizeof sums) {
    for (int i = 0; i < 8; ++i) sums[i] = _mm512_add_epi64(sums[i], _mm512_loadu_si512(at + 64 * i));
  }
  uint64_t sum = 0;
  for (; bytes > 0; --bytes, ++at) sum += static_cast<unsigned char>(*at);
  for (const auto& part : sums) {
    alignas(64) uint64_t words[8];
    _mm512_store_si512(words, part);
    for (const uint64_t word : words) sum += word;
  }
  return sum;
}

double f32_fma(int64_t iterations) {
  const __m512 factor = _mm512_set1_ps(0.5f), one = _mm512_set1_ps(1.0f);
  __m512 sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, factor, one);
  }
  double result = 0;
  for (const auto& sum : sums) result += static_cast<double>(_mm512_cvtss_f32(sum));
  return result;
}

int64_t int8_dot(int64_t iterations) {
  const __m512i left = _mm512_set1_epi8(3), right = _mm512_set1_epi8(-2);
  __m512i sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_epi32(i);
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& sum : sums) sum = _mm512_dpbusd_epi32(sum, left, right);
  }
  int64_t result = 0;
  for (const auto& sum : sums) result += _mm512_cvtsi512_si32(sum);
  return result;
}

}  // namespace

extern const ProbeLoops kProbeLoopsAvx512 = {read, f32_fma, 2 * 16 * kChains, int8_dot, 2 * 64 * kChains};

}  // namespace halftone
