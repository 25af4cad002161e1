// SPDX-License-Identifier: Apache-2.0
#include "cli/figures.h"

#include <fmt/format.h>

#include <cmath>

#include "base/units.h"
#include "ship/labels.h"

namespace halftone::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string in_unit(const Json& value, const std::string& unit) {
  if (!value.is_number()) return "-";
  const double number = value.get<double>();
  if (unit == "bytes") return format_bytes(static_cast<int64_t>(number));
  if (unit == "tokens_per_second") return rate(value);
  if (unit == "nats") return fmt::format("{:.3f}", number);
  return fmt::format("{:.{}f}", number, number != 0 && std::abs(number) < 0.095 ? 2 : 1);
}

}  // namespace

std::string megabytes(const Json& bytes) {
  const double mb = bytes.get<double>() / 1e6;
  return mb >= 100 ? fmt::format("{:.0f}", mb) : mb >= 10 ? fmt::format("{:.1f}", mb) : fmt::format("{:.2f}", mb);
}

std::string rate(const Json& tokens_per_second) {
  const double value = tokens_per_second.is_number() ? tokens_per_second.get<double>() : NAN;
  if (!std::isfinite(value)) return "-";
  return value >= 100 ? format_count(static_cast<int64_t>(std::llround(value))) : fmt::format("{:.1f}", value);
}

std::string share(const Json& fraction) {
  return fraction.is_number() ? fmt::format("{:.1f} %", 100 * fraction.get<double>()) : "-";
}

std::string change_cell(std::string_view metric, const Json& row) {
  const MetricStyle style = metric_style(metric);
  const double scale = style.unit == "fraction" ? 100 : 1;
  const int decimals = scale == 100 ? 1 : 3;
  const auto number = [&](const char* key) { return row[key].get<double>() * scale; };
  const bool interval = row["low"].is_number() && row["high"].is_number();
  if (style.own_value)
    return fmt::format("{:+.{}f}", number("delta"), decimals) +
           (interval ? fmt::format(" [{:+.{}f}, {:+.{}f}]", number("low"), decimals, number("high"), decimals) : "");
  return fmt::format("{:.{}f}{}", number("delta"), decimals, scale == 100 ? " %" : "") +
         (interval ? fmt::format(" [{:.{}f}, {:.{}f}]", number("low"), decimals, number("high"), decimals) : "");
}

std::string check_value(const Json& check) {
  const std::string unit = check["unit"];
  const std::string text = in_unit(check["value"], unit);
  return unit == "percent" && text != "-" ? text + " %" : text;
}

std::string check_bounds(const Json& check) {
  if (!check["low"].is_number() || !check["high"].is_number()) return "";
  return fmt::format("[{}, {}]", in_unit(check["low"], check["unit"]), in_unit(check["high"], check["unit"]));
}

}  // namespace halftone::cli
