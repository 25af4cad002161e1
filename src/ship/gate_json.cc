// SPDX-License-Identifier: Apache-2.0
#include "ship/gate_json.h"

#include "base/error.h"
#include "ship/labels.h"

namespace halftone {

using Json = nlohmann::ordered_json;

Json gate_json(const Gate& gate) {
  Json checks = Json::array();
  for (const GateCheck& check : gate.checks) {
    const std::string slice = check.slice_column.empty() ? "" : check.slice_column + "=" + check.slice_value;
    checks.push_back({{"metric", check.metric},
                      {"limit", check.limit},
                      {"unit", check.unit},
                      {"suite", check.suite},
                      {"slice_column", check.slice_column},
                      {"slice_value", check.slice_value},
                      {"label", check_label(check.metric, slice)},
                      {"text", describe(check)}});
  }
  return {{"sha256", gate_hash(gate)}, {"checks", std::move(checks)}};
}

Result<Gate> gate_from_json(const Json& json) {
  Gate gate;
  try {
    for (const Json& one : json.at("checks")) {
      GateCheck check;
      check.metric = one.at("metric").get<std::string>();
      check.limit = one.at("limit").get<double>();
      check.unit = one.at("unit").get<std::string>();
      check.suite = one.at("suite").get<std::string>();
      check.slice_column = one.at("slice_column").get<std::string>();
      check.slice_value = one.at("slice_value").get<std::string>();
      if (find_gate_metric(check.metric) == nullptr)
        return invalid_input("[recheck] report.json: gate: expected a metric that a gate can limit, got \"{}\"",
                             check.metric);
      gate.checks.push_back(std::move(check));
    }
  } catch (const Json::exception& error) {
    return invalid_input(
        "[recheck] report.json: gate: expected checks with metric, limit, unit, suite and slice, got: {}",
        error.what());
  }
  return gate;
}

}  // namespace halftone
