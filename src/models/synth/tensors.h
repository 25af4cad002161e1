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

struct SynthTensors {
  std::vector<SynthTensor> tensors;
  std::string unreadable;  // why the config is refused by parse_config today; empty: it is read
};

// Every tensor that a model of this config has. Families that halftone reads: from their graph. Phi, Phi-3 and Gemma,
// which it does not read yet: from lists of their own. Other families are an error.
Result<SynthTensors> synth_tensors(const nlohmann::json& config);

}  // namespace halftone
