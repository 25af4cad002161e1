// SPDX-License-Identifier: Apache-2.0
// The parts of the evidence page, in reading order. Each takes the whole report and gives HTML; a part whose facts the
// report lacks is empty.
#pragma once

#include <string>

#include "ship/page/html.h"

namespace halftone::page {

std::string headline(const Json& report);
std::string gate_section(const Json& report);
std::string candidates_section(const Json& report);
std::string tail_section(const Json& report);
std::string confirm_section(const Json& report);
std::string worst_section(const Json& report);
std::string tensors_section(const Json& report);
std::string speed_section(const Json& report);
std::string provenance_section(const Json& report);

// What charts.js draws, and nothing else.
Json chart_data(const Json& report);

// The candidate that was chosen, or null.
const Json& winner(const Json& report);
const Json& reference(const Json& report);
std::string primary_metric(const Json& report);  // of the suite: "choice_accuracy", ...
std::string tail_metric(const Json& report);     // "answer_probability_drop", ...

}  // namespace halftone::page
