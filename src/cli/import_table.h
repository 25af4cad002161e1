// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "formats/model_file.h"

namespace halftone::cli {

// What became of the tensors of another runtime's file, kind by kind. REQUIRES: file.import.
std::string import_table(const ModelFile& file, bool colour);
nlohmann::ordered_json import_json(const ImportRecord& import);

}  // namespace halftone::cli
