// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/table.h"

namespace halftone::cli {

// The candidates of a report.json beside the reference, the reason why each lost, the sealed part and the worst sample.
std::string ship_table(const nlohmann::ordered_json& report, bool colour);

// A gate's checks with value, bounds, limit and verdict, one per line.
std::string check_table(const nlohmann::ordered_json& gate, bool colour);
Colour verdict_colour(std::string_view verdict);

// Metrics of one comparison: reference, candidate, change with interval, n.
std::string metric_table(const nlohmann::ordered_json& comparison, bool colour);
std::string tail_table(const nlohmann::ordered_json& comparison, bool colour);
std::string worst_line(const nlohmann::ordered_json& worst);

}  // namespace halftone::cli
