// SPDX-License-Identifier: Apache-2.0
#include "export/lost_ranges.h"

#include <fmt/format.h>

#include <algorithm>

namespace halftone {

void note_lost_ranges(const ModelFile& model, std::vector<std::string>& notes) {
  const auto count = std::count_if(model.tensors.begin(), model.tensors.end(),
                                   [](const auto& tensor) { return tensor.input.exists(); });
  if (count > 0) notes.push_back(fmt::format("static ranges of the inputs of {} matrices stay behind", count));
}

}  // namespace halftone
