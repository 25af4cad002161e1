// SPDX-License-Identifier: Apache-2.0
#include "cli/ship_table.h"

#include <fmt/format.h>

#include "base/units.h"
#include "cli/figures.h"
#include "ship/labels.h"

namespace halftone::cli {

namespace {

using Json = nlohmann::ordered_json;

const Json* find_check(const Json& quality, const Json& wanted) {
  const std::string slice =
      wanted["slice_column"].get<std::string>().empty()
          ? ""
          : wanted["slice_column"].get<std::string>() + "=" + wanted["slice_value"].get<std::string>();
  for (const Json& check : quality["gate"]["checks"])
    if (check["metric"] == wanted["metric"] && check["slice"] == slice) return &check;
  return nullptr;
}

// A check of what the second column says already.
bool repeats_score(const Json& check, const std::string& metric) {
  const std::string name(metric_style(metric).key);
  return check["slice_column"].get<std::string>().empty() &&
         (check["metric"] == name || check["metric"] == name + ".loss");
}

std::string score_cell(const Json& results, const Json& candidate, const std::string& metric) {
  if (!candidate.contains("quality")) {
    if (!candidate["reference"].get<bool>() || !metric_style(metric).own_value) return "";
    for (const Json& other : results["candidates"])
      if (other.contains("quality")) return share(other["quality"]["metrics"][metric]["reference"]);
    return "";
  }
  return change_cell(metric, candidate["quality"]["metrics"][metric]);
}

std::string candidates(const Json& results, bool colour) {
  const std::string metric = results["primary_metric"];
  std::vector<std::string> headers = {"recipe", ">MB",
                                      metric_style(metric).own_value
                                          ? ">points vs float [95 %]"
                                          : ">" + std::string(metric_style(metric).label) + " [95 %]"};
  if (metric_style(metric).unit == "nats") headers[2] = ">nats vs float [95 %]";
  std::vector<const Json*> checks;
  for (const Json& check : results["gate"]["checks"]) {
    if (repeats_score(check, metric) || check["metric"] == "bytes") continue;
    checks.push_back(&check);
    headers.push_back(">" + check["label"].get<std::string>());
  }
  const SpeedStyle speed = speed_style(results["candidates"][0]);
  headers.insert(headers.end(), {fmt::format(">{} {}", speed.name, speed.unit), ">memory", "verdict"});
  Table table(headers);
  const Json& winner = results["decision"]["winner"];
  for (const Json& candidate : results["candidates"]) {
    const std::string verdict = candidate["verdict"];
    std::vector<Table::Cell> row = {
        {candidate["name"], Colour::bold}, {megabytes(candidate["bytes"])}, {score_cell(results, candidate, metric)}};
    for (const Json* wanted : checks) {
      const Json* check = candidate.contains("quality") ? find_check(candidate["quality"], *wanted) : nullptr;
      row.push_back(check ? Table::Cell{check_value(*check), verdict_colour((*check)["verdict"].get<std::string>())}
                          : Table::Cell{});
    }
    row.push_back({rate(halftone::speed_of(candidate))});
    row.push_back({format_bytes(candidate["speed"]["memory"]["weights_bytes"].get<int64_t>() +
                                candidate["speed"]["memory"]["peak_private_bytes"].get<int64_t>())});
    row.push_back({candidate["name"] == winner ? verdict + ", smallest"
                   : verdict == "fail"         ? "FAIL"
                                               : verdict,
                   verdict_colour(verdict)});
    table.row(std::move(row));
  }
  return table.render(colour);
}

std::string reasons(const Json& results) {
  std::string out;
  for (const Json& candidate : results["candidates"])
    if (!candidate["reference"].get<bool>() && candidate["name"] != results["decision"]["winner"])
      out += fmt::format("{}: {}\n", candidate["name"].get<std::string>(), candidate["reason"].get<std::string>());
  return out;
}

std::string sealed(const Json& results, bool colour) {
  const Json& confirm = results["confirm"];
  if (!confirm["opened"].get<bool>()) return confirm["why"].get<std::string>() + "\n";
  const std::string metric = results["primary_metric"];
  const Json& row = confirm["quality"]["metrics"][metric];
  const std::string verdict = confirm["quality"]["gate"]["verdict"];
  return fmt::format("Sealed {} {}, opened once: {} {}  {}\n", format_count(row["n"].get<int64_t>()),
                     row["n_unit"].get<std::string>(), confirm["candidate"].get<std::string>(),
                     change_cell(metric, row),
                     paint(verdict == "pass"   ? "PASS"
                           : verdict == "fail" ? "FAIL"
                                               : verdict,
                           verdict_colour(verdict), colour));
}

// The winner's worst sample, or that of the last candidate tested.
std::string worst(const Json& results) {
  const Json* shown = nullptr;
  for (const Json& candidate : results["candidates"]) {
    if (!candidate.contains("quality") || candidate["quality"]["worst"].empty()) continue;
    shown = &candidate;
    if (candidate["name"] == results["decision"]["winner"]) break;
  }
  return shown == nullptr ? ""
                          : fmt::format("Worst of {}: {}\n", (*shown)["name"].get<std::string>(),
                                        worst_line((*shown)["quality"]["worst"][0]));
}

}  // namespace

Colour verdict_colour(std::string_view verdict) {
  if (verdict == "pass") return Colour::green;
  if (verdict == "fail" || verdict == "over budget") return Colour::red;
  return verdict == "inconclusive" ? Colour::yellow : Colour::dim;
}

std::string worst_line(const Json& worst) {
  const auto visible = [&](const char* who) {
    std::string text;
    for (char c : worst[who].get<std::string>()) text += c == '\n' ? std::string("\\n") : std::string(1, c);
    return text;
  };
  const auto said = [&](const char* who) {
    const std::string key = std::string(who) + "_probability";
    return worst.contains(key) ? fmt::format("{} {:.2f}", visible(who), worst[key].get<double>())
                               : fmt::format("\"{}\"", visible(who));
  };
  std::string text = worst["text"];
  for (char& c : text)
    if (c == '\n') c = ' ';
  if (text.size() > 150) text = "..." + text.substr(text.find(' ', text.size() - 140) + 1);
  return fmt::format("\"{}\"  float {}, candidate {}", text, said("reference"), said("candidate"));
}

std::string ship_table(const Json& report, bool colour) {
  const Json& results = report.at("results");
  return candidates(results, colour) + reasons(results) + "\n" + sealed(results, colour) + worst(results);
}

}  // namespace halftone::cli
