// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "base/units.h"
#include "ship/page/sections.h"

namespace halftone::page {

namespace {

const Json kNull;

const Json& find_candidate(const Json& report, std::string_view name) {
  for (const Json& candidate : at(report, "results/candidates"))
    if (text(candidate, "name") == name) return candidate;
  return kNull;
}

std::string figure(std::string_view title, std::string_view big, std::string_view small) {
  return fmt::format(R"(<div><dt>{}</dt><dd><div class="big">{}</div><div class="small">{}</div></dd></div>
)",
                     title, big, small);
}

std::string change_figure(const std::string& metric, const Json& row) {
  if (!metric_style(metric).own_value) return value_text(metric, number(row, "delta"));
  return change_text(metric, number(row, "delta")) + (metric_style(metric).unit == "fraction" ? " points" : "");
}

// The interval alone, without the value before it.
std::string interval_text(const std::string& metric, const Json& row) {
  const std::string whole = row_text(metric, row);
  const size_t bracket = whole.find('[');
  return bracket == std::string::npos ? "" : "95&nbsp;% interval " + whole.substr(bracket);
}

std::string figures(const Json& report) {
  const Json& best = winner(report);
  const Json& base = reference(report);
  if (best.is_null()) return "";
  const std::string metric = primary_metric(report);
  const auto bytes = integer(best, "bytes"), base_bytes = integer(base, "bytes");
  std::string out = R"(<dl class="figures">)";
  out += figure("Weights", bytes_text(bytes),
                fmt::format("{} as {}; {:.2f} bits per weight", bytes_text(base_bytes), escape(text(base, "name")),
                            number(best, "bits_per_weight")));
  const Json& result = at(best, "quality/metrics/" + metric);
  if (!result.is_null())
    out += figure(escape(metric_style(metric).label), change_figure(metric, result),
                  fmt::format("{} on {} {}", interval_text(metric, result), format_count(integer(result, "n")),
                              escape(text(result, "n_unit"))));
  if (std::isfinite(speed_of(best))) {
    const double fraction = number(best, "speed/decode/bandwidth_fraction");
    out += figure(
        "Speed, " + std::string(speed_style(best).name),
        fmt::format("{} {}", rate_text(speed_of(best)), speed_style(best).unit),
        fmt::format("{} as {}", rate_text(speed_of(base)), escape(text(base, "name"))) +
            (std::isfinite(fraction) ? fmt::format("; {:.0f}&nbsp;% of measured bandwidth", 100 * fraction) : ""));
  }
  const Json& sealed = at(report, "results/confirm/quality/metrics/" + metric);
  if (!sealed.is_null())
    out +=
        figure(fmt::format("Sealed {}, opened once", format_count(integer(sealed, "n"))), change_figure(metric, sealed),
               fmt::format("{} {}", interval_text(metric, sealed),
                           chip(text(report, "results/confirm/quality/gate/verdict"))));
  return out + "</dl>\n";
}

// A hyphen before a number, where it is a sign and no part of a name.
std::string with_minus(std::string text) {
  for (size_t i = 1; i + 1 < text.size(); ++i)
    if (text[i] == '-' && (text[i - 1] == ' ' || text[i - 1] == '[') && text[i + 1] >= '0' && text[i + 1] <= '9')
      text.replace(i, 1, "\u2212");
  return text;
}

// Rows of dots that swell to the right: what the project is named after.
std::string dots() {
  std::string circles;
  for (int row = 0; row < 8; ++row)
    for (int column = 0; column < 44; ++column) {
      const double across = column / 43.0, down = 1 - row / 8.0;
      const double radius = 4.6 * across * across * down * down;
      if (radius < 0.3) continue;
      circles +=
          fmt::format(R"(<circle cx="{}" cy="{}" r="{:.1f}"/>)", column * 10 + (row % 2 ? 5 : 0), row * 9 + 4, radius);
    }
  return fmt::format(
      R"(<svg class="dots" viewBox="0 0 440 76" preserveAspectRatio="xMaxYMin slice" aria-hidden="true">{}</svg>)",
      circles);
}

}  // namespace

const Json& winner(const Json& report) {
  const std::string name = text(report, "results/decision/winner");
  return name.empty() ? kNull : find_candidate(report, name);
}

const Json& reference(const Json& report) {
  for (const Json& candidate : at(report, "results/candidates"))
    if (flag(candidate, "reference")) return candidate;
  return kNull;
}

std::string primary_metric(const Json& report) { return text(report, "results/primary_metric", "choice_accuracy"); }
std::string tail_metric(const Json& report) { return text(report, "results/tail_metric", "answer_probability"); }

std::string headline(const Json& report) {
  const std::string verdict = text(report, "results/decision/verdict");
  int64_t decided = 0;
  for (const Json& suite : at(report, "results/suites")) decided += integer(suite, "decide");
  std::string out = "<header>" + dots() + "<div>";
  out += fmt::format(R"(<p class="brand"><b>halftone</b> evidence &nbsp;·&nbsp; {}</p>)",
                     escape(text(report, "results/model/name")));
  out += fmt::format("<h1>{}</h1>\n<p>{} &nbsp;{}</p>\n", escape(with_minus(text(report, "results/decision/sentence"))),
                     chip(verdict),
                     escape(fmt::format("Decided on {} samples; rule: {}.", format_count(decided),
                                        text(report, "results/decision/rule"))));
  out += figures(report);
  out +=
      R"(<nav><a href="#candidates">Candidates</a><a href="#tails">Tails</a><a href="#sealed">Sealed part</a><a href="#worst">Worst samples</a>)"
      R"(<a href="#tensors">Weights</a><a href="#speed">Speed and memory</a><a href="#provenance">Provenance</a><a href="#missing">Not measured</a></nav>)";
  return out + "</div></header>\n";
}

}  // namespace halftone::page
