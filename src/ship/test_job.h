// SPDX-License-Identifier: Apache-2.0
// For tests: a ship run with made-up scores, past its decision.
#pragma once

#include <fmt/format.h>

#include "base/rng.h"
#include "ship/job.h"

namespace halftone {

struct TestJob {
  ShipOptions options;
  ShipJob job{options, no_progress(), {}, {}, {}, {}, {}, {}, {}, false, 0, {}, {}, {}, {}, {}, {}};
};

inline std::vector<SampleRecord> test_records(const std::string& candidate, Split split, int64_t count,
                                              double flip_share) {
  Rng rng(17);
  std::vector<SampleRecord> records;
  for (int64_t i = 0; static_cast<int64_t>(records.size()) < count; ++i) {
    SampleRecord record;
    record.suite = "questions";
    record.task = Task::choices;
    record.id = fmt::format("q{}", i);
    record.group = fmt::format("person {}", i);
    record.split = split;
    if (split != Split::all && split_of(record.group, kDecideFraction) != split) continue;
    record.candidate = candidate;
    record.slices = {{"exposure", i % 3 == 0 ? "rare" : "common"}};
    record.text = fmt::format("Where does person {} live?", i);
    record.choices = {"Arden", "Bramley", "Calder", "Dunmore"};
    record.answer = i % 4;
    for (int64_t c = 0; c < 4; ++c)
      record.reference_scores.push_back(c == record.answer ? -0.125 : -3.5 - 0.25 * static_cast<double>(c));
    record.candidate_scores = record.reference_scores;
    if (rng.uniform() < flip_share)
      std::swap(record.candidate_scores[static_cast<size_t>(record.answer)],
                record.candidate_scores[static_cast<size_t>((record.answer + 1) % 4)]);
    records.push_back(std::move(record));
  }
  return records;
}

inline PreparedSuite test_suite(Split split, int64_t samples) {
  PreparedSuite suite;
  suite.spec.name = "questions";
  suite.spec.task = Task::choices;
  suite.spec.file = "questions.csv";
  suite.split = split;
  suite.file_sha256 = std::string(64, 'a');
  suite.samples = test_records("", split, samples, 0);
  return suite;
}

// int8 loses nothing, int4 (fewer bytes) the given share of its answers.
inline std::unique_ptr<TestJob> make_test_job(double int4_flips, double sealed_flips) {
  auto test = std::make_unique<TestJob>();
  ShipJob& job = test->job;
  job.gate = *parse_gate(
      "checks:\n  - {metric: choice_accuracy.loss, max: 2.0, unit: points}\n  - {metric: confident_flips, max: 5, "
      "unit: percent, slice: exposure=rare}\n",
      "test");
  job.gate_source = "test";
  job.split = true;
  job.decide.push_back(test_suite(Split::decide, 900));
  job.confirm.push_back(test_suite(Split::confirm, 1800));
  job.reference.name = "float16";
  job.reference.bytes = 4000;
  job.reference.sha256 = std::string(64, 'b');
  const nlohmann::ordered_json speed = {
      {"decode", {{"tokens_per_second", {{"median", 100.0}, {"low", 99.0}, {"high", 101.0}}}}},
      {"memory", {{"weights_bytes", 1000}, {"peak_private_bytes", 100}}}};
  job.reference.speed.json = speed;
  std::vector<Contender> contenders;
  for (const auto& [name, bytes, flips] :
       {std::tuple("int8", int64_t{2000}, 0.0), std::tuple("int4", int64_t{1000}, int4_flips)}) {
    ShipCandidate candidate;
    candidate.bytes = candidate.contender.bytes = bytes;
    candidate.contender.name = name;
    candidate.speed = {speed, 1100, 100, 99, 101};
    candidate.records = test_records(name, Split::decide, 900, flips);
    CompareOptions options;
    options.facts = facts_of(candidate);
    options.replicates = 300;
    candidate.comparison = *compare(candidate.records, &job.gate, options);
    candidate.contender.fate = fate_of(candidate.comparison->gate->verdict);
    candidate.contender.why = why_not(*candidate.comparison->gate);
    contenders.push_back(candidate.contender);
    job.candidates.push_back(std::move(candidate));
  }
  job.decision = decide(contenders);
  job.fixed = fixed_of(job);
  if (job.decision.winner) {
    const ShipCandidate& winner = job.candidates[*job.decision.winner];
    job.confirm_records = test_records(winner.contender.name, Split::confirm, 1800, sealed_flips);
    CompareOptions options;
    options.facts = facts_of(winner);
    options.replicates = 300;
    job.confirm_comparison = *compare(job.confirm_records, &job.gate, options);
  }
  return test;
}

}  // namespace halftone
