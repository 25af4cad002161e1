// SPDX-License-Identifier: Apache-2.0
// report.json → one HTML file: tables and text in the markup, charts by Vega-Lite from the binary, no request to
// anywhere.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace halftone {

// Never fails: facts that the report lacks are left out. Everything from the report is escaped.
std::string render_page(const nlohmann::ordered_json& report);

}  // namespace halftone
