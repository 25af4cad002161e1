// SPDX-License-Identifier: Apache-2.0
#include "cli/quantize_sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/atomic_write.h"
#include "base/units.h"
#include "cli/table.h"
#include "ship/sweep/conclude.h"

namespace halftone::cli {

namespace {

constexpr size_t kConclusionsShown = 3;

// One row per layout, one column of KL per method.
std::string surface_table(const SweepReport& report, bool colour) {
  std::vector<std::string> headers = {"layout", ">bits/weight", ">bytes"};
  for (const std::string& method : report.grid.methods) headers.push_back(">KL " + method);
  Table table(headers);
  std::vector<std::string> layouts;
  std::map<std::pair<std::string, std::string>, size_t> place;
  for (size_t i = 0; i < report.points.size(); ++i) {
    const SweepPoint& point = report.points[i];
    if (std::find(layouts.begin(), layouts.end(), point.layout) == layouts.end()) layouts.push_back(point.layout);
    place[{point.layout, point.method}] = i;
  }
  for (const std::string& layout : layouts) {
    std::vector<Table::Cell> cells(3);
    cells[0].text = layout;
    for (const std::string& method : report.grid.methods) {
      const auto at = place.find({layout, method});
      if (at == place.end()) {
        cells.push_back({"-"});
        continue;
      }
      const SweepPoint& point = report.points[at->second];
      cells[1].text = fmt::format("{:.2f}", point.bits_per_weight);
      cells[2].text = format_bytes(point.bytes);
      const bool front = std::find(report.front.begin(), report.front.end(), at->second) != report.front.end();
      const bool knee = !report.knees.empty() && report.knees[0].knee.at == at->second;
      cells.push_back({(knee    ? "knee "
                        : front ? "* "
                                : "") +
                           nats_text(point.kl),
                       front ? Colour::bold : Colour::none});
    }
    table.row(std::move(cells));
  }
  return table.render(colour);
}

}  // namespace

void add_sweep(CLI::App* verb, SweepArguments& arguments) {
  CLI::Option* sweep = verb->add_flag("--sweep", arguments.wanted,
                                      "bits x granularity x method: where this model falls off, which tensors make it "
                                      "fall, and what moves it; -o is a folder of results");
  for (const char* other : {"--recipe", "--held-out", "--replace"}) sweep->excludes(verb->get_option(other));
  SweepOptions& options = arguments.options;
  const auto list = [&](const char* name, auto& value, const char* what) {
    verb->add_option(name, value, what)->delimiter(',')->capture_default_str()->needs(sweep);
  };
  list("--bits", options.grid.bits, "of a sweep: bits of a code");
  list("--granularity", options.grid.granularities, "of a sweep: what layouts are called after their bits");
  list("--methods", options.grid.methods, "of a sweep: methods, and tuned (gptq, then tuned)");
  verb->add_option(
          "--suite", options.suites,
          "of a sweep: YAML file of task divergence, or divergence:FILE.txt [a tenth of the calibration, held out]")
      ->needs(sweep);
  verb->add_option("--windows", options.windows, "of a sweep: how many of each suite are judged; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30))
      ->capture_default_str()
      ->needs(sweep);
  verb->add_flag("--keep", options.keep, "of a sweep: every point's artifact stays in points/")->needs(sweep);
  verb->add_flag("--surface-only", arguments.surface_only, "of a sweep: no causes and alternatives at the knees")
      ->needs(sweep);
}

Result<int> run_sweep(Shell& shell, const std::string& model, const std::string& output,
                      const CalibrationArguments& calibration, const SweepArguments& arguments) {
  SweepOptions options = arguments.options;
  options.model = model;
  options.output = output;
  options.calibration = calibration.file;
  options.calibration_options = calibration.options;
  options.explain = !arguments.surface_only;
  options.threads = shell.threads;
  options.on_point = [&](const SweepPoint& point, size_t done, size_t total, bool again) {
    shell.note(
        fmt::format("{:>3}/{} {:<28} {:5.2f} bits  KL {:<9} {}", done, total, point.name, point.bits_per_weight,
                    nats_text(point.kl),
                    again ? format_seconds(point.quantize_seconds + point.judge_seconds) : "as measured before"));
  };
  HALFTONE_ASSIGN(const SweepReport report, sweep(options, shell.progress()));
  shell.progress().end();
  shell.print(surface_table(report, shell.colour()));
  for (const LeftOut& one : report.left_out) shell.print(fmt::format("left out: {}: {}\n", one.what, one.why));
  shell.print("\n");
  for (size_t i = 0; i < std::min(kConclusionsShown, report.conclusions.size()); ++i)
    shell.print(fmt::format("=> {}\n", report.conclusions[i]));
  shell.print(fmt::format("wrote {}/sweep.html and sweep.json: {} points judged on {} tokens, {} measured now, in {}\n",
                          output, report.points.size(), format_count(report.judged.tokens), report.measured,
                          format_seconds(report.seconds)));
  if (shell.json.empty()) return kDone;
  HALFTONE_ASSIGN(const std::string written, read_text_file(options.output / "sweep.json"));
  HALFTONE_TRY(shell.write_document(nlohmann::ordered_json::parse(written)));
  return kDone;
}

}  // namespace halftone::cli
