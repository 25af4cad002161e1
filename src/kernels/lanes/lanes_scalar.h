// SPDX-License-Identifier: Apache-2.0
// 16 virtual lanes of f32 in plain C++: what the operations of every other lanes_*.h must give, bit for bit.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int kLanesInRegisters = 8;  // how many Lanes the machine holds at once
struct Lanes {
  float v[16];
};

template <class Function>
inline Lanes each(Function function) {
  Lanes out;
  for (int i = 0; i < 16; ++i) out.v[i] = function(i);
  return out;
}
inline Lanes set(float value) {
  return each([&](int) { return value; });
}
inline Lanes load(const float* at) {
  return each([&](int i) { return at[i]; });
}
inline Lanes load_some(const float* at, int n) {
  return each([&](int i) { return i < n ? at[i] : 0.0f; });
}
inline Lanes load_halves(const uint16_t* at) {
  return each([&](int i) { return f16_to_f32(at[i]); });
}
inline Lanes load_halves_some(const uint16_t* at, int n) {
  return each([&](int i) { return i < n ? f16_to_f32(at[i]) : 0.0f; });
}
inline Lanes load_bytes(const int8_t* at) {
  return each([&](int i) { return static_cast<float>(at[i]); });
}
inline void store(float* at, Lanes x) { std::memcpy(at, x.v, sizeof x.v); }
inline void store_halves(uint16_t* at, Lanes x) {
  for (int i = 0; i < 16; ++i) at[i] = f32_to_f16(x.v[i]);
}
inline void store_some(float* at, Lanes x, int n) {
  for (int i = 0; i < n && i < 16; ++i) at[i] = x.v[i];
}
inline Lanes fma(Lanes a, Lanes b, Lanes c) {
  return each([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
}
inline Lanes add(Lanes a, Lanes b) {
  return each([&](int i) { return a.v[i] + b.v[i]; });
}
inline Lanes sub(Lanes a, Lanes b) {
  return each([&](int i) { return a.v[i] - b.v[i]; });
}
inline Lanes mul(Lanes a, Lanes b) {
  return each([&](int i) { return a.v[i] * b.v[i]; });
}
inline Lanes div(Lanes a, Lanes b) {
  return each([&](int i) { return a.v[i] / b.v[i]; });
}
inline Lanes max(Lanes a, Lanes b) {
  return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
// Lanes [begin, end) of x, `other` elsewhere.
inline Lanes keep(Lanes x, int begin, int end, float other) {
  return each([&](int i) { return i >= begin && i < end ? x.v[i] : other; });
}
inline Lanes choose_if_less(Lanes a, Lanes b, Lanes yes, Lanes no) {
  return each([&](int i) { return a.v[i] < b.v[i] ? yes.v[i] : no.v[i]; });
}
inline Lanes keep_nan(Lanes x, Lanes otherwise) {
  return each([&](int i) { return x.v[i] == x.v[i] ? otherwise.v[i] : x.v[i]; });
}
// x * 2^n, where the low bits of `power` hold n.
inline Lanes scale_by_power(Lanes x, Lanes power) {
  return each([&](int i) {
    uint32_t bits, n;
    std::memcpy(&bits, &x.v[i], 4);
    std::memcpy(&n, &power.v[i], 4);
    bits += n << 23;
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
  });
}

// op over all lanes by the fixed tree: (0, 8) (1, 9) ..., then (0, 4) ..., (0, 2) ..., (0, 1).
template <class Op>
inline float fold(Lanes x, const Op& op) {
  for (int half = 8; half > 0; half /= 2) x = op(x, each([&](int i) { return x.v[(i + half) % 16]; }));
  return x.v[0];
}

// 16 integer sums of products of 8-bit numbers: codes, stored with an offset of 128, times x.
struct Sums {
  int32_t v[16];
};
struct Codes {  // 4 of each of 16 rows
  int8_t v[64];
};
inline Sums no_sums() { return {}; }
inline Codes load_codes(const uint8_t* at) {
  Codes out;
  for (int i = 0; i < 64; ++i) out.v[i] = static_cast<int8_t>(at[i] - 128);
  return out;
}
inline Sums dot4(Codes codes, const int8_t* x, Sums sums) {
  for (int i = 0; i < 64; ++i) sums.v[i / 4] += codes.v[i] * x[i % 4];
  return sums;
}
// The sums as floats; those of ISAs that multiply the stored, offset codes are corrected by the sum of x.
inline Lanes without_offset(Sums sums, int32_t) {
  return each([&](int i) { return static_cast<float>(sums.v[i]); });
}

}  // namespace
}  // namespace halftone
