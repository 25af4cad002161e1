// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "ship/page/chart.h"
#include "ship/page/sections.h"

namespace halftone::page {

namespace {

std::string slice_of(const Json& gate_check) {
  const std::string column = text(gate_check, "slice_column");
  return column.empty() ? "" : column + "=" + text(gate_check, "slice_value");
}

// The judged check that belongs to a metric and slice ("column=value").
const Json* find_check(const Json& quality, std::string_view metric, std::string_view slice) {
  for (const Json& check : at(quality, "gate/checks"))
    if (text(check, "metric") == metric && text(check, "slice") == slice) return &check;
  return nullptr;
}
const Json* find_check(const Json& quality, const Json& gate_check) {
  return find_check(quality, text(gate_check, "metric"), slice_of(gate_check));
}

std::string check_cell(const Json& quality, const Json& gate_check) {
  const Json* check = find_check(quality, gate_check);
  if (check == nullptr) return "";
  return fmt::format(R"(<span><span class="t-{}">{}</span><span class="sub">{}</span></span>)",
                     escape(text(*check, "verdict")), check_value(*check), check_bounds(*check));
}

std::string bounds_of(const std::string& metric, const Json& row) {
  const std::string whole = row_text(metric, row);
  const size_t bracket = whole.find('[');
  return bracket == std::string::npos ? "" : whole.substr(bracket);
}

std::string with_sub(std::string_view main, std::string_view sub) {
  return fmt::format(R"(<span>{}<span class="sub">{}</span></span>)", main, sub);
}

std::string score_cell(const Json& report, const Json& candidate, const std::string& metric) {
  const Json& row = at(candidate, "quality/metrics/" + metric);
  if (!metric_style(metric).own_value)
    return row.is_null() ? "" : with_sub(value_text(metric, number(row, "delta")), bounds_of(metric, row));
  if (!row.is_null()) return with_sub(value_text(metric, number(row, "candidate")), row_text(metric, row));
  for (const Json& other : at(report, "results/candidates"))
    if (const double score = number(other, "quality/metrics/" + metric + "/reference");
        flag(candidate, "reference") && std::isfinite(score))
      return value_text(metric, score);
  return "";
}

// The gate's checks that say more than the score's column does.
std::vector<const Json*> shown_checks(const Json& report) {
  const std::string score = primary_metric(report);
  std::vector<const Json*> checks;
  for (const Json& check : at(report, "results/gate/checks"))
    if (text(check, "metric") != score || !slice_of(check).empty()) checks.push_back(&check);
  return checks;
}

// The tail has a column of its own, unless the gate limits it.
bool shows_tail(const Json& report) {
  const std::string p99 = std::string(metric_style(tail_metric(report)).key) + ".p99";
  for (const Json& check : at(report, "results/gate/checks"))
    if (text(check, "metric") == p99) return false;
  return true;
}

std::string reasons(const Json& report) {
  std::string out = R"(<dl class="facts why">)";
  for (const Json& candidate : at(report, "results/candidates"))
    if (!flag(candidate, "reference"))
      out += fmt::format("<dt><b>{}</b></dt><dd>{} {}</dd>", escape(text(candidate, "name")),
                         chip(text(candidate, "verdict")), escape(text(candidate, "reason")));
  return out + "</dl>\n";
}

std::vector<std::string> candidate_row(const Json& report, const Json& candidate) {
  const std::string metric = primary_metric(report), tail = tail_metric(report);
  const Json& quality = at(candidate, "quality");
  const bool base = flag(candidate, "reference");
  std::vector<std::string> cells = {fmt::format("<b>{}</b>", escape(text(candidate, "name"))),
                                    with_sub(bytes_text(integer(candidate, "bytes")),
                                             fmt::format("{:.2f} bits/weight", number(candidate, "bits_per_weight"))),
                                    score_cell(report, candidate, metric)};
  for (const Json* check : shown_checks(report)) cells.push_back(check_cell(quality, *check));
  const Json& tails = at(quality, "tails/" + tail);
  if (shows_tail(report))
    cells.push_back(base || tails.is_null() ? ""
                                            : with_sub(value_text(tail, number(tails, "p99")),
                                                       "max " + value_text(tail, number(tails, "max"))));
  const Json& decode = at(candidate, speed_style(candidate).path);
  cells.push_back(decode.is_null() ? ""
                                   : with_sub(rate_text(number(decode, "median")),
                                              fmt::format("[{}, {}]", rate_text(number(decode, "low")),
                                                          rate_text(number(decode, "high")))));
  const Json& memory = at(candidate, "speed/memory");
  cells.push_back(memory.is_null()
                      ? ""
                      : with_sub(bytes_text(integer(memory, "peak_private_bytes") + integer(memory, "weights_bytes")),
                                 fmt::format("{} private", bytes_text(integer(memory, "peak_private_bytes")))));
  cells.push_back(chip(text(candidate, "verdict")));
  return cells;
}

std::string limit_header(const Json& report, const Json& gate_check) {
  for (const Json& candidate : at(report, "results/candidates"))
    if (const Json* check = find_check(at(candidate, "quality"), gate_check))
      return fmt::format("{} {}", text(gate_check, "label"), check_limit(*check));
  return text(gate_check, "label");
}

bool has_slices(const Json& report) {
  const Json& all = at(report, "results/candidates");
  return std::any_of(all.begin(), all.end(),
                     [](const Json& candidate) { return !at(candidate, "quality/slices").empty(); });
}

// Bytes against the change of the primary metric (or the divergence, where that has no value of its own), with
// intervals; the float model is where nothing changes.
std::string change_chart(const Json& report) {
  const std::string primary = primary_metric(report);
  const std::string metric = metric_style(primary).own_value ? primary : "kl";
  const double scale = metric_style(metric).unit == "fraction" ? 100 : 1;
  Chart chart;
  chart.id = "change";
  chart.title = "Change against float by bytes";
  chart.x_title = "weights on disk, MB";
  chart.y_title = metric_style(metric).label;
  if (metric == primary) chart.y_title += scale == 100 ? ", change in points" : ", change";
  ChartSeries series;
  for (const Json& candidate : at(report, "results/candidates")) {
    const Json& row = at(candidate, "quality/metrics/" + metric);
    const bool base = flag(candidate, "reference");
    if (!base && !std::isfinite(number(row, "delta"))) continue;
    ChartMark mark;
    mark.x = static_cast<double>(integer(candidate, "bytes")) / 1e6;
    mark.shape = chart.shapes.size();
    chart.shapes.push_back(text(candidate, "name"));
    mark.told = chart.shapes.back() + (base ? ": the float model" : ": " + row_text(metric, row));
    if (!base) {
      mark.y = number(row, "delta") * scale;
      mark.low = number(row, "low") * scale;
      mark.high = number(row, "high") * scale;
    }
    chart.description += (chart.description.empty() ? "" : "; ") + mark.told;
    series.marks.push_back(std::move(mark));
  }
  chart.series.push_back(std::move(series));
  return chart.series[0].marks.size() < 2 ? "" : render_chart(chart);
}

std::string p_value(double p) { return p < 0.0001 ? "below 0.0001" : fmt::format("{:.4f}", p); }

}  // namespace

std::string gate_section(const Json& report) {
  const Json& gate = at(report, "results/gate");
  if (gate.is_null()) return "";
  std::string out =
      R"(<h2 id="gate">The gate, fixed first</h2><p class="note">Written down and hashed before the first score. A check passes when its
one-sided 95&nbsp;% bound lies inside the limit, fails when it lies beyond after Holm&#8217;s correction, and is otherwise inconclusive.</p><ul class="plain">)";
  for (const Json& check : at(gate, "checks"))
    out +=
        fmt::format("<li><b>{}</b>: <code>{}</code></li>", escape(text(check, "label")), escape(text(check, "text")));
  return out + "</ul>\n";
}

std::string candidates_section(const Json& report) {
  std::vector<Table::Column> columns = {{"recipe"}, {"weights", true}};
  const std::string metric = primary_metric(report);  // an unknown metric's style looks into its name
  const MetricStyle score = metric_style(metric);
  columns.push_back({std::string(score.label) + (score.own_value ? ", change [95\u00a0%]" : " [95\u00a0%]"), true});
  for (const Json* check : shown_checks(report)) columns.push_back({limit_header(report, *check), true});
  if (shows_tail(report)) columns.push_back({"p99 of samples", true});
  const SpeedStyle speed = speed_style(reference(report));
  columns.push_back({fmt::format("{} {}", speed.name, speed.unit), true});
  columns.push_back({"memory", true});
  columns.push_back({"verdict"});
  Table table(columns, "cards dense");
  const std::string best = text(report, "results/decision/winner");
  for (const Json& candidate : at(report, "results/candidates"))
    table.row(candidate_row(report, candidate), text(candidate, "name") == best ? "winner" : "");
  std::string out = R"(<h2 id="candidates">Candidates</h2>)";
  out += fmt::format(
      R"(<p class="note">Every figure is paired, sample by sample, with {} in the same pipeline. Points are percentage points;
brackets are 95&nbsp;% intervals.</p>)",
      escape(text(reference(report), "name", "the float model")));
  out += table.html() + reasons(report);
  out +=
      R"(<figure><h3>What each byte buys</h3><div class="chart" id="chart-tradeoff"></div><figcaption>Smaller and lower is better; a bigger dot is faster.
The dashed line joins the candidates that no other beats on both bytes and tail.</figcaption></figure>)";
  if (const std::string drawn = change_chart(report); !drawn.empty())
    out += fmt::format(
        R"(<figure><h3>What each byte costs</h3>{}<figcaption>Change against float with 95&nbsp;% intervals.</figcaption></figure>)",
        drawn);
  if (!has_slices(report)) return out;
  out +=
      R"(<figure><h3>Change against float, by slice</h3><div class="chart" id="chart-forest"></div><figcaption>Points with 95&nbsp;% intervals; left is worse.
