// SPDX-License-Identifier: Apache-2.0
// 16 lanes of f32 in two AVX2 registers. The same operations, bit for bit, as lanes_scalar.h. Only files of this ISA
// include it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace halftone {
namespace {

constexpr int kLanesInRegisters = 8;  // how many Lanes the machine holds at once
struct Lanes {
  __m256 lo, hi;
};

inline __m256i first_lanes(int n) {  // of 8
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Lanes set(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
inline Lanes load(const float* at) { return {_mm256_loadu_ps(at), _mm256_loadu_ps(at + 8)}; }
inline Lanes load_some(const float* at, int n) {
  return {_mm256_maskload_ps(at, first_lanes(n)),
          n > 8 ? _mm256_maskload_ps(at + 8, first_lanes(n - 8)) : _mm256_setzero_ps()};
}
inline Lanes load_halves(const uint16_t* at) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 8)))};
}
inline Lanes load_halves_some(const uint16_t* at, int n) {
  uint16_t all[16] = {};
  __builtin_memcpy(all, at, static_cast<unsigned long>(n > 16 ? 16 : n) * 2);
  return load_halves(all);
}
inline Lanes load_bytes(const int8_t* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
}
inline void store(float* at, Lanes x) {
  _mm256_storeu_ps(at, x.lo);
  _mm256_storeu_ps(at + 8, x.hi);
}
inline void store_halves(uint16_t* at, Lanes x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm256_cvtps_ph(x.lo, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at + 8), _mm256_cvtps_ph(x.hi, _MM_FROUND_TO_NEAREST_INT));
}
inline void store_some(float* at, Lanes x, int n) {
  _mm256_maskstore_ps(at, first_lanes(n), x.lo);
  if (n > 8) _mm256_maskstore_ps(at + 8, first_lanes(n - 8), x.hi);
}
inline Lanes fma(Lanes a, Lanes b, Lanes c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline Lanes add(Lanes a, Lanes b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
inline Lanes sub(Lanes a, Lanes b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
inline Lanes mul(Lanes a, Lanes b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
inline Lanes div(Lanes a, Lanes b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
inline Lanes max(Lanes a, Lanes b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
// Lanes [begin, end) of x, `other` elsewhere.
inline Lanes keep(Lanes x, int begin, int end, float other) {
  const __m256 o = _mm256_set1_ps(other);
  const __m256i lo = _mm256_andnot_si256(first_lanes(begin), first_lanes(end));
  const __m256i hi = _mm256_andnot_si256(first_lanes(begin - 8), first_lanes(end - 8));
  return {_mm256_blendv_ps(o, x.lo, _mm256_castsi256_ps(lo)), _mm256_blendv_ps(o, x.hi, _mm256_castsi256_ps(hi))};
}
inline Lanes choose_if_less(Lanes a, Lanes b, Lanes yes, Lanes no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
          _mm256_blendv_ps(no.hi, yes.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ))};
}
inline Lanes keep_nan(Lanes x, Lanes otherwise) {
  return {_mm256_blendv_ps(otherwise.lo, x.lo, _mm256_cmp_ps(x.lo, x.lo, _CMP_UNORD_Q)),
          _mm256_blendv_ps(otherwise.hi, x.hi, _mm256_cmp_ps(x.hi, x.hi, _CMP_UNORD_Q))};
}
inline __m256 scale_by_power(__m256 x, __m256 power) {
  return _mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(_mm256_castps_si256(power), 23)));
}
// x * 2^n, where the low bits of `power` hold n.
inline Lanes scale_by_power(Lanes x, Lanes power) {
  return {scale_by_power(x.lo, power.lo), scale_by_power(x.hi, power.hi)};
}

inline __m128 add(__m128 a, __m128 b) { return _mm_add_ps(a, b); }
inline __m128 max(__m128 a, __m128 b) { return _mm_max_ps(a, b); }
inline __m256 add(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
inline __m256 max(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }
template <class Op>
inline float fold(Lanes x, const Op& op) {
  const __m256 eight = op(x.lo, x.hi);
  __m128 v = op(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  v = op(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(op(v, _mm_movehdup_ps(v)));
}

// 16 integer sums of products of 8-bit numbers. Unsigned codes would saturate in 16 bits, so the sign of a code moves
// to x and its magnitude is kept: 2 * 128 * 127 fits.
struct Sums {
  __m256i lo, hi;
};
struct Codes {
  __m256i lo, hi;
};
inline Sums no_sums() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline Codes load_codes(const uint8_t* at) {
  const __m256i offset = _mm256_set1_epi8(-128);
  return {_mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), offset),
          _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32)), offset)};
}
inline __m256i dot4(__m256i codes, __m256i x, __m256i sums) {
  const __m256i words = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
  return _mm256_add_epi32(sums, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
}
inline Sums dot4(Codes codes, const int8_t* x, Sums sums) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  const __m256i all = _mm256_set1_epi32(four);
  return {dot4(codes.lo, all, sums.lo), dot4(codes.hi, all, sums.hi)};
}
inline Lanes without_offset(Sums sums, int32_t) { return {_mm256_cvtepi32_ps(sums.lo), _mm256_cvtepi32_ps(sums.hi)}; }

}  // namespace
}  // namespace halftone
