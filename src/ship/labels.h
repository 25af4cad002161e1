// SPDX-License-Identifier: Apache-2.0
// What metrics are called on pages and in tables.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "validate/suite.h"

namespace halftone {

// How a metric reads: fractions as points or percent, others as they are.
struct MetricStyle {
  std::string_view key, label, unit;  // unit: "fraction", "nats", ""
  bool own_value;                     // reference and candidate have a value each; otherwise it belongs to the pair
};
// "SUITE:NAME" reads as NAME.
MetricStyle metric_style(std::string_view metric);
// What the tail of a metric counts: "Probability of the right answer lost".
std::string_view tail_label(std::string_view metric);

// Of a gate's check, short enough for a column: "loss", "rare loss", "kl p99".
std::string check_label(std::string_view metric, std::string_view slice);

// What a table shows first for a task, and whose tail matters.
std::string_view primary_metric_of(Task task);
std::string_view tail_metric_of(Task task);

// The rate that stands for speed: decoding for language models, single samples for networks.
struct SpeedStyle {
  std::string_view path, name, unit;  // of a candidate's JSON: an object of median, low, high; "decode"; "tok/s"
};
SpeedStyle speed_style(const nlohmann::ordered_json& candidate);
double speed_of(const nlohmann::ordered_json& candidate);  // its median; NaN: not measured

}  // namespace halftone
