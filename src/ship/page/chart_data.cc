// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/units.h"
#include "ship/page/sections.h"

namespace halftone::page {

namespace {

double scale_of(std::string_view metric) { return metric_style(metric).unit == "fraction" ? 100 : 1; }

// Candidates that no other beats on both bytes and tail.
bool on_frontier(const Json& report, const Json& candidate, const std::string& tail_path) {
  const double tail = number(candidate, tail_path);
  const auto bytes = integer(candidate, "bytes");
  for (const Json& other : at(report, "results/candidates")) {
    const double other_tail = flag(other, "reference") ? 0 : number(other, tail_path);
    const auto other_bytes = integer(other, "bytes");
    if (std::isfinite(other_tail) && other_tail <= tail && other_bytes <= bytes &&
        (other_tail < tail || other_bytes < bytes))
      return false;
  }
  return true;
}

void add_tradeoff(const Json& report, Json& out) {
  const std::string metric = tail_metric(report), path = "quality/tails/" + metric + "/p99";
  std::set<std::string> present;
  double top = 0, fastest = 0, largest = 0;
  for (const Json& candidate : at(report, "results/candidates"))
    largest = std::max(largest, static_cast<double>(integer(candidate, "bytes")));
  out["tail_title"] = fmt::format("{}, p99", tail_label(metric));
  out["tail_format"] = scale_of(metric) == 100 ? "~%" : "~g";
  Json points = Json::array();
  for (const Json& candidate : at(report, "results/candidates")) {
    const bool base = flag(candidate, "reference");
    const double tail = base ? 0 : number(candidate, path);
    if (!std::isfinite(tail)) continue;
    const double decode = speed_of(candidate);
    top = std::max(top, tail);
    if (std::isfinite(decode)) fastest = std::max(fastest, decode);
    static const std::set<std::string> kKnown = {"reference", "pass", "inconclusive", "fail"};
    const std::string verdict = kKnown.count(text(candidate, "verdict")) ? text(candidate, "verdict") : "other";
    present.insert(verdict);
    points.push_back({{"name", text(candidate, "name")},
                      {"bytes_mb", static_cast<double>(integer(candidate, "bytes")) / 1e6},
                      {"bytes_text", bytes_text(integer(candidate, "bytes"))},
                      {"tail", std::max(tail, 0.0)},
                      {"tail_text", value_text(metric, tail)},
                      {"decode", std::isfinite(decode) ? decode : 0},
                      {"decode_text", fmt::format("{} {}", rate_text(decode), speed_style(candidate).unit)},
                      {"verdict", verdict},
                      {"frontier", on_frontier(report, candidate, path)},
                      {"right_half", static_cast<double>(integer(candidate, "bytes")) > 0.6 * largest}});
  }
  out["tradeoff"] = std::move(points);
  out["tail_top"] = std::max(top * 1.25, 0.02);
  out["tail_ticks"] = Json::array();
  for (double tick : {0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0})
    if (tick <= std::max(top * 1.25, 0.02)) out["tail_ticks"].push_back(tick);
  const double step = fastest > 0 ? std::pow(10, std::floor(std::log10(fastest))) : 1;
  out["decode_ticks"] = {step / 2, step, std::max(std::floor(fastest / step), 2.0) * step};
  const SpeedStyle speed = speed_style(reference(report));
  out["speed_title"] = speed.name == "decode" ? "Decode, tokens/s" : fmt::format("Speed, {}", speed.unit);
  out["verdicts_present"] = present;
}

// The gate's limit on the loss, as the change that it allows; NaN when the gate has none.
double gate_limit(const Json& quality, const std::string& metric, const std::string& slice) {
  const std::string loss = std::string(metric_style(metric).key) + ".loss";
  for (const Json& check : at(quality, "gate/checks"))
    if (text(check, "metric") == loss && text(check, "slice") == slice)
      return number(check, "limit") * (text(check, "unit") == "fraction" ? 1 : 0.01);
  return std::nan("");
}

void add_forest(const Json& report, Json& out) {
  const std::string metric = primary_metric(report);
  const double scale = scale_of(metric);
  std::vector<std::string> rows;
  Json points = Json::array();
  const auto add = [&](const Json& candidate, const std::string& row, const std::string& slice, const Json& result,
                       bool first) {
    if (!std::isfinite(number(result, "delta"))) return;
    if (std::find(rows.begin(), rows.end(), row) == rows.end()) rows.push_back(row);
    const double limit = gate_limit(at(candidate, "quality"), metric, slice);
    points.push_back({{"name", text(candidate, "name")},
                      {"row", row},
                      {"delta", number(result, "delta") * scale},
                      {"low", number(result, "low") * scale},
                      {"high", number(result, "high") * scale},
                      {"n", integer(result, "n")},
                      {"first", first},
                      {"text", row_text(metric, result)},
                      {"limit", std::isfinite(limit) ? Json(-limit * scale) : Json()},
                      {"limit_text", std::isfinite(limit) ? fmt::format("loss of {:.1f} points", limit * scale) : ""}});
  };
  bool first = true;
  double low = -scale / 100, high = scale / 100;  // the axis shows every interval, and a little on both sides
  for (const Json& candidate : at(report, "results/candidates")) {
    const Json& quality = at(candidate, "quality");
    if (quality.is_null()) continue;
    add(candidate, "all", "", at(quality, "metrics/" + metric), first);
    for (const Json& slice : at(quality, "slices")) {
      const std::string name = text(slice, "column") + "=" + text(slice, "value");
      add(candidate, name, name, slice, first);
    }
    first = false;
  }
  for (const Json& point : points) {
    low = std::min({low, point["low"].get<double>(), point["limit"].is_number() ? point["limit"].get<double>() : 0});
    high = std::max(high, point["high"].get<double>());
  }
  out["forest_domain"] = {low * 1.25, high * 1.25};
  out["forest"] = std::move(points);
  out["forest_rows"] = rows;
  out["forest_title"] = scale == 100 ? "Change, points" : std::string(metric_style(metric).label) + ", change";
  out["forest_constant"] = scale == 100 ? 1.0 : 0.01;
  out["forest_ticks"] = scale == 100 ? Json({-80, -40, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 40}) : Json();
  out["forest_format"] = scale == 100 ? "+d" : "~g";
}

void add_tail(const Json& report, Json& out) {
  const std::string metric = tail_metric(report);
  double least = 0.5;
  Json points = Json::array();
  for (const Json& candidate : at(report, "results/candidates")) {
    const Json& curve = at(candidate, "quality/distribution/" + metric);
    const Json& ranks = at(curve, "ranks");
    const Json& values = at(curve, "values");
    const double n = number(curve, "n");
    if (n > 0) least = std::min(least, 0.7 / n);
    for (size_t i = 0; i < ranks.size() && i < values.size(); ++i)
      if (values[i].is_number() && values[i].get<double>() > 0.0005)
        points.push_back(
            {{"name", text(candidate, "name")}, {"value", values[i]}, {"share", ranks[i].get<double>() / n}});
  }
  out["tail"] = std::move(points);
  out["tail_least_share"] = least;
  out["tail_axis"] = std::string(tail_label(metric));
}

void add_memory(const Json& report, Json& out) {
  Json bars = Json::array(), names = Json::array();
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"weights, mapped", "weights_bytes"}, {"cache", "kv_bytes"}, {"scratch", "scratch_bytes"}};
  for (const Json& candidate : at(report, "results/candidates")) {
    const Json& memory = at(candidate, "speed/memory");
    if (memory.is_null()) continue;
    names.push_back(text(candidate, "name"));
    for (size_t rank = 0; rank < kinds.size(); ++rank) {
      const int64_t bytes = integer(memory, kinds[rank].second);
      bars.push_back({{"name", text(candidate, "name")},
                      {"kind", kinds[rank].first},
                      {"rank", rank},
                      {"mb", static_cast<double>(bytes) / 1e6},
                      {"text", bytes_text(bytes)}});
    }
  }
  out["memory"] = std::move(bars);
  out["memory_names"] = std::move(names);
  out["memory_kinds"] = {kinds[0].first, kinds[1].first, kinds[2].first};
}

