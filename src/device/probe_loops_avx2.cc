// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "device/probe_loops.h"

namespace halftone {
namespace {

// Of 16 registers. Chains begin differently, or the compiler would find them equal and keep one.
constexpr int kChains = 12;

// Four streams, each prefetched: a kernel walks as many panels at once, and a reader that is weaker than a kernel is no
// limit.
constexpr size_t kStreams = 4, kLine = 64, kNear = 2048, kFar = 8192;

uint64_t sum_of(const char* at, size_t bytes) {
  uint64_t sum = 0;
  for (; bytes > 0; --bytes, ++at) sum += static_cast<unsigned char>(*at);
  return sum;
}

uint64_t read(const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  const size_t stride = bytes / kStreams / kLine * kLine;
  __m256i sums[2 * kStreams];
  for (auto& sum : sums) sum = _mm256_setzero_si256();
  for (size_t i = 0; i < stride; i += kLine) {
    for (size_t s = 0; s < kStreams; ++s) {
      const char* from = at + s * stride + i;
      _mm_prefetch(from + kNear, _MM_HINT_T0);
      _mm_prefetch(from + kFar, _MM_HINT_T1);
      for (size_t half = 0; half < 2; ++half) {
        const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32 * half));
        sums[2 * s + half] = _mm256_add_epi64(sums[2 * s + half], words);
      }
    }
  }
  uint64_t sum = sum_of(at + kStreams * stride, bytes - kStreams * stride);
  for (const auto& part : sums) {
    alignas(32) uint64_t words[4];
    _mm256_store_si256(reinterpret_cast<__m256i*>(words), part);
    sum += words[0] + words[1] + words[2] + words[3];
  }
  return sum;
}

double f32_fma(int64_t iterations) {
  const __m256 factor = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1.0f);
  __m256 sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, factor, one);
  }
  double result = 0;
  for (const auto& sum : sums) result += static_cast<double>(_mm256_cvtss_f32(sum));
  return result;
}

// Without VNNI a product of 4 pairs takes three instructions; that is this ISA's peak, not a weakness of the loop.
int64_t int8_dot(int64_t iterations) {
  const __m256i ones = _mm256_set1_epi16(1), right = _mm256_set1_epi8(-2);
  __m256i sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_epi32(i);
  for (int64_t n = 0; n < iterations; ++n) {
    for (auto& sum : sums) {
      // The sum is its own left operand: an invariant product would be hoisted out of the loop.
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(sum, right), ones));
    }
  }
  int64_t result = 0;
  for (const auto& sum : sums) result += _mm256_cvtsi256_si32(sum);
  return result;
}

}  // namespace

extern const ProbeLoops kProbeLoopsAvx2 = {read, f32_fma, 2 * 8 * kChains, int8_dot, 2 * 32 * kChains, nullptr, 0};

}  // namespace halftone
