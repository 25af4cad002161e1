// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace halftone {

// The bytes that base64 text stands for, with or without padding; nothing when it is none.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace halftone