Red ticks are the gate&#8217;s limits. The axis is compressed away from zero.</figcaption></figure>)";
  return out;
}

std::string tail_section(const Json& report) {
  const std::string metric = tail_metric(report);
  Table table(
      {{"recipe"}, {"median", true}, {"p95", true}, {"p99", true}, {"p99.9", true}, {"max", true}, {"samples", true}},
      "slim");
  int rows = 0;
  for (const Json& candidate : at(report, "results/candidates")) {
    const Json& tails = at(candidate, "quality/tails/" + metric);
    if (tails.is_null()) continue;
    table.row({fmt::format("<b>{}</b>", escape(text(candidate, "name"))), value_text(metric, number(tails, "p50")),
               value_text(metric, number(tails, "p95")), value_text(metric, number(tails, "p99")),
               value_text(metric, number(tails, "p99.9")), value_text(metric, number(tails, "max")),
               format_count(integer(tails, "n"))});
    ++rows;
  }
  if (rows == 0) return "";
  return fmt::format(
      R"(<h2 id="tails">The tails</h2><p class="note">{}, one value per sample. A mean hides them: a model that is right on average may
answer wrongly on one input in two hundred. A percentile is left out when there are too few samples to know it.</p>{}
<figure><div class="chart" id="chart-tail"></div><figcaption>Share of samples whose change is larger than the value below it. Both axes are logarithmic.</figcaption></figure>)",
      escape(tail_label(metric)), table.html());
}

