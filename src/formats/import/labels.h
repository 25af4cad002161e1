// SPDX-License-Identifier: Apache-2.0
// An import's record inside the provenance of its artifact.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "formats/import/import.h"
#include "formats/source_hash.h"

namespace halftone {

void write_import_record(const ImportSource& source, std::string_view container, const std::vector<SourceFile>& files,
                         nlohmann::ordered_json& provenance);
// `name` stands for the artifact in messages.
Result<ImportRecord> read_import_record(const nlohmann::json& provenance, std::string_view name);

nlohmann::ordered_json to_json(const TensorLabel& label);

}  // namespace halftone
