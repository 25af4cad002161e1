// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace halftone {

std::string_view version();  // of halftone, "0.1.0"

}  // namespace halftone
