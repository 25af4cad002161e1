// SPDX-License-Identifier: Apache-2.0
// Row operations on 16 lanes, once for every ISA: each ISA's file names its lanes in HALFTONE_LANES and includes this.
#pragma once

#include "kernels/lanes/lanes_math.h"

namespace halftone {
namespace {

inline void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* y) {
  Lanes squares = set(0);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) squares = fma(load(x + i), load(x + i), squares);
  if (i < n) {
    const Lanes rest = load_some(x + i, static_cast<int>(n - i));
    squares = fma(rest, rest, squares);
  }
  const Lanes factor = set(1.0f / __builtin_sqrtf(sum_of(squares) / static_cast<float>(n) + epsilon));
  for (i = 0; i < n; i += 16) {
    const int count = n - i < 16 ? static_cast<int>(n - i) : 16;
    Lanes out = mul(load_some(x + i, count), factor);
    if (weight != nullptr) out = mul(out, load_some(weight + i, count));
    store_some(y + i, out, count);
  }
}

inline void layer_norm(const float* x, const float* weight, const float* bias, int64_t n, float epsilon, float* y) {
  const auto count_at = [n](int64_t i) { return n - i < 16 ? static_cast<int>(n - i) : 16; };
  Lanes sum = set(0);
  for (int64_t i = 0; i < n; i += 16) sum = add(sum, load_some(x + i, count_at(i)));
  const Lanes mean = set(sum_of(sum) / static_cast<float>(n));
  Lanes squares = set(0);
  for (int64_t i = 0; i < n; i += 16) {
    const Lanes centred = keep(sub(load_some(x + i, count_at(i)), mean), 0, count_at(i), 0);
    squares = fma(centred, centred, squares);
  }
  const Lanes factor = set(1.0f / __builtin_sqrtf(sum_of(squares) / static_cast<float>(n) + epsilon));
  for (int64_t i = 0; i < n; i += 16) {
    const int count = count_at(i);
    const Lanes normed = mul(sub(load_some(x + i, count), mean), factor);
    store_some(y + i, fma(normed, load_some(weight + i, count), load_some(bias + i, count)), count);
  }
}

inline void geglu(const float* gate, const float* up, int64_t n, float* y) {
  constexpr float kTwiceRoot = 1.5957691216057308f, kCubic = 0.044715f * kTwiceRoot;  // 2 sqrt(2 / pi)
  for (int64_t i = 0; i < n; i += 16) {
    const int count = n - i < 16 ? static_cast<int>(n - i) : 16;
    const Lanes g = load_some(gate + i, count);
    const Lanes twice_u = mul(g, fma(mul(g, g), set(kCubic), set(kTwiceRoot)));
    Lanes out = div(g, add(set(1), exp(sub(set(0), twice_u))));
    if (up != nullptr) out = mul(out, load_some(up + i, count));
    store_some(y + i, out, count);
  }
}

inline void soft_cap(const float* x, int64_t n, float cap, float* y) {
  for (int64_t i = 0; i < n; i += 16) {
    const int count = n - i < 16 ? static_cast<int>(n - i) : 16;
    store_some(y + i, soft_capped(load_some(x + i, count), set(cap)), count);
  }
}

inline void swiglu(const float* gate, const float* up, int64_t n, float* y) {
  for (int64_t i = 0; i < n; i += 16) {
    const int count = n - i < 16 ? static_cast<int>(n - i) : 16;
    const Lanes g = load_some(gate + i, count);
    const Lanes silu = div(g, add(set(1), exp(sub(set(0), g))));
    store_some(y + i, mul(silu, load_some(up + i, count)), count);
  }
}

inline void add_rows(const float* a, const float* b, int64_t n, float* y) {
  for (int64_t i = 0; i < n; i += 16) {
    const int count = n - i < 16 ? static_cast<int>(n - i) : 16;
    store_some(y + i, add(load_some(a + i, count), load_some(b + i, count)), count);
  }
}

inline void rope(float* x, int64_t heads, int64_t head_dim, int64_t rotary, const float* cos, const float* sin) {
  const int64_t half = rotary / 2;
  for (int64_t h = 0; h < heads; ++h) {
    float *a = x + h * head_dim, *b = a + half;
    for (int64_t i = 0; i < half; i += 16) {
      const int count = half - i < 16 ? static_cast<int>(half - i) : 16;
      const Lanes c = load_some(cos + i, count), s = load_some(sin + i, count);
      const Lanes p = load_some(a + i, count), q = load_some(b + i, count);
      store_some(a + i, sub(mul(p, c), mul(q, s)), count);
      store_some(b + i, add(mul(q, c), mul(p, s)), count);
    }
  }
}

inline float maximum(const float* x, int64_t n) {
  Lanes most = set(-__builtin_inff());
  for (int64_t i = 0; i < n; i += 16) {
    const int count = n - i < 16 ? static_cast<int>(n - i) : 16;
    most = max(keep(load_some(x + i, count), 0, count, -__builtin_inff()), most);
  }
  return max_of(most);
}

// Lane sums of exp(x - most) over stretches of 512 elements, stretches added in double: 32 roundings at most.
inline double sum_of_exp(const float* x, int64_t n, float most, float* y) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += 512) {
    const int64_t end = n - begin < 512 ? n : begin + 512;
    Lanes sum = set(0);
    for (int64_t i = begin; i < end; i += 16) {
      const int count = end - i < 16 ? static_cast<int>(end - i) : 16;
      const Lanes p = keep(exp(sub(load_some(x + i, count), set(most))), 0, count, 0);
      if (y != nullptr) store_some(y + i, p, count);
      sum = add(sum, p);
    }
    total += static_cast<double>(sum_of(sum));
  }
  return total;
}

inline float softmax(float* x, int64_t n) {
  const float most = maximum(x, n);
  const Lanes factor = set(static_cast<float>(1.0 / sum_of_exp(x, n, most, x)));
  for (int64_t i = 0; i < n; i += 16) {
    const int count = n - i < 16 ? static_cast<int>(n - i) : 16;
    store_some(x + i, mul(load_some(x + i, count), factor), count);
  }
  return most;
}

}  // namespace
}  // namespace halftone
