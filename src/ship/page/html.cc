// SPDX-License-Identifier: Apache-2.0
#include "ship/page/html.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/units.h"

namespace halftone::page {

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string script_json(const Json& value) {
  const std::string plain = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  std::string out;
  out.reserve(plain.size());
  for (char c : plain) {
    if (c == '<') out += "\\u003c";
    else if (c == '>') out += "\\u003e";
    else if (c == '&') out += "\\u0026";
    else out += c;
  }
  return out;
}

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

MetricStyle metric_style(std::string_view metric) {
  static constexpr std::array<MetricStyle, 14> kStyles = {{
      {"choice_accuracy", "Right answers", "fraction"},
      {"choice_accuracy_likelihood", "Right answers by full-answer likelihood", "fraction"},
      {"confident_flips", "Confident flips", "fraction"},
      {"flips", "Changed answers", "fraction"},
      {"answer_changes", "Changed answers", "fraction"},
      {"lost_answers", "Lost answers", "fraction"},
      {"answer_probability_drop", "Fall of the right answer's probability", "fraction"},
      {"top_token_agreement", "Same most likely token", "fraction"},
      {"greedy_changed", "Changed greedy answers", "fraction"},
      {"token_probability_change", "Change of a token's probability", "fraction"},
      {"token_probability_drop", "Fall of the actual token's probability", "fraction"},
      {"kl", "KL divergence, nats per token", "nats"},
      {"log_perplexity", "Log perplexity, nats per token", "nats"},
      {"perplexity_ratio", "Perplexity, candidate over float", ""},
  }};
  for (const MetricStyle& style : kStyles)
    if (style.key == metric) return style;
  return {metric, metric, ""};
}

namespace {

std::string minus(std::string plain) {  // a hyphen-minus is too short beside digits
  if (const size_t place = plain.find('-'); place == 0) plain.replace(0, 1, "\u2212");
  return plain;
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
  std::string out = points ? fmt::format("{:+.{}f}", value * 100, decimals(value * 100)) : fmt::format("{:+.4f}", value);
  return minus(std::move(out));
}

std::string change_interval(std::string_view metric, double delta, double low, double high) {
  return fmt::format("{} [{}, {}]", change_text(metric, delta), change_text(metric, low), change_text(metric, high));
}

namespace {

std::string check_number(const Json& check, double value) {
  if (!std::isfinite(value)) return "\u2013";
  const auto style = metric_style(text(check, "metric"));
  const double scaled = style.unit == "fraction" ? value * 100 : value;
  return minus(fmt::format("{:.{}f}", scaled, style.unit == "fraction" ? decimals(scaled) : 4));
}

}  // namespace

std::string check_interval(const Json& check) {
  return fmt::format("{} [{}, {}]", check_number(check, number(check, "value")), check_number(check, number(check, "low")),
                     check_number(check, number(check, "high")));
}

std::string check_limit(const Json& check) {
  const bool at_least = text(check, "side") == "at_least";
  return fmt::format("{} {}", at_least ? "\u2265" : "\u2264", check_number(check, number(check, "limit")));
}

std::string bytes_text(int64_t bytes) { return bytes > 0 ? format_bytes(bytes) : "\u2013"; }

std::string rate_text(double rate) {
  if (!std::isfinite(rate) || rate <= 0) return "\u2013";
  return rate >= 100 ? fmt::format("{:.0f}", rate) : fmt::format("{:.1f}", rate);
}

std::string chip(std::string_view verdict) {
  return fmt::format(R"(<span class="chip {}">{}</span>)", escape(verdict), escape(verdict));
}

void Table::row(const std::vector<std::string>& cells, std::string_view css) {
  rows_ += css.empty() ? std::string("<tr>") : fmt::format(R"(<tr class="{}">)", css);
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    const std::string kind = column.numeric ? "n" : column.css;
    rows_ += fmt::format(R"(<td{} data-label="{}">{}</td>)", kind.empty() ? "" : fmt::format(R"( class="{}")", kind),
                         escape(column.header), i < cells.size() ? cells[i] : "");
  }
  rows_ += "</tr>\n";
}

std::string Table::html() const {
  std::string head;
  for (const Column& column : columns_)
    head += fmt::format("<th{}>{}</th>", column.numeric ? R"( class="n")" : "", escape(column.header));
  return fmt::format(R"(<div class="scroll"><table class="{}"><thead><tr>{}</tr></thead><tbody>
{}</tbody></table></div>
)", css_, head, rows_);
}

}  // namespace halftone::page
