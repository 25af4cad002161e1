// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "base/numbers.h"

namespace halftone {
namespace {

struct Unit {
  std::string_view name;  // lower case
  double factor;
};

constexpr Unit kByteUnits[] = {
    {"b", 1},           {"kb", 1e3},           {"mb", 1e6},
    {"gb", 1e9},        {"tb", 1e12},          {"kib", 1024.0},
    {"mib", 1048576.0}, {"gib", 1073741824.0}, {"tib", 1099511627776.0},
};
constexpr Unit kRateUnits[] = {{"tok/s", 1}, {"tokens/s", 1}, {"token/s", 1}};
constexpr Unit kTimeUnits[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// A non-negative number and its unit. `what` and `example` make the message.
Result<double> parse_quantity(std::string_view text, std::span<const Unit> units, std::string_view what,
                              std::string_view example) {
  const std::string_view whole = trimmed(text);
  const size_t length = number_length(whole);
  const auto number = parse_number(whole.substr(0, length));
  const std::string unit = lower(trimmed(whole.substr(length)));
  if (!number || *number < 0) {
    return invalid_input("[units] expected {} like {}, got '{}'", what, example, text);
  }
  for (const Unit& candidate : units) {
    if (candidate.name == unit) return *number * candidate.factor;
  }
  if (unit.empty()) {
    return invalid_input("[units] expected {} with its unit, got '{}'; write it like {}", what, text, example);
  }
  return invalid_input("[units] expected {} like {}, got '{}' with the unknown unit '{}'", what, example, text, unit);
}

// Three significant digits of a value in [0.9995, 1000).
std::string three_digits(double value) {
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

// 1.2 but 3: one decimal where it is not zero.
std::string short_decimal(double value) {
  const std::string text = fmt::format("{:.1f}", value);
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

}  // namespace

std::string format_bytes(int64_t bytes) {
  const std::string sign = bytes < 0 ? "-" : "";
  double value = std::abs(static_cast<double>(bytes));
  if (value < 1000) return fmt::format("{}{:.0f} B", sign, value);
  std::string_view unit;
  for (const std::string_view next : {"kB", "MB", "GB", "TB", "PB", "EB"}) {
    value /= 1000;
    unit = next;
    if (value < 999.5) break;
  }
  return fmt::format("{}{} {}", sign, three_digits(value), unit);
}

std::string format_count(int64_t count) {
  const std::string digits = fmt::format("{}", count);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    const size_t left = digits.size() - i;
    if (left % 3 == 0 && !out.empty() && out != "-") out += ',';
    out += digits[i];
  }
  return out;
}

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds)) return "unknown";
  if (seconds < 0) return fmt::format("-{}", format_seconds(-seconds));
  if (seconds == 0) return "0 s";
  if (seconds < 0.9995e-3) return fmt::format("{} us", short_decimal(seconds * 1e6));
  if (seconds < 0.9995)
    return fmt::format("{} ms",
                       seconds < 9.95e-3 ? short_decimal(seconds * 1e3) : fmt::format("{:.0f}", seconds * 1e3));
  if (seconds < 59.95) return fmt::format("{} s", short_decimal(seconds));
  const int64_t whole = std::llround(std::min(seconds, 9e15));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

Result<int64_t> parse_bytes(std::string_view text) {
  HALFTONE_ASSIGN(const double bytes, parse_quantity(text, kByteUnits, "a size in bytes", "1.2GB, 600MB or 512MiB"));
  if (bytes >= 9.2e18) return invalid_input("[units] expected a size below 9,200 PB, got '{}'", text);
  return static_cast<int64_t>(std::llround(bytes));
}

Result<double> parse_rate(std::string_view text) { return parse_quantity(text, kRateUnits, "a speed", "30tok/s"); }

Result<double> parse_duration(std::string_view text) {
  return parse_quantity(text, kTimeUnits, "a duration", "80ms, 2s or 1.5min");
}

}  // namespace halftone
