// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "halftone/model.h"
#include "halftone/status.h"

namespace halftone {

struct QuantizeSummary {
  int64_t weights_bytes = 0;
  double bits_per_weight = 0;  // scales and padding counted
  std::string report_json;     // which rule hit which tensor, with errors
};

// Writes the artifact `target` (complete or not at all). recipe: a preset (fp16 int8 int4 int4-affine64 int3 ...; `halftone
// quantize --help` lists them) or a YAML file. An existing target is replaced only when `replace` is true.
Result<QuantizeSummary> quantize_model(const ModelPtr& model, std::string_view recipe, const std::filesystem::path& target,
                                       bool replace = false);

}  // namespace halftone
