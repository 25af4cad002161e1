// SPDX-License-Identifier: Apache-2.0
// Built from the operations of the lanes_*.h that HALFTONE_LANES names. The order of every operation is part of the
// contract.
#pragma once

#include HALFTONE_LANES

namespace halftone {
namespace {

// g++ takes a function that only prefetches for one without effect and drops calls of it, of a lambda too; the empty
// asm is an effect.
inline __attribute__((always_inline)) void prefetch_line(const void* at) {
  __builtin_prefetch(at);
  asm volatile("" : : "r"(at));
}

// Sum and maximum over the lanes by the fixed tree: (0+8, 1+9, ...), (0+4, ...), (0+2, ...), 0+1.
inline float sum_of(Lanes x) {
  return fold(x, [](auto a, auto b) { return add(a, b); });
}
inline float max_of(Lanes x) {
  return fold(x, [](auto a, auto b) { return max(a, b); });
}

// e^x within 2 ulp: x = n ln 2 + r, a polynomial of degree 7 in r, then the exponent. 0 below -87.3, infinity
// above 88.72, NaN kept.
inline Lanes exp(Lanes x) {
  const Lanes to_integer = set(12582912.0f);  // 1.5 * 2^23: adding it rounds to nearest even
  const Lanes power = fma(x, set(1.44269504f), to_integer);
  const Lanes n = sub(power, to_integer);
  Lanes r = fma(n, set(-0.693359375f), x);
  r = fma(n, set(2.12194440e-4f), r);
  Lanes p = set(1.9875691500e-4f);
  p = fma(p, r, set(1.3981999507e-3f));
  p = fma(p, r, set(8.3334519073e-3f));
  p = fma(p, r, set(4.1665795894e-2f));
  p = fma(p, r, set(1.6666665459e-1f));
  p = fma(p, r, set(5.0000001201e-1f));
  p = add(fma(p, mul(r, r), r), set(1.0f));
  Lanes y = scale_by_power(p, power);
  y = choose_if_less(x, set(-87.3f), set(0.0f), y);
  y = choose_if_less(set(88.72f), x, set(__builtin_inff()), y);
  return keep_nan(x, y);
}

// Within 4 ulp: below 0.6 an odd polynomial (interpolated at Chebyshev nodes of x^2, so that small values keep their
// relative precision), above it 1 - 2 / (e^2|x| + 1).
inline Lanes tanh(Lanes x) {
  const Lanes zero = set(0), negated = sub(zero, x), squared = mul(x, x);
  Lanes p = set(-6.2691197285e-3f);
  p = fma(p, squared, set(2.1110959058e-2f));
  p = fma(p, squared, set(-5.3873948851e-2f));
  p = fma(p, squared, set(1.3332915367e-1f));
  p = fma(p, squared, set(-3.3333330333e-1f));
  const Lanes near = fma(mul(p, squared), x, x);
  const Lanes size = choose_if_less(x, zero, negated, x);
  const Lanes far = sub(set(1), div(set(2), add(exp(add(size, size)), set(1))));
  const Lanes y = choose_if_less(size, set(0.6f), near, choose_if_less(x, zero, sub(zero, far), far));
  return keep_nan(x, y);
}

// cap * tanh(x / cap), which a cap of 0 or less leaves undefined.
inline Lanes soft_capped(Lanes x, Lanes cap) { return mul(tanh(div(x, cap)), cap); }

}  // namespace
}  // namespace halftone
