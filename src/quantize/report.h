// SPDX-License-Identifier: Apache-2.0
// What a run says of itself, whatever graph it quantized. Private to the room.
#pragma once

#include <vector>

#include "quantize/encode.h"
#include "quantize/quantize.h"

namespace halftone {

// A row per tensor, and the bits per weight of all.
void add_tensors(const std::vector<Assignment>& assignments, bool tuned, const std::vector<Totals>& totals,
                 QuantizeReport& report);

// Without times and paths: the same source and recipe give the same artifact, byte for byte.
nlohmann::ordered_json provenance_of(const ModelFile& source, const Recipe& recipe, const QuantizeReport& report);

}  // namespace halftone
