// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/page/sweep_charts.h"

#include <fmt/format.h>

#include <algorithm>

#include "ship/sweep/conclude.h"
#include "ship/sweep/knees.h"

namespace halftone::page {
namespace {

std::string told_point(const SweepPoint& point) {
  return fmt::format("{}: {:.2f} bits per weight, KL {}", point.name, point.bits_per_weight, nats_text(point.kl));
}

// A method's points; its line joins those that none of the same method beats.
ChartSeries series_of(const SweepReport& report, const std::string& method, size_t style,
                      const std::vector<std::string>& shapes) {
  ChartSeries series;
  series.name = method;
  series.style = style;
  std::vector<SweepPoint> points;
  for (const SweepPoint& point : report.points)
    if (point.method == method) points.push_back(point);
  for (const size_t index : pareto_front(trades_of(points)))
    series.line.emplace_back(points[index].bits_per_weight, points[index].kl);
  for (const SweepPoint& point : points) {
    ChartMark mark;
    mark.x = point.bits_per_weight;
    mark.y = point.kl;
    mark.shape = static_cast<size_t>(std::find(shapes.begin(), shapes.end(), point.granularity) - shapes.begin());
    mark.told = told_point(point);
    series.marks.push_back(std::move(mark));
  }
  return series;
}

Chart chart_over_bits(std::string id, std::string title, std::string y_title) {
  Chart chart;
  chart.id = std::move(id);
  chart.title = std::move(title);
  chart.x_title = "bits per weight, everything counted";
  chart.y_title = std::move(y_title);
  chart.log_y = true;
  return chart;
}

void note_knee(const SweepReport& report, Chart& chart) {
  if (report.knees.empty()) return;
  const SweepPoint& at = report.points[report.knees[0].knee.at];
  chart.notes.push_back({at.bits_per_weight, "knee: " + at.name});
}

}  // namespace

Chart surface_chart(const SweepReport& report) {
  Chart chart =
      chart_over_bits("surface", "Divergence from the float model against bits per weight", "mean KL, nats per token");
  for (const SweepPoint& point : report.points)
    if (std::find(chart.shapes.begin(), chart.shapes.end(), point.granularity) == chart.shapes.end())
      chart.shapes.push_back(point.granularity);
  for (size_t i = 0; i < report.grid.methods.size(); ++i)
    chart.series.push_back(series_of(report, report.grid.methods[i], i, chart.shapes));
  note_knee(report, chart);
  chart.description = fmt::format("{} points, one line per method through those that no other of the method beats. {}",
                                  report.points.size(), report.conclusions.empty() ? "" : report.conclusions[0]);
  return chart;
}

Chart tail_chart(const SweepReport& report) {
  Chart chart = chart_over_bits("tails", "Mean and tails of the divergence along the front", "KL, nats per token");
  const auto add = [&](const char* name, size_t style, auto value_of) {
    ChartSeries series;
    series.name = name;
    series.style = style;
    for (const size_t index : report.front) {
      const SweepPoint& point = report.points[index];
      const std::optional<double> value = value_of(point);
      if (!value) continue;
      ChartMark mark;
      mark.x = point.bits_per_weight;
      mark.y = *value;
      mark.told = fmt::format("{}: {} {}", point.name, name, nats_text(*value));
      series.marks.push_back(std::move(mark));
      series.line.emplace_back(point.bits_per_weight, *value);
    }
    if (!series.marks.empty()) chart.series.push_back(std::move(series));
  };
  add("99.9th percentile", 2, [](const SweepPoint& point) { return point.kl_p999; });
  add("99th percentile", 1, [](const SweepPoint& point) { return point.kl_p99; });
  add("mean", 0, [](const SweepPoint& point) { return std::optional(point.kl); });
  note_knee(report, chart);
  chart.description =
      fmt::format("{} points of the front: mean KL per token and, where there are tokens enough, its percentiles.",
                  report.front.size());
  return chart;
}

}  // namespace halftone::page
