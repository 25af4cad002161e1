// SPDX-License-Identifier: Apache-2.0
// A sweep as one HTML file: charts drawn in C++, every figure in a table, no scripts, no request to anywhere.
#pragma once

#include <string>

#include "ship/sweep/sweep.h"

namespace halftone {

std::string render_sweep_page(const SweepReport& report);

}  // namespace halftone