std::string confirm_section(const Json& report) {
  const Json& confirm = at(report, "results/confirm");
  int64_t sealed = 0;
  for (const Json& suite : at(report, "results/suites")) sealed += integer(suite, "confirm");
  std::string out = R"(<h2 id="sealed">The sealed part</h2>)";
  if (at(confirm, "quality").is_null()) {
    return out + fmt::format("<p>{}</p>\n", escape(text(confirm, "why", "Nothing was held back.")));
  }
  const Json& quality = at(confirm, "quality");
  out += fmt::format(
      R"(<p>{} samples were set aside by the hash of their group before anything was scored, and opened once, for {} alone. {}</p>)",
      format_count(sealed), escape(text(confirm, "candidate")), chip(text(quality, "gate/verdict")));
  Table table({{"check"}, {"limit", true}, {"to decide", true}, {"sealed", true}, {"verdict"}});
  const Json& decided = at(winner(report), "quality");
  for (const Json& check : at(quality, "gate/checks")) {
    const Json* before = find_check(decided, text(check, "metric"), text(check, "slice"));
    table.row({fmt::format("<b>{}</b>", escape(check_label(text(check, "metric"), text(check, "slice")))),
               check_limit(check), before ? check_value(*before) + " " + check_bounds(*before) : "",
               check_value(check) + " " + check_bounds(check), chip(text(check, "verdict"))});
  }
  out += table.html();
  const Json& pairs = at(quality, "pairs");
  if (integer(pairs, "both_right") + integer(pairs, "only_reference") > 0)
    out += fmt::format(
        R"(<p class="note">Of the sealed samples {} were right in both, {} only in float, {} only in {}, {} in neither; McNemar&#8217;s p is {}.</p>)",
        format_count(integer(pairs, "both_right")), format_count(integer(pairs, "only_reference")),
        format_count(integer(pairs, "only_candidate")), escape(text(confirm, "candidate")),
        format_count(integer(pairs, "both_wrong")),
        p_value(number(quality, "metrics/" + primary_metric(report) + "/mcnemar_p")));
  return out;
}

}  // namespace halftone::page
