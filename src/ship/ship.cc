// SPDX-License-Identifier: Apache-2.0
#include "ship/ship.h"

#include "base/atomic_write.h"
#include "base/error.h"
#include "ship/job.h"

namespace halftone {

namespace {

namespace fs = std::filesystem;

Status move_files(const fs::path& from, const fs::path& to) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(from, error)) {
    fs::rename(entry.path(), to / entry.path().filename(), error);
    if (error) break;
  }
  if (error)
    return io_error("[ship] {}: expected to move the artifact's files there, got: {}", to.string(), error.message());
  return {};
}

Result<ShipOutcome> publish(const ShipJob& job) {
  ShipOutcome outcome;
  outcome.verdict = verdict_of(job);
  const bool ships = outcome.verdict == Verdict::pass;
  fs::path target = job.output;
  if (!ships) target.replace_extension(".evidence");
  HALFTONE_ASSIGN(AtomicFolder folder, AtomicFolder::create(target, job.options.replace));
  HALFTONE_ASSIGN(outcome.report, write_evidence(job, ships ? folder.path() / "evidence" : folder.path()));
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
  // Never committed: it goes with everything in it, also when we are killed (the next run removes it then).
  const fs::path work_name = job.output.filename().string() + ".work";
  HALFTONE_ASSIGN(const AtomicFolder work, AtomicFolder::create(job.output.parent_path() / work_name, true));
  HALFTONE_TRY(make_candidates(job, work.path()));
  HALFTONE_TRY(measure_candidates(job));
  HALFTONE_TRY(score_and_decide(job, work.path()));
  return publish(job);
}

}  // namespace halftone
