// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace halftone {

// What became of a tensor's numbers on the way into another container.
enum class Fidelity : uint8_t {
  bit_exact,    // every number is the same float
  rounding,     // codes are the same; a number or a scale was rounded to the nearest of a float type, within its bound
  quantized,    // float weights whose codes were chosen now, because the user asked for that type
  requantized,  // codes chosen a second time, from weights that were quantized before; no import does it
};
std::string_view name_of(Fidelity fidelity);  // "bit-exact"

}  // namespace halftone
