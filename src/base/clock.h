// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace halftone {

std::string utc_now();  // "2026-11-20T18:40:00Z"

}  // namespace halftone
