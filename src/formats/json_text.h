// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "halftone/status.h"

namespace halftone {

// JSON as strict as a file from a stranger deserves: a key twice in one object, nesting beyond 64 levels and text that
// is not JSON are errors that name `name` (it stands for the file) and the place.
Result<nlohmann::json> parse_json(std::string_view text, std::string_view name);
// REQUIRES of the file: at most 64 MB.
Result<nlohmann::json> read_json_file(const std::filesystem::path& path);

}  // namespace halftone
