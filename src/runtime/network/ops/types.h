// SPDX-License-Identifier: Apache-2.0
// Types of numbers. Ops that compute do so in f32, f64, i64 and u64 alone: run_op widens what is narrower (f16 and bf16
// to f32, integers to 64 bits, booleans to u64) and rounds or wraps the result. Ops that move numbers know their size.
#pragma once

#include "base/error.h"
#include "tensor/tensor.h"

namespace halftone::network::ops {

DType wide(DType type);
// The same numbers in another type: floats to integers truncate, to floats round to nearest even, integers wrap.
Result<Tensor> convert(const Tensor& x, DType to);

// body(T()) with the C++ type of a wide type.
template <class Body>
Status with_numbers(DType type, Body&& body) {
  switch (type) {
    case DType::f32:
      return body(float());
    case DType::f64:
      return body(double());
    case DType::i64:
      return body(int64_t());
    case DType::u64:
      return body(uint64_t());
    default:
      return unsupported("cannot compute with {}", halftone::name_of(type));
  }
}

template <class Body>
Status with_floats(DType type, Body&& body) {
  if (type == DType::f32) return body(float());
  if (type == DType::f64) return body(double());
  return unsupported("expected floats, got {}", halftone::name_of(type));
}

// body(T()) with an unsigned integer of the type's size.
template <class Body>
Status with_size(DType type, Body&& body) {
  switch (bytes_of(type)) {
    case 1:
      return body(uint8_t());
    case 2:
      return body(uint16_t());
    case 4:
      return body(uint32_t());
    default:
      return body(uint64_t());
  }
}

// Elements as a type of their size.
template <class T>
const T* data(const Tensor& x) {
  return reinterpret_cast<const T*>(x.bytes().data());
}
template <class T>
T* mutable_data(Tensor& x) {
  return reinterpret_cast<T*>(x.mutable_bytes().data());
}

}  // namespace halftone::network::ops
