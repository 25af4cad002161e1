// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ship/sweep/sweep.h"

namespace halftone {

// What the figures say, a sentence each: where it falls, what makes it fall, what moves it at equal bytes.
std::vector<std::string> conclude(const SweepReport& report);

// Three significant digits: "0.0116", "0.000412".
std::string nats_text(double value);

}  // namespace halftone
