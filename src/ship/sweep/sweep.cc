// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/sweep.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "ship/envelope.h"
#include "ship/sweep/conclude.h"
#include "ship/sweep/knees.h"
#include "ship/sweep/page/sweep_page.h"
#include "ship/sweep/run.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

Json settings_of(const SweepOptions& options, const SweepReport& report) {
  return {{"model", options.model.string()},
          {"output", options.output.string()},
          {"calibration", report.calibration},
          {"suites", options.suites},
          {"windows", options.windows},
          {"bits", options.grid.bits},
          {"granularity", options.grid.granularities},
          {"methods", options.grid.methods},
          {"keep", options.keep},
          {"explain", options.explain},
          {"activations", "exact"}};
}

std::string model_name(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::weakly_canonical(path, error).filename().string();
}

}  // namespace

Result<std::unique_ptr<SweepRun>> SweepRun::create(const SweepOptions& options, Progress& progress) {
  HALFTONE_ASSIGN(SweepGrid grid, make_grid(options.grid));
  if (options.windows < 0) return invalid_input("[sweep] --windows: expected 0 (all) or more, got {}", options.windows);
  for (const GridPoint& point : grid.points)
    if (point.uses_data() && options.calibration.empty())
      return invalid_input(
          "[sweep] {}: method {} chooses numbers by what the model computes on real text; expected --calibration FILE, "
          "got none",
          point.name, point.method);
  HALFTONE_TRY(check_sweep_folder(options.output));
  HALFTONE_ASSIGN(std::unique_ptr<SweepJudge> judge, SweepJudge::create(options, progress));
  HALFTONE_ASSIGN(SweepStore store, SweepStore::open(options.output, options.keep));
  std::unique_ptr<SweepRun> run(new SweepRun(options, progress, std::move(store), std::move(judge)));
  SweepReport& report = run->report;
  report.model = model_name(options.model);
  report.source_sha256 = run->judge->source_sha256();
  report.family = run->judge->model().config.family;
  report.source_bytes = run->judge->model().file.bytes_on_disk;
  report.calibration = run->judge->calibration_json();
  report.judged = run->judge->judged();
  report.grid = options.grid;
  report.left_out = std::move(grid.left_out);
  run->grid_ = std::move(grid.points);
  return run;
}

Result<std::optional<SweepPoint>> SweepRun::obtain(const GridPoint& wanted, size_t done, size_t total) {
  HALFTONE_ASSIGN(std::optional<SweepPoint> found, store.find(wanted.name, judge->key_of(wanted)));
  const bool again = !found.has_value();
  if (again) {
    auto measured = judge->measure(wanted, store.artifact(wanted.name));
    store.discard_artifact(wanted.name);
    progress.end();
    if (!measured.ok() && measured.status().code() == StatusCode::unsupported) {
      report.left_out.push_back({wanted.name, std::string(measured.status().message())});
      return std::optional<SweepPoint>();
    }
    if (!measured.ok()) return measured.status();
    HALFTONE_TRY(store.save(*measured));
    found = *std::move(measured);
  }
  ++(again ? report.measured : report.resumed);
  if (options.on_point) options.on_point(*found, done, total, again);
  return found;
}

Status SweepRun::write_state() const {
  Json document = make_envelope("quantize", settings_of(options, report), to_json(report));
  return store.write("sweep.json", document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

Status SweepRun::measure_grid() {
  HALFTONE_TRY(write_state());
  for (size_t i = 0; i < grid_.size(); ++i) {
    HALFTONE_ASSIGN(std::optional<SweepPoint> point, obtain(grid_[i], i + 1, grid_.size()));
    if (point) report.points.push_back(*std::move(point));
    HALFTONE_TRY(write_state());
  }
  if (report.points.empty()) return invalid_input("[sweep] expected at least one point that can be made, got none");
  return {};
}

Result<SweepReport> sweep(const SweepOptions& options, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  HALFTONE_ASSIGN(const std::unique_ptr<SweepRun> run, SweepRun::create(options, progress));
  HALFTONE_TRY(run->measure_grid());
  SweepReport& report = run->report;
  report.front = pareto_front(trades_of(report.points));
  HALFTONE_TRY(find_knees(*run));
  report.conclusions = conclude(report);
  report.complete = true;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  HALFTONE_TRY(run->write_state());
  HALFTONE_TRY(run->store.write("sweep.html", render_sweep_page(report)));
  return std::move(report);
}

}  // namespace halftone
