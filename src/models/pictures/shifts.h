// SPDX-License-Identifier: Apache-2.0
// Pictures as they come when nobody controls the camera: what a model was not tuned on.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "formats/picture/picture.h"

namespace halftone {

enum class Shift : uint8_t { noise, blur, brightness, crop };
inline constexpr std::array<Shift, 4> kShifts = {Shift::noise, Shift::blur, Shift::brightness, Shift::crop};
std::string_view shift_name(Shift shift);

// noise: each byte moves by a bell-shaped random amount of deviation 16. blur: the binomial 1 4 6 4 1 down and across,
// edges repeated. brightness: times 0.6 or 1.4. crop: a window of 7/8 of both sides somewhere, resized back. What is
// random follows from the seed; the same bytes on every machine.
Picture shifted(const Picture& picture, Shift shift, uint64_t seed);

}  // namespace halftone
