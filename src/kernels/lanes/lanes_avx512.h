// SPDX-License-Identifier: Apache-2.0
// 16 lanes of f32 in one AVX-512 register. The same operations, bit for bit, as lanes_scalar.h. Only files of this ISA
// include it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace halftone {
namespace {

constexpr int kLanesInRegisters = 32;  // how many Lanes the machine holds at once
struct Lanes {
  __m512 v;
};

inline __mmask16 first_lanes(int n) { return n >= 16 ? 0xffff : static_cast<__mmask16>((1u << n) - 1); }
inline Lanes set(float value) { return {_mm512_set1_ps(value)}; }
inline Lanes load(const float* at) { return {_mm512_loadu_ps(at)}; }
inline Lanes load_some(const float* at, int n) { return {_mm512_maskz_loadu_ps(first_lanes(n), at)}; }
inline Lanes load_halves(const uint16_t* at) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)))};
}
inline Lanes load_halves_some(const uint16_t* at, int n) {
  return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), at))};
}
inline Lanes load_bytes(const int8_t* at) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))))};
}
inline void store(float* at, Lanes x) { _mm512_storeu_ps(at, x.v); }
inline void store_halves(uint16_t* at, Lanes x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT));
}
inline void store_some(float* at, Lanes x, int n) { _mm512_mask_storeu_ps(at, first_lanes(n), x.v); }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Lanes add(Lanes a, Lanes b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Lanes sub(Lanes a, Lanes b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Lanes mul(Lanes a, Lanes b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Lanes div(Lanes a, Lanes b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Lanes max(Lanes a, Lanes b) { return {_mm512_max_ps(a.v, b.v)}; }
// Lanes [begin, end) of x, `other` elsewhere.
inline Lanes keep(Lanes x, int begin, int end, float other) {
  const auto mask = static_cast<__mmask16>(first_lanes(end) & ~first_lanes(begin));
  return {_mm512_mask_mov_ps(_mm512_set1_ps(other), mask, x.v)};
}
inline Lanes choose_if_less(Lanes a, Lanes b, Lanes yes, Lanes no) {
  return {_mm512_mask_mov_ps(no.v, _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), yes.v)};
}
inline Lanes keep_nan(Lanes x, Lanes otherwise) {
  return {_mm512_mask_mov_ps(otherwise.v, _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q), x.v)};
}
// x * 2^n, where the low bits of `power` hold n.
inline Lanes scale_by_power(Lanes x, Lanes power) {
  return {_mm512_castsi512_ps(
      _mm512_add_epi32(_mm512_castps_si512(x.v), _mm512_slli_epi32(_mm512_castps_si512(power.v), 23)))};
}

inline __m128 add(__m128 a, __m128 b) { return _mm_add_ps(a, b); }
inline __m128 max(__m128 a, __m128 b) { return _mm_max_ps(a, b); }
inline __m256 add(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
inline __m256 max(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }
template <class Op>
inline float fold(Lanes x, const Op& op) {
  const __m256 eight = op(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  __m128 v = op(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  v = op(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(op(v, _mm_movehdup_ps(v)));
}

// 16 integer sums of products of 8-bit numbers.
struct Sums {
  __m512i v;
};
struct Codes {
  __m512i v;
};
inline Sums no_sums() { return {_mm512_setzero_si512()}; }
inline Codes load_codes(const uint8_t* at) { return {_mm512_loadu_si512(at)}; }
inline Sums dot4(Codes codes, const int8_t* x, Sums sums) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  return {_mm512_dpbusd_epi32(sums.v, codes.v, _mm512_set1_epi32(four))};
}
inline Lanes without_offset(Sums sums, int32_t sum_of_x) {
  return {_mm512_cvtepi32_ps(_mm512_sub_epi32(sums.v, _mm512_set1_epi32(128 * sum_of_x)))};
}

}  // namespace
}  // namespace halftone
