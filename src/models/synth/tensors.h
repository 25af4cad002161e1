// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "halftone/status.h"

namespace halftone {

// One tensor to invent: normal numbers around `mean`.
struct SynthTensor {
  std::string name;
  std::vector<int64_t> shape;
  float mean = 0, deviation = 0;
  int64_t elements() const;
};

// Every tensor that a model of this config has, from the graph of its family.
Result<std::vector<SynthTensor>> synth_tensors(const nlohmann::json& config);

}  // namespace halftone
