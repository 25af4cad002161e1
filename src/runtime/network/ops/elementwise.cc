// SPDX-License-Identifier: Apache-2.0
// One input, element by element; and Where and Clip.
#include <cmath>
#include <limits>
#include <numbers>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/unary.h"
#include "runtime/network/ops/walk.h"

namespace halftone::network::ops {
namespace {

constexpr int64_t kElementChunk = 1 << 14;

template <class T, class F>
void each(const T* x, T* y, int64_t count, F f) {
  for (int64_t i = 0; i < count; ++i) y[i] = f(x[i]);
}

template <class T>
T softplus_of(T v) {
  return std::max(v, T(0)) + std::log1p(std::exp(-std::abs(v)));
}
template <class T>
T sigmoid_of(T v) {
  if (v >= 0) return 1 / (1 + std::exp(-v));
  const T e = std::exp(v);
  return e / (1 + e);
}
template <class T>
T clamp01(T v) {
  return v < 0 ? T(0) : v > 1 ? T(1) : v;
}

// Functions of the mathematical library. False: not one of them.
template <class T>
bool library_block(UnaryKind kind, const T* x, T* y, int64_t n) {
#define HALFTONE_FUNCTION(name, function)                \
  case UnaryKind::name:                                  \
    each(x, y, n, [](T v) { return std::function(v); }); \
    return true;
  switch (kind) {
    HALFTONE_FUNCTION(floor, floor)
    HALFTONE_FUNCTION(ceil, ceil)
    HALFTONE_FUNCTION(round_even, nearbyint)
    HALFTONE_FUNCTION(sqrt, sqrt)
    HALFTONE_FUNCTION(exp, exp)
    HALFTONE_FUNCTION(log, log)
    HALFTONE_FUNCTION(sin, sin)
    HALFTONE_FUNCTION(cos, cos)
    HALFTONE_FUNCTION(tan, tan)
    HALFTONE_FUNCTION(asin, asin)
    HALFTONE_FUNCTION(acos, acos)
    HALFTONE_FUNCTION(atan, atan)
    HALFTONE_FUNCTION(sinh, sinh)
    HALFTONE_FUNCTION(cosh, cosh)
    HALFTONE_FUNCTION(tanh, tanh)
    HALFTONE_FUNCTION(asinh, asinh)
    HALFTONE_FUNCTION(acosh, acosh)
    HALFTONE_FUNCTION(atanh, atanh)
    HALFTONE_FUNCTION(erf, erf)
    default:
      return false;
  }
#undef HALFTONE_FUNCTION
}

template <class T>
bool activation_block(const Unary& op, const T* x, T* y, int64_t n) {
  const T alpha = op.alpha, beta = op.beta, gamma = op.gamma;
  constexpr T kRootHalf = std::numbers::sqrt2_v<T> / 2;
  const T tanh_scale = std::sqrt(2 / std::numbers::pi_v<T>);
#define HALFTONE_ACTIVATION(name, value)            \
  case UnaryKind::name:                             \
    each(x, y, n, [=](T v) -> T { return value; }); \
    return true;
  switch (op.kind) {
    HALFTONE_ACTIVATION(reciprocal, 1 / v)
    HALFTONE_ACTIVATION(rsqrt, 1 / std::sqrt(v))
    HALFTONE_ACTIVATION(leaky_relu, v < 0 ? alpha * v : v)
    HALFTONE_ACTIVATION(elu, v < 0 ? alpha * std::expm1(v) : v)
    HALFTONE_ACTIVATION(selu, gamma * (v < 0 ? alpha * std::expm1(v) : v))
    HALFTONE_ACTIVATION(celu, v < 0 ? alpha * std::expm1(v / alpha) : v)
    HALFTONE_ACTIVATION(sigmoid, sigmoid_of(v))
    HALFTONE_ACTIVATION(hard_sigmoid, clamp01(alpha * v + beta))
    HALFTONE_ACTIVATION(hard_swish, v * clamp01(v / 6 + T(0.5)))
    HALFTONE_ACTIVATION(softplus, softplus_of(v))
    HALFTONE_ACTIVATION(softsign, v / (1 + std::abs(v)))
    HALFTONE_ACTIVATION(gelu, T(0.5) * v * (1 + std::erf(v * kRootHalf)))
    HALFTONE_ACTIVATION(gelu_tanh, T(0.5) * v * (1 + std::tanh(tanh_scale * (v + T(0.044715) * v * v * v))))
    HALFTONE_ACTIVATION(mish, v * std::tanh(softplus_of(v)))
    HALFTONE_ACTIVATION(swish, v * sigmoid_of(alpha * v))
    HALFTONE_ACTIVATION(thresholded_relu, v > alpha ? v : T(0))
    HALFTONE_ACTIVATION(shrink, v < -alpha ? v + beta : v > alpha ? v - beta : T(0))
    default:
      return false;
  }
#undef HALFTONE_ACTIVATION
}

// What integers have, too; they wrap.
template <class T>
bool number_block(UnaryKind kind, const T* x, T* y, int64_t n) {
  switch (kind) {
    case UnaryKind::abs:
      each(x, y, n, [](T v) { return v < 0 ? static_cast<T>(T(0) - v) : static_cast<T>(v + T(0)); });
      return true;
    case UnaryKind::negate:
      each(x, y, n, [](T v) { return static_cast<T>(-v); });
      return true;
    case UnaryKind::sign:
      each(x, y, n, [](T v) { return v > 0 ? T(1) : v < 0 ? static_cast<T>(-1) : v; });
      return true;
    case UnaryKind::relu:
      each(x, y, n, [](T v) { return v < 0 ? T(0) : v; });
      return true;
    case UnaryKind::square:
      each(x, y, n, [](T v) { return static_cast<T>(v * v); });
      return true;
    default:
      return false;
  }
}

template <class T>
bool unary_block(const Unary& op, const T* x, T* y, int64_t n) {
  if constexpr (std::is_floating_point_v<T>) {
    return number_block(op.kind, x, y, n) || activation_block(op, x, y, n) || library_block(op.kind, x, y, n);
  } else {
    // Wrapping is arithmetic of unsigned numbers; only the sign is looked at.
    if (op.kind == UnaryKind::bitwise_not) {
      each(x, y, n, [](T v) { return static_cast<T>(~v); });
      return true;
    }
    if (std::is_signed_v<T> &&
        (op.kind == UnaryKind::abs || op.kind == UnaryKind::negate || op.kind == UnaryKind::square)) {
      each(x, y, n, [kind = op.kind](T v) {
        const auto bits = static_cast<uint64_t>(v);
        return static_cast<T>(kind == UnaryKind::square            ? bits * bits
                              : kind == UnaryKind::negate || v < 0 ? -bits
                                                                   : bits);
      });
      return true;
    }
    if (op.kind == UnaryKind::floor || op.kind == UnaryKind::ceil || op.kind == UnaryKind::round_even) {
      std::copy(x, x + n, y);
      return true;
    }
    return number_block(op.kind, x, y, n);
  }
}

// is_nan, is_inf and logical_not give booleans.
Status test_elements(const Unary& op, const Tensor& x, OpContext& context) {
  HALFTONE_ASSIGN(Tensor y, Tensor::make(DType::boolean, x.shape()));
  bool* to = mutable_data<bool>(y);
  const int64_t count = x.elements();
  HALFTONE_TRY(with_numbers(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    const T* from = data<T>(x);
    for (int64_t i = 0; i < count; ++i) {
      if (op.kind == UnaryKind::logical_not)
        to[i] = from[i] == 0;
      else if (op.kind == UnaryKind::is_nan)
        to[i] = from[i] != from[i];
      else if constexpr (std::is_floating_point_v<T>)
        to[i] = (op.beta != 0 && from[i] == std::numeric_limits<T>::infinity()) ||
                (op.alpha != 0 && from[i] == -std::numeric_limits<T>::infinity());
      else
        to[i] = false;
    }
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace

bool unary_floats(const Unary& op, const float* x, float* y, int64_t count) { return unary_block(op, x, y, count); }

Status run(const Identity&, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  put(context, 0, context.input(0));
  return {};
}

Status run(const Unary& op, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  if (op.kind == UnaryKind::is_nan || op.kind == UnaryKind::is_inf || op.kind == UnaryKind::logical_not)
    return test_elements(op, x, context);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  HALFTONE_TRY(with_numbers(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    const T* from = data<T>(x);
    T* to = mutable_data<T>(y);
    if (!unary_block(op, from, to, 0)) return unsupported("expected floats, got {}", halftone::name_of(x.type()));
    context.pool.parallel_for(x.elements(), kElementChunk, [&](int64_t begin, int64_t end, int) {
      unary_block(op, from + begin, to + begin, end - begin);
    });
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Where&, OpContext& context) {
  HALFTONE_TRY(need(context, 3));
  const Tensor &condition = context.input(0), &a = context.input(1), &b = context.input(2);
  if (condition.type() != DType::boolean || a.type() != b.type())
    return invalid_input("expected a boolean condition and two inputs of one type, got {}, {} and {}",
                         halftone::name_of(condition.type()), halftone::name_of(a.type()), halftone::name_of(b.type()));
  HALFTONE_ASSIGN(const Shape values, broadcast(a.shape(), b.shape()));
  HALFTONE_ASSIGN(const Shape shape, broadcast(condition.shape(), values));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(a.type(), shape));
  const Walk walk(shape, broadcast_strides(condition.shape(), shape), broadcast_strides(a.shape(), shape),
                  broadcast_strides(b.shape(), shape));
  HALFTONE_TRY(with_size(a.type(), [&](auto type) -> Status {
    using T = decltype(type);
    walk.run([&](const Walk::Offsets& at, int64_t position, int64_t count) {
      const bool* c = data<bool>(condition) + at[0];
      const T *from_a = data<T>(a) + at[1], *from_b = data<T>(b) + at[2];
      T* to = mutable_data<T>(y) + position;
      for (int64_t i = 0; i < count; ++i)
        to[i] = c[i * walk.step(0)] ? from_a[i * walk.step(1)] : from_b[i * walk.step(2)];
    });
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

Status run(const Clip&, OpContext& context) {
  HALFTONE_TRY(need(context, 1));
  const Tensor& x = context.input(0);
  HALFTONE_ASSIGN(Tensor y, Tensor::make(x.type(), x.shape()));
  HALFTONE_TRY(with_numbers(x.type(), [&](auto type) -> Status {
    using T = decltype(type);
    T bounds[] = {std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max()};
    if (std::numeric_limits<T>::has_infinity) {
      bounds[0] = -std::numeric_limits<T>::infinity();
      bounds[1] = std::numeric_limits<T>::infinity();
    }
    for (size_t i = 0; i < 2; ++i) {
      const Tensor& bound = context.input(i + 1);
      if (!bound.present()) continue;
      if (bound.type() != x.type() || bound.elements() != 1)
        return invalid_input("bound {}: expected one number of {}, got {} of {}", i, halftone::name_of(x.type()),
                             text_of(bound.shape()), halftone::name_of(bound.type()));
      bounds[i] = *data<T>(bound);
    }
    const auto [least, most] = bounds;
    const T* from = data<T>(x);
    T* to = mutable_data<T>(y);
    context.pool.parallel_for(x.elements(), kElementChunk,
                              [&, least = least, most = most](int64_t begin, int64_t end, int) {
                                each(from + begin, to + begin, end - begin, [=](T v) {
                                  return v < least ? (least > most ? most : least) : v > most ? most : v;
                                });
                              });
    return {};
  }));
  put(context, 0, std::move(y));
  return {};
}

}  // namespace halftone::network::ops
