// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/bench.h"

namespace halftone {

// One self-contained page: per model and phase the whole time as a bar, cut into kinds of steps, then roles, then
// layers (widths are time), with a table of what each moves and computes beside its limit. Models without a profile are
// left out.
std::string render_profile_page(const BenchReport& report);

}  // namespace halftone
