// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <filesystem>
#include <string>

#include "halftone/status.h"

namespace halftone {

// The system's words for an errno value: "No space left on device".
std::string os_reason(int code);
// "[who] PATH: cannot ACTION: reason", with what to do where the reason says it. not_found for a missing file, else io.
Status os_error(std::string_view who, const std::filesystem::path& path, std::string_view action, int code);

}  // namespace halftone
