// SPDX-License-Identifier: Apache-2.0
// What every op checks and derives from shapes, and how it reads small inputs. Numbers come from files: everything here
// answers with an error, never with undefined behaviour.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "runtime/network/op_context.h"
#include "tensor/tensor.h"

namespace halftone::network::ops {

using Strides = std::vector<int64_t>;

int64_t product(std::span<const int64_t> sizes);  // INT64_MAX where it would be more
Strides strides_of(const Shape& shape);           // in elements; of a shape without elements they mean nothing

// The first `count` inputs are there.
Status need(const OpContext& context, size_t count);
// Sets an output that the node has.
void put(OpContext& context, size_t output, Tensor tensor);
// A node computes f32 and f64 alone.
Status need_float(const Tensor& x);

Result<int64_t> axis_of(int64_t axis, int64_t rank);                                // negative: from the end
Result<std::vector<int64_t>> axes_of(std::span<const int64_t> axes, int64_t rank);  // none twice
Result<std::vector<int64_t>> integers_of(const Tensor& x, std::string_view what);   // of at most one axis
Result<int64_t> integer_of(const Tensor& x, std::string_view what);                 // one element
Result<double> number_of(const Tensor& x, std::string_view what);                   // one element of any type
Result<Shape> shape_of(const Tensor& x, std::string_view what);                     // integers, none negative

// NumPy's rule: axes are matched from the last, sizes are equal or one of them is 1.
Result<Shape> broadcast(const Shape& a, const Shape& b);
// Strides of `from` seen as `to`, 0 where it repeats. REQUIRES: broadcast(from, to) is `to`.
Strides broadcast_strides(const Shape& from, const Shape& to);
Status need_broadcast(const Tensor& from, const Shape& to, std::string_view what);

}  // namespace halftone::network::ops
