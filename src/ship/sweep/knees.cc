// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/knees.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ship/sweep/causes.h"

namespace halftone {
namespace {

bool equal_bytes(int64_t bytes, int64_t to) {
  return std::abs(static_cast<double>(bytes) / static_cast<double>(to) - 1) <= kEqualBytes;
}

// Indices into all points of those that a curve has.
std::optional<Knee> knee_of(const std::vector<SweepPoint>& points, const std::string& method) {
  std::vector<SweepPoint> part;
  std::vector<size_t> place;
  for (size_t i = 0; i < points.size(); ++i) {
    if (!method.empty() && points[i].method != method) continue;
    part.push_back(points[i]);
    place.push_back(i);
  }
  std::optional<Knee> knee = find_knee(trades_of(part));
  if (knee) {
    knee->at = place[knee->at];
    knee->beyond = place[knee->beyond];
  }
  return knee;
}

std::vector<std::string_view> methods_for(const Layout& layout, bool own, bool data) {
  std::vector<std::string_view> wanted;
  if (own)
    wanted = {"search", "kmeans"};
  else if (!data)
    wanted = {layout.is_palette() ? "kmeans" : "search"};
  if (data) wanted.push_back("gptq");
  if (data && own) wanted.push_back(kTunedMethod);
  std::erase_if(wanted, [&](std::string_view method) { return !method_fills(method, layout); });
  return wanted;
}

Status measure_alternatives(SweepRun& run, std::vector<SweepPoint>& known, const SweepPoint& beyond) {
  HALFTONE_ASSIGN(const std::vector<GridPoint> wanted, alternatives_to(beyond, known, *run.judge));
  for (size_t i = 0; i < wanted.size(); ++i) {
    HALFTONE_ASSIGN(std::optional<SweepPoint> point, run.obtain(wanted[i], i + 1, wanted.size()));
    if (point) known.push_back(*std::move(point));
  }
  return {};
}

void add_alternatives(const std::vector<SweepPoint>& known, const SweepPoint& beyond, KneeReport& knee) {
  for (const SweepPoint& point : known)
    if (point.name != beyond.name && equal_bytes(point.bytes, beyond.bytes))
      knee.alternatives.push_back({point, beyond.kl / std::max(point.kl, kLeastLoss)});
  std::stable_sort(knee.alternatives.begin(), knee.alternatives.end(),
                   [](const SweepAlternative& a, const SweepAlternative& b) { return a.point.kl < b.point.kl; });
}

}  // namespace

std::vector<Trade> trades_of(std::span<const SweepPoint> points) {
  std::vector<Trade> trades;
  for (const SweepPoint& point : points) trades.push_back({point.bytes, point.bits_per_weight, point.kl});
  return trades;
}

Result<std::vector<GridPoint>> alternatives_to(const SweepPoint& beyond, std::span<const SweepPoint> known,
                                               const SweepJudge& judge) {
  HALFTONE_ASSIGN(const int64_t bytes, judge.bytes_in(*find_layout(beyond.layout)));
  std::vector<GridPoint> wanted;
  for (const Layout* layout : all_layouts()) {
    if (layout->is_float() || (layout->is_palette() && granularity_of(*layout) != "group16")) continue;
    HALFTONE_ASSIGN(const int64_t other, judge.bytes_in(*layout));
    if (!equal_bytes(other, bytes)) continue;
    for (const std::string_view method : methods_for(*layout, layout->name == beyond.layout, judge.has_calibration())) {
      GridPoint point = grid_point(*layout, method);
      const auto same = [&](const SweepPoint& one) { return one.name == point.name; };
      if (std::none_of(known.begin(), known.end(), same)) wanted.push_back(std::move(point));
    }
  }
  return wanted;
}

Status find_knees(SweepRun& run) {
  SweepReport& report = run.report;
  std::vector<std::string> curves = {""};
  if (report.grid.methods.size() > 1)
    curves.insert(curves.end(), report.grid.methods.begin(), report.grid.methods.end());
  for (const std::string& method : curves) {
    const std::optional<Knee> knee = knee_of(report.points, method);
    if (!knee) continue;
    if (!report.knees.empty() && report.knees[0].knee.at == knee->at && report.knees[0].knee.beyond == knee->beyond)
      continue;  // said already
    KneeReport one;
    one.curve = method.empty() ? "all methods" : method;
    one.knee = *knee;
    report.knees.push_back(std::move(one));
  }
  std::vector<SweepPoint> known = report.points;
  for (KneeReport& knee : report.knees) {
    const SweepPoint& beyond = report.points[knee.knee.beyond];
    if (run.options.explain) HALFTONE_TRY(measure_alternatives(run, known, beyond));
    add_alternatives(known, beyond, knee);
    if (run.options.explain) HALFTONE_TRY(add_causes(run, knee));
    HALFTONE_TRY(run.write_state());
  }
  return {};
}

}  // namespace halftone
