// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/units.h"
#include "cli/figures.h"
#include "cli/ship_table.h"
#include "ship/labels.h"

namespace halftone::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string own_value(std::string_view metric, const Json& value) {
  if (!value.is_number()) return "";
  return metric_style(metric).unit == "fraction" ? share(value) : fmt::format("{:.4f}", value.get<double>());
}

std::string quantile(std::string_view metric, const Json& value) {
  if (!value.is_number()) return "-";
  const double number = value.get<double>();
  return metric_style(metric).unit == "fraction" ? fmt::format("{:.2f}", 100 * number) : fmt::format("{:.4f}", number);
}

}  // namespace

std::string check_table(const Json& gate, bool colour) {
  Table table({"check", ">limit", ">value", ">one-sided 95 %", ">n", "verdict"});
  for (const Json& check : gate["checks"]) {
    const std::string verdict = check["verdict"];
    const std::string limit =
        fmt::format("{} {:g}", check["bound"] == "min" ? ">=" : "<=", check["limit"].get<double>());
    table.row({{check_label(check["metric"].get<std::string>(), check["slice"].get<std::string>())},
               {limit},
               {check_value(check)},
               {check_bounds(check)},
               {format_count(check["n"].get<int64_t>())},
               {verdict == "fail" ? "FAIL" : verdict, verdict_colour(verdict)}});
  }
  std::string out = table.render(colour);
  for (const Json& check : gate["checks"])
    if (check["verdict"] != "pass")
      out += fmt::format("{}: {}\n", check_label(check["metric"].get<std::string>(), check["slice"].get<std::string>()),
                         check["reason"].get<std::string>());
  return out;
}

// What slices count: those of labelled samples alone exist.
std::string labelled_unit(const Json& comparison) {
  for (const auto& [name, row] : comparison["metrics"].items())
    if (row["n_unit"] != "tokens") return row["n_unit"];
  return "";
}

std::string metric_table(const Json& comparison, bool colour) {
  Table table({"metric", ">float", ">candidate", ">change [95 %]", ">n", ""});
  for (const auto& [name, row] : comparison["metrics"].items())
    table.row({{std::string(metric_style(name).label)},
               {own_value(name, row["reference"])},
               {own_value(name, row["candidate"])},
               {change_cell(name, row)},
               {format_count(row["n"].get<int64_t>())},
               {row["n_unit"].get<std::string>()}});
  for (const Json& slice : comparison["slices"])
    table.row({{fmt::format("  {}={}", slice["column"].get<std::string>(), slice["value"].get<std::string>())},
               {share(slice["reference"])},
               {share(slice["candidate"])},
               {change_cell("choice_accuracy", slice)},
               {format_count(slice["n"].get<int64_t>())},
               {labelled_unit(comparison)}});
  return table.render(colour);
}

std::string tail_table(const Json& comparison, bool colour) {
  Table table({"tails", ">p50", ">p95", ">p99", ">p99.9", ">max", ">n", ""});
  for (const auto& [name, row] : comparison["tails"].items())
    table.row({{std::string(tail_label(name))},
               {quantile(name, row["p50"])},
               {quantile(name, row["p95"])},
               {quantile(name, row["p99"])},
               {quantile(name, row["p99.9"])},
               {quantile(name, row["max"])},
               {format_count(row["n"].get<int64_t>())},
               {row["n_unit"].get<std::string>()}});
  return table.render(colour);
}

}  // namespace halftone::cli
