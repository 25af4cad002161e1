// SPDX-License-Identifier: Apache-2.0
// How numbers are chosen for a layout. One file per method, the paper on its first line; the table is in method.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tensor/layout.h"

namespace halftone {

// Rows (rows, columns) of floats in; signed codes (rows, columns) and scales (rows, groups) as f16 bits out.
struct MethodInput {
  std::span<const float> values;
  int64_t rows, columns;
};
struct MethodOutput {
  std::span<int8_t> codes;
  std::span<uint16_t> scales;
};

struct Method {
  std::string_view name;
  bool needs_calibration;
  void (*choose)(const Layout& layout, const MethodInput& input, const MethodOutput& output);
};

std::span<const Method> all_methods();
const Method* find_method(std::string_view name);

}  // namespace halftone
