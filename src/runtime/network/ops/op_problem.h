// SPDX-License-Identifier: Apache-2.0
// For tests: small tensors, and one op run on them.
#pragma once

#include <string>
#include <vector>

#include "base/rng.h"
#include "runtime/network/op_context.h"

namespace halftone::network {

using Floats = std::vector<float>;
using Longs = std::vector<int64_t>;

inline Tensor floats(Shape shape, const std::vector<float>& values) {
  return Tensor::of<float>(DType::f32, std::move(shape), values);
}
inline Tensor normal_floats(Rng& rng, Shape shape) {
  Floats values(static_cast<size_t>(elements_of(shape)));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return floats(std::move(shape), values);
}
inline Tensor longs(Shape shape, const std::vector<int64_t>& values) {
  return Tensor::of<int64_t>(DType::i64, std::move(shape), values);
}
inline Tensor longs(const std::vector<int64_t>& values) { return longs({static_cast<int64_t>(values.size())}, values); }

struct Ran {
  Status status;
  std::vector<Tensor> outputs;

  template <class T>
  std::vector<T> values(size_t output = 0) const {
    const auto numbers = outputs[output].values<T>();
    return {numbers.begin(), numbers.end()};
  }
  std::vector<float> numbers() const { return values<float>(); }
  const Shape& shape(size_t output = 0) const { return outputs[output].shape(); }
  std::string error() const { return std::string(status.message()); }
};

inline Ran compute(const Op& op, const std::vector<Tensor>& inputs, size_t outputs = 1) {
  static ThreadPool pool(2);
  Ran ran;
  ran.outputs.resize(outputs);
  OpContext context{inputs, ran.outputs, pool};
  ran.status = run_op(op, context);
  return ran;
}

}  // namespace halftone::network
