// SPDX-License-Identifier: Apache-2.0
// Numbers of reports as a terminal shows them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace halftone::cli {

std::string megabytes(const nlohmann::ordered_json& bytes);         // "1.75", three significant digits
std::string rate(const nlohmann::ordered_json& tokens_per_second);  // "22.4", "1,480"
std::string share(const nlohmann::ordered_json& fraction);          // "91.4 % correct" without the word: "91.4 %"
// Change of a metric with its interval; a metric of the pair is its own value: "-0.6 [-1.1, -0.1]", "97.1 %
// [96.8, 97.4]".
std::string change_cell(std::string_view metric, const nlohmann::ordered_json& row);
std::string check_value(const nlohmann::ordered_json& check);   // in the check's unit: "2.0", "0.4 %"
std::string check_bounds(const nlohmann::ordered_json& check);  // "[1.2, 2.9]"

}  // namespace halftone::cli