// "model.layers.3.mlp.down_proj.weight": layer 3, kind "mlp.down_proj". Tensors outside the layers are in the table
// only.
void add_tensors(const Json& report, Json& out) {
  Json cells = Json::array();
  std::vector<std::string> kinds;
  for (const Json& tensor : at(winner(report), "tensors")) {
    const std::string name = text(tensor, "name");
    static constexpr std::string_view kPrefix = "model.layers.";
    const double error = number(tensor, "relative_rms_error");
    if (name.compare(0, kPrefix.size(), kPrefix) != 0 || !(error > 0)) continue;
    const size_t dot = name.find('.', kPrefix.size());
    if (dot == std::string::npos) continue;
    std::string kind = name.substr(dot + 1);
    if (const size_t end = kind.rfind(".weight"); end != std::string::npos) kind.resize(end);
    if (const size_t inner = kind.find('.'); inner != std::string::npos) kind = kind.substr(inner + 1);
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
    cells.push_back({{"name", name},
                     {"layer", std::atoi(name.substr(kPrefix.size(), dot).c_str())},
                     {"kind", kind},
                     {"error", error},
                     {"layout", text(tensor, "layout")}});
  }
  out["tensors"] = std::move(cells);
  out["tensor_kinds"] = kinds;
}

}  // namespace

Json chart_data(const Json& report) {
  Json out;
  Json names = Json::array();
  for (const Json& candidate : at(report, "results/candidates"))
    if (!at(candidate, "quality").is_null()) names.push_back(text(candidate, "name"));
  out["candidates"] = std::move(names);
  add_tradeoff(report, out);
  add_forest(report, out);
  add_tail(report, out);
  add_memory(report, out);
  add_tensors(report, out);
  return out;
}

}  // namespace halftone::page
