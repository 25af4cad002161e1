// SPDX-License-Identifier: Apache-2.0
#include "ship/ship.h"

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/hash.h"
#include "ship/job.h"
#include "ship/page/page.h"
#include "ship/work_folder.h"

namespace halftone {

namespace {

namespace fs = std::filesystem;

std::string all_records(const ShipJob& job) {
  std::string text;
  for (const ShipCandidate& candidate : job.candidates) text += format_records(candidate.records);
  return text + format_records(job.confirm_records);
}

Status write_evidence(const fs::path& folder, const nlohmann::ordered_json& report, const std::string& samples, const fs::path& fixed) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::copy_file(fixed, folder / "fixed.json", error);
  if (error) return io_error("[ship] {}: expected to write evidence there, got: {}; free some space", folder.string(), error.message());
  HALFTONE_TRY(write_file_atomic(folder / "samples.jsonl", samples));
  HALFTONE_TRY(write_file_atomic(folder / "report.json", report.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n"));
  return write_file_atomic(folder / "report.html", render_page(report));
}

Status move_files(const fs::path& from, const fs::path& to) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(from, error)) {
    fs::rename(entry.path(), to / entry.path().filename(), error);
    if (error) break;
  }
  if (error) return io_error("[ship] {}: expected to move the artifact's files there, got: {}", to.string(), error.message());
  return {};
}

Result<ShipOutcome> publish(const ShipJob& job, const fs::path& work) {
  const std::string samples = all_records(job);
  ShipOutcome outcome;
  outcome.verdict = verdict_of(job);
  outcome.report = report_of(job, sha256_hex(samples));
  const bool ships = outcome.verdict == Verdict::pass;
  fs::path target = job.output;
  if (!ships) target.replace_extension(".evidence");
  HALFTONE_ASSIGN(AtomicFolder folder, AtomicFolder::create(target, job.options.replace));
  HALFTONE_TRY(write_evidence(ships ? folder.path() / "evidence" : folder.path(), outcome.report, samples, work / "fixed.json"));
  if (ships) HALFTONE_TRY(move_files(job.candidates[*job.decision.winner].path, folder.path()));
  HALFTONE_TRY(folder.commit());
  if (ships) outcome.artifact = target;
  outcome.evidence = ships ? target / "evidence" : target;
  return outcome;
}

}  // namespace

Result<ShipOutcome> ship(const ShipOptions& options, Progress& progress) {
  ShipJob job{options, progress, {}, {}, {}, {}, {}, {}, {}, false, 0, {}, {}, {}, {}, {}, {}};
  HALFTONE_TRY(read_inputs(job));
  HALFTONE_ASSIGN(const WorkFolder work, WorkFolder::create(job.output));
  HALFTONE_TRY(make_candidates(job, work.path()));
  HALFTONE_TRY(measure_candidates(job));
  HALFTONE_TRY(score_and_decide(job, work.path()));
  return publish(job, work.path());
}

}  // namespace halftone
