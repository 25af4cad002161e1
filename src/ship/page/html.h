// SPDX-License-Identifier: Apache-2.0
// Small tools of the evidence page: tolerant reads of the report, numbers as people read them.
#pragma once

#include <string>
#include <string_view>

#include "base/html.h"
#include "ship/labels.h"

namespace halftone::page {

// Value at "a/b/c" or null; the report may come from an older version, and a page is better than none.
const Json& at(const Json& json, std::string_view path);
std::string text(const Json& json, std::string_view path, std::string_view fallback = "");
double number(const Json& json, std::string_view path);    // NaN when absent
int64_t integer(const Json& json, std::string_view path);  // 0 when absent
bool flag(const Json& json, std::string_view path);

std::string value_text(std::string_view metric, double value);   // "91.4 %", "0.0123"
std::string change_text(std::string_view metric, double value);  // "−0.6", signed
// "−0.6 [−1.1, −0.1]"; a metric of the pair is its own value: "97.1 % [96.8 %, 97.4 %]".
std::string row_text(std::string_view metric, const Json& row);
std::string check_value(const Json& check);   // of a gate check, in the unit of its limit
std::string check_bounds(const Json& check);  // "[−0.1, 0.7]"
std::string check_limit(const Json& check);   // "≤ 1.0"
std::string bytes_text(int64_t bytes);
std::string rate_text(double tokens_per_second);
std::string chip(std::string_view verdict);

}  // namespace halftone::page
