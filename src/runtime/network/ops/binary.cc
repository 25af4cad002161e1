// SPDX-License-Identifier: Apache-2.0
// Two inputs, element by element, broadcast.
#include <cmath>
#include <limits>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"
#include "runtime/network/ops/walk.h"

namespace halftone::network::ops {
namespace {

constexpr int64_t kPairChunk = 1 << 14;

// A run of pairs: after broadcasting an input moves by 1 or stays.
template <class T, class Y>
struct Pairs {
  const T *a, *b;
  int64_t step_a, step_b;
  Y* y;
  int64_t count;

  template <class F>
  bool each(F f) const {
    if (step_a == 1 && step_b == 1) {
      for (int64_t i = 0; i < count; ++i) y[i] = f(a[i], b[i]);
    } else if (step_a == 1) {
      for (int64_t i = 0; i < count; ++i) y[i] = f(a[i], *b);
    } else {
      for (int64_t i = 0; i < count; ++i) y[i] = f(*a, b[i * step_b]);
    }
    return true;
  }
};

template <class T>
T floor_modulo(T a, T b) {
  T rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(T(0), b);
  if ((rest < 0) != (b < 0)) rest += b;
  return rest;
}

template <class T>
bool float_pairs(BinaryKind kind, const Pairs<T, T>& pairs) {
  switch (kind) {
    case BinaryKind::divide:
      return pairs.each([](T a, T b) { return a / b; });
    case BinaryKind::floor_divide:
      return pairs.each([](T a, T b) { return std::floor(a / b); });
    case BinaryKind::modulo:
      return pairs.each([](T a, T b) { return floor_modulo(a, b); });
    case BinaryKind::remainder:
      return pairs.each([](T a, T b) { return std::fmod(a, b); });
    case BinaryKind::power:
      return pairs.each([](T a, T b) { return std::pow(a, b); });
    default:
      return false;
  }
}

// REQUIRES: b is not 0.
template <class T>
T integer_quotient(T a, T b, bool floor) {
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return static_cast<T>(-static_cast<uint64_t>(a));  // the least number has no opposite
    return a / b - (floor && a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
  }
  return a / b;
}

template <class T>
T integer_rest(T a, T b, bool floor) {
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
    const T rest = a % b;
    return floor && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
  return a % b;
}

template <class T>
T integer_power(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  }
  uint64_t result = 1, square = static_cast<uint64_t>(base);
  for (auto rest = static_cast<uint64_t>(exponent); rest != 0; rest >>= 1) {
    if (rest & 1) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

template <class T>
bool integer_pairs(BinaryKind kind, const Pairs<T, T>& pairs) {
  switch (kind) {
    case BinaryKind::divide:
      return pairs.each([](T a, T b) { return integer_quotient(a, b, false); });
    case BinaryKind::floor_divide:
      return pairs.each([](T a, T b) { return integer_quotient(a, b, true); });
    case BinaryKind::modulo:
      return pairs.each([](T a, T b) { return integer_rest(a, b, true); });
    case BinaryKind::remainder:
      return pairs.each([](T a, T b) { return integer_rest(a, b, false); });
    case BinaryKind::power:
      return pairs.each([](T a, T b) { return integer_power(a, b); });
    case BinaryKind::bitwise_and:
      return pairs.each([](T a, T b) { return a & b; });
    case BinaryKind::bitwise_or:
      return pairs.each([](T a, T b) { return a | b; });
    case BinaryKind::bitwise_xor:
      return pairs.each([](T a, T b) { return a ^ b; });
    case BinaryKind::shift_left:
      return pairs.each([](T a, T b) {
        return static_cast<uint64_t>(b) < 64 ? static_cast<T>(static_cast<uint64_t>(a) << b) : T(0);
      });
    case BinaryKind::shift_right:
      return pairs.each([](T a, T b) {
        const bool all = static_cast<uint64_t>(b) >= 64;
        return static_cast<T>(all ? (a >> 63) >> 1 : a >> b);  // in two steps: a sign stays, a number goes
      });
    default:
      return false;
  }
}

// False: not a kind of T.
template <class T>
bool number_pairs(BinaryKind kind, const Pairs<T, T>& pairs) {
  // Integers wrap: signed ones are computed as unsigned ones.
  using U = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
  switch (kind) {
    case BinaryKind::add:
      return pairs.each([](T a, T b) { return static_cast<T>(U(a) + U(b)); });
    case BinaryKind::subtract:
      return pairs.each([](T a, T b) { return static_cast<T>(U(a) - U(b)); });
    case BinaryKind::multiply:
      return pairs.each([](T a, T b) { return static_cast<T>(U(a) * U(b)); });
    case BinaryKind::squared_difference:
      return pairs.each([](T a, T b) { return static_cast<T>((U(a) - U(b)) * (U(a) - U(b))); });
    case BinaryKind::minimum:  // of a NaN: the NaN
      return pairs.each([](T a, T b) { return a < b || a != a ? a : b; });
    case BinaryKind::maximum:
      return pairs.each([](T a, T b) { return a > b || a != a ? a : b; });
    case BinaryKind::prelu:
      return pairs.each([](T a, T b) { return a < 0 ? static_cast<T>(U(a) * U(b)) : a; });
    default:
      break;
  }
  if constexpr (std::is_integral_v<T>)
    return integer_pairs(kind, pairs);
  else
    return float_pairs(kind, pairs);
}

template <class T>
bool compare_pairs(BinaryKind kind, const Pairs<T, bool>& pairs) {
  switch (kind) {
    case BinaryKind::equal:
      return pairs.each([](T a, T b) { return a == b; });
    case BinaryKind::not_equal:
      return pairs.each([](T a, T b) { return a != b; });
    case BinaryKind::less:
      return pairs.each([](T a, T b) { return a < b; });
    case BinaryKind::less_equal:
      return pairs.each([](T a, T b) { return a <= b; });
    case BinaryKind::greater:
      return pairs.each([](T a, T b) { return a > b; });
    case BinaryKind::greater_equal:
      return pairs.each([](T a, T b) { return a >= b; });
    case BinaryKind::logical_and:
      return pairs.each([](T a, T b) { return a != 0 && b != 0; });
    case BinaryKind::logical_or:
      return pairs.each([](T a, T b) { return a != 0 || b != 0; });
    case BinaryKind::logical_xor:
      return pairs.each([](T a, T b) { return (a != 0) != (b != 0); });
    default:
      return false;
  }
}

bool compares(BinaryKind kind) {
  const bool logical = kind >= BinaryKind::logical_and && kind <= BinaryKind::logical_xor;
  return logical || kind >= BinaryKind::equal;
}

bool divides(BinaryKind kind) {
  return kind == BinaryKind::divide || kind == BinaryKind::floor_divide || kind == BinaryKind::modulo ||
         kind == BinaryKind::remainder;
}

template <class T, class Y, class Block>
Status over_pairs(const Tensor& a, const Tensor& b, OpContext& context, DType to, Block block) {
  HALFTONE_ASSIGN(const Shape shape, broadcast(a.shape(), b.shape()));
  HALFTONE_ASSIGN(Tensor y, Tensor::make(to, shape));
  const Walk walk(shape, broadcast_strides(a.shape(), shape), broadcast_strides(b.shape(), shape));
  context.pool.parallel_for(walk.elements(), kPairChunk, [&](int64_t begin, int64_t end, int) {
    walk.run(begin, end, [&](const Walk::Offsets& at, int64_t position, int64_t count) {
      block(Pairs<T, Y>{data<T>(a) + at[0], data<T>(b) + at[1], walk.step(0), walk.step(1),
                        mutable_data<Y>(y) + position, count});
    });
  });
  put(context, 0, std::move(y));
  return {};
}

template <class T>
Status binary(BinaryKind kind, const Tensor& a, const Tensor& b, OpContext& context) {
  if (compares(kind))
    return over_pairs<T, bool>(a, b, context, DType::boolean,
                               [kind](const Pairs<T, bool>& pairs) { compare_pairs(kind, pairs); });
  if (!number_pairs(kind, Pairs<T, T>{nullptr, nullptr, 1, 1, nullptr, 0}))
    return unsupported("cannot compute with {}", halftone::name_of(a.type()));
  if (std::is_integral_v<T> && divides(kind)) {
    const T* divisor = data<T>(b);
    for (int64_t i = 0; i < b.elements(); ++i)
      if (divisor[i] == 0) return invalid_input("expected integers to divide by, got 0 at element {}", i);
  }
  return over_pairs<T, T>(a, b, context, a.type(), [kind](const Pairs<T, T>& pairs) { number_pairs(kind, pairs); });
}

}  // namespace

Status run(const Binary& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &a = context.input(0), &b = context.input(1);
  if (op.kind == BinaryKind::power && a.type() != b.type()) {
    // The result has the type of the base; it is computed in double.
    HALFTONE_ASSIGN(const Tensor base, convert(a, DType::f64));
    HALFTONE_ASSIGN(const Tensor exponent, convert(b, DType::f64));
    HALFTONE_TRY(binary<double>(op.kind, base, exponent, context));
    if (context.outputs.empty()) return {};
    HALFTONE_ASSIGN(context.outputs[0], convert(context.outputs[0], a.type()));
    return {};
  }
  if (a.type() != b.type())
    return invalid_input("expected two inputs of one type, got {} and {}", halftone::name_of(a.type()),
                         halftone::name_of(b.type()));
  return with_numbers(a.type(), [&](auto type) { return binary<decltype(type)>(op.kind, a, b, context); });
}

}  // namespace halftone::network::ops
