// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "formats/model_file.h"

namespace halftone {

// Adds a line where the model has static ranges of inputs: files of weights have no place for them.
void note_lost_ranges(const ModelFile& model, std::vector<std::string>& notes);

}  // namespace halftone
