// SPDX-License-Identifier: Apache-2.0
#include "ship/page/html.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/units.h"

namespace halftone::page {

const Json& at(const Json& json, std::string_view path) {
  static const Json kNull;
  const Json* here = &json;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string key(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (!here->is_object()) return kNull;
    const auto found = here->find(key);
    if (found == here->end()) return kNull;
    here = &*found;
  }
  return *here;
}

std::string text(const Json& json, std::string_view path, std::string_view fallback) {
  const Json& value = at(json, path);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  return std::string(fallback);
}

double number(const Json& json, std::string_view path) {
  const Json& value = at(json, path);
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

int64_t integer(const Json& json, std::string_view path) {
  const Json& value = at(json, path);
  return value.is_number() ? value.get<int64_t>() : 0;
}

bool flag(const Json& json, std::string_view path) {
  const Json& value = at(json, path);
  return value.is_boolean() && value.get<bool>();
}

namespace {

std::string minus(std::string plain) {  // a hyphen-minus is too short beside digits
  if (const size_t place = plain.find('-'); place == 0) plain.replace(0, 1, "\u2212");
  return plain;
}

std::string without_percent(std::string bounds) {
  for (size_t at = bounds.find(" %"); at != std::string::npos; at = bounds.find(" %")) bounds.erase(at, 2);
  return bounds;
}

int decimals(double scaled) { return std::abs(scaled) < 0.095 && scaled != 0 ? 2 : 1; }

}  // namespace

std::string value_text(std::string_view metric, double value) {
  if (!std::isfinite(value)) return "\u2013";
  const auto style = metric_style(metric);
  if (style.unit == "fraction") return minus(fmt::format("{:.{}f} %", value * 100, decimals(value * 100)));
  return minus(fmt::format("{:.4f}", value));
}

std::string change_text(std::string_view metric, double value) {
  if (!std::isfinite(value)) return "\u2013";
  const bool points = metric_style(metric).unit == "fraction";
  std::string out =
      points ? fmt::format("{:+.{}f}", value * 100, decimals(value * 100)) : fmt::format("{:+.4f}", value);
  return minus(std::move(out));
}

std::string row_text(std::string_view metric, const Json& row) {
  const bool own = metric_style(metric).own_value;
  const auto show = [&](const char* key) {
    return own ? change_text(metric, number(row, key)) : value_text(metric, number(row, key));
  };
  std::string out = show("delta");
  if (std::isfinite(number(row, "low")) && std::isfinite(number(row, "high")))
    out += without_percent(fmt::format(" [{}, {}]", show("low"), show("high")));
  return out;
}

namespace {

std::string check_number(const Json& check, double value) {
  const std::string unit = text(check, "unit");
  if (!std::isfinite(value)) return "\u2013";
  if (unit == "bytes") return bytes_text(static_cast<int64_t>(value));
  if (unit == "tokens_per_second") return rate_text(value);
  if (unit == "nats") return minus(fmt::format("{:.3f}", value));
  return minus(
      fmt::format("{:.{}f}{}", value, unit == "fraction" ? 4 : decimals(value), unit == "percent" ? " %" : ""));
}

}  // namespace

std::string check_value(const Json& check) { return check_number(check, number(check, "value")); }

std::string check_bounds(const Json& check) {
  if (!std::isfinite(number(check, "low")) || !std::isfinite(number(check, "high"))) return "";
  return without_percent(
      fmt::format("[{}, {}]", check_number(check, number(check, "low")), check_number(check, number(check, "high"))));
}

std::string check_limit(const Json& check) {
  return fmt::format("{} {}", text(check, "bound") == "min" ? "\u2265" : "\u2264",
                     check_number(check, number(check, "limit")));
}

std::string bytes_text(int64_t bytes) { return bytes > 0 ? format_bytes(bytes) : "\u2013"; }

std::string rate_text(double rate) {
  if (!std::isfinite(rate) || rate <= 0) return "\u2013";
  return rate >= 100 ? fmt::format("{:.0f}", rate) : fmt::format("{:.1f}", rate);
}

std::string chip(std::string_view verdict) {
  return fmt::format(R"(<span class="chip {}">{}</span>)", escape(verdict), escape(verdict));
}

}  // namespace halftone::page
