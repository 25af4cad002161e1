// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace halftone::tflite {

inline constexpr int32_t kCustomOperator = 32;

// "CONV_2D"; of a number that has no name here, "operator 300".
std::string operator_name(int32_t code);
// The number of a name. REQUIRES: it exists.
int32_t operator_code(std::string_view name);

}  // namespace halftone::tflite
