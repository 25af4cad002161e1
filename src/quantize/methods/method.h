// SPDX-License-Identifier: Apache-2.0
// How numbers are chosen for a layout. One file per method, the paper on its first line; the table is in method.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/layout.h"

namespace halftone {

// Rows (rows, columns) of finite floats in; signed codes (rows, columns) and scales (rows, groups) as f16 bits out, and
// for affine layouts bases like scales (else empty). A scale may be negative. A scale or base of infinity says that the
// group cannot be expressed; the caller makes it an error.
struct MethodInput {
  std::span<const float> values;
  int64_t rows, columns;
};
struct MethodOutput {
  std::span<int8_t> codes;
  std::span<uint16_t> scales;
  std::span<uint16_t> bases = {};
};

struct Method {
  std::string_view name;
  // Pure, and called from several threads. REQUIRES: an integer layout with one level of scales.
  void (*choose)(const Layout& layout, const MethodInput& input, const MethodOutput& output);
};

std::span<const Method> all_methods();
const Method* find_method(std::string_view name);  // null when unknown

}  // namespace halftone
