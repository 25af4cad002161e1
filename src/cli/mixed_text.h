// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "quantize/mixed/mixed.h"

namespace halftone::cli {

// Which tensor got what, and why: what one step less or more would cost or gain.
std::string mixed_text(const MixedReport& report, bool colour);

}  // namespace halftone::cli
