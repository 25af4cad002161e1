// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/atomic_write.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/units.h"
#include "base/version.h"
#include "quantize/calibration/leakage.h"
#include "ship/job.h"
#include "validate/subject.h"

namespace halftone {

namespace {

using Json = nlohmann::ordered_json;

Result<OpenSubject> open(const ShipJob& job, const std::filesystem::path& path) {
  return open_subject(path, job.options.speed.threads, job.options.speed.activations);
}

Result<std::vector<PreparedSuite>> prepare_all(const ShipJob& job, Subject& reference, Split split) {
  std::vector<PreparedSuite> prepared;
  for (const Suite& suite : job.suites) {
    HALFTONE_ASSIGN(PreparedSuite one, prepare_suite(suite, reference, split));
    prepared.push_back(std::move(one));
  }
  return prepared;
}

void append(const std::vector<int>& tokens, Sequences& to) {
  to.begins.push_back(to.size());
  to.tokens.insert(to.tokens.end(), tokens.begin(), tokens.end());
}

int64_t samples_in(const std::vector<PreparedSuite>& suites) {
  return std::accumulate(suites.begin(), suites.end(), int64_t{0},
                         [](int64_t sum, const PreparedSuite& suite) { return sum + suite.originals(); });
}

Status prepare(ShipJob& job, Subject& reference) {
  HALFTONE_ASSIGN(job.decide, prepare_all(job, reference, Split::all));
  job.samples = samples_in(job.decide);
  job.split = job.samples >= kSplitSamples;
  if (!job.split) return {};
  HALFTONE_ASSIGN(job.decide, prepare_all(job, reference, Split::decide));
  HALFTONE_ASSIGN(job.confirm, prepare_all(job, reference, Split::confirm));
  return {};
}

Result<std::vector<SampleRecord>> score_all(const ShipJob& job, const std::vector<PreparedSuite>& prepared,
                                            Subject& reference, Subject& candidate, const std::string& name) {
  std::vector<SampleRecord> records;
  for (const PreparedSuite& suite : prepared) {
    HALFTONE_ASSIGN(std::vector<SampleRecord> part, score_candidate(suite, reference, candidate, name, job.progress));
    std::move(part.begin(), part.end(), std::back_inserter(records));
  }
  return records;
}

Status test(ShipJob& job, Subject& reference, ShipCandidate& candidate) {
  HALFTONE_ASSIGN(const OpenSubject opened, open(job, candidate.path));
  candidate.activations = opened.activations;
  HALFTONE_ASSIGN(candidate.records, score_all(job, job.decide, reference, *opened.subject, candidate.contender.name));
  CompareOptions options;
  options.facts = facts_of(candidate);
  HALFTONE_ASSIGN(candidate.comparison, compare(candidate.records, &job.gate, options));
  candidate.contender.fate = fate_of(candidate.comparison->gate->verdict);
  candidate.contender.why = why_not(*candidate.comparison->gate);
  return {};
}

// From most bytes to fewest. Small suites stop at the first that does not pass: later tests would use up what n can
// carry.
Status test_all(ShipJob& job, Subject& reference) {
  std::vector<ShipCandidate*> order;
  for (ShipCandidate& candidate : job.candidates)
    if (candidate.contender.fate != Fate::over_budget) order.push_back(&candidate);
  std::stable_sort(order.begin(), order.end(),
                   [](const ShipCandidate* a, const ShipCandidate* b) { return a->bytes > b->bytes; });
  const ShipCandidate* stopped = nullptr;
  for (ShipCandidate* candidate : order) {
    if (stopped != nullptr) {
      candidate->contender.why = fmt::format("not tested: {} before it did not pass, and {} samples carry no more",
                                             stopped->contender.name, format_count(job.samples));
      continue;
    }
    HALFTONE_TRY(test(job, reference, *candidate));
    if (!job.split && candidate->contender.fate != Fate::pass) stopped = candidate;
  }
  return {};
}

Status open_sealed(ShipJob& job, Subject& reference) {
  const ShipCandidate& winner = job.candidates[*job.decision.winner];
  for (PreparedSuite& suite : job.confirm) HALFTONE_TRY(score_reference(suite, reference, job.progress));
  HALFTONE_ASSIGN(const OpenSubject opened, open(job, winner.path));
  HALFTONE_ASSIGN(job.confirm_records, score_all(job, job.confirm, reference, *opened.subject, winner.contender.name));
  CompareOptions options;
  options.facts = facts_of(winner);
  HALFTONE_ASSIGN(job.confirm_comparison, compare(job.confirm_records, &job.gate, options));
  return {};
}

}  // namespace

Json fixed_of(const ShipJob& job) {
  Json checks = Json::array();
  for (const GateCheck& check : job.gate.checks) checks.push_back(describe(check));
  Json suites = Json::array();
  for (size_t i = 0; i < job.decide.size(); ++i) {
    const PreparedSuite& decide = job.decide[i];
    Json parts = Json::array();
    parts.push_back({{"split", std::string(split_name(decide.split))},
                     {"samples", decide.originals()},
                     {"sha256", decide.split_hash()}});
    if (job.split)
      parts.push_back({{"split", std::string(split_name(job.confirm[i].split))},
                       {"samples", job.confirm[i].originals()},
                       {"sha256", job.confirm[i].split_hash()}});
    suites.push_back({{"name", decide.spec.name},
                      {"task", std::string(task_name(decide.spec.task))},
                      {"file_sha256", decide.file_sha256},
                      {"decide_fraction", decide.decide_fraction},
                      {"parts", std::move(parts)}});
  }
  Json names = Json::array();
  for (const ShipCandidate& candidate : job.candidates) names.push_back(candidate.contender.name);
  return {{"halftone", std::string(version())},
          {"written", utc_now()},
          {"model_sha256", job.reference.sha256},
          {"gate", {{"sha256", gate_hash(job.gate)}, {"checks", std::move(checks)}}},
          {"suites", std::move(suites)},
          {"candidates", std::move(names)},
          {"rule", std::string(kDecisionRule)}};
}

Status check_leakage(const ShipJob& job, const Sequences& calibration) {
  HALFTONE_ASSIGN(const OpenSubject opened, open(job, job.options.model));
  HALFTONE_ASSIGN(const auto suites, prepare_all(job, *opened.subject, Split::all));
  for (const PreparedSuite& suite : suites) {
    Sequences evaluation;
    for (const std::vector<int>& window : suite.windows) append(window, evaluation);
    for (const ChoiceItem& item : suite.items) {
      std::vector<int> tokens = item.prefix;
      for (const std::vector<int>& one : item.continuations) tokens.insert(tokens.end(), one.begin(), one.end());
      append(tokens, evaluation);
    }
    HALFTONE_TRY(refuse_leakage(find_leakage(calibration, evaluation), job.options.calibration.string(),
                                "suite " + suite.spec.name));
  }
  return {};
}

Status score_and_decide(ShipJob& job, const std::filesystem::path& work) {
  HALFTONE_ASSIGN(const OpenSubject opened, open(job, job.options.model));
  Subject& reference = *opened.subject;
  job.reference.activations = opened.activations;
  HALFTONE_TRY(prepare(job, reference));
  job.fixed = fixed_of(job);
  HALFTONE_TRY(write_file_atomic(work / "fixed.json", job.fixed.dump(1) + "\n"));
  if (job.options.on_fixed) job.options.on_fixed(job.fixed);
  for (PreparedSuite& suite : job.decide) HALFTONE_TRY(score_reference(suite, reference, job.progress));
  HALFTONE_TRY(test_all(job, reference));
  std::vector<Contender> contenders;
  for (const ShipCandidate& candidate : job.candidates) contenders.push_back(candidate.contender);
  job.decision = decide(contenders);
  if (job.decision.winner && job.split) HALFTONE_TRY(open_sealed(job, reference));
  job.progress.end();
  return {};
}

Verdict verdict_of(const ShipJob& job) {
  if (job.decision.verdict != Verdict::pass || !job.confirm_comparison) return job.decision.verdict;
  return job.confirm_comparison->gate->verdict;
}

}  // namespace halftone
