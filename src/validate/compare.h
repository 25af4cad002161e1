// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "halftone/validate.h"
#include "metrics/tails.h"
#include "validate/gate.h"
#include "validate/quantities.h"
#include "validate/record.h"

namespace halftone {

// What other rooms measured about the candidate; absent: not measured, and a check of it is inconclusive.
struct CandidateFacts {
  std::optional<int64_t> bytes;
  std::optional<int64_t> memory_bytes;
  std::optional<double> decode_tokens_per_second;
  std::optional<Interval> decode_interval;  // one-sided 95 % bounds
};

struct CompareOptions {
  CandidateFacts facts;
  int64_t replicates = 10000;
  uint64_t seed = 1;
  size_t worst = 10;  // samples shown
};

// A metric over one suite. Shares are fractions, divergences nats. Metrics of a pair (kl, agreement, flips) have no
// reference and candidate value of their own: `delta` is the metric. The interval is two-sided 95 %, absent where n
// does not carry one.
struct MetricRow {
  std::string name, suite;
  std::optional<double> reference, candidate;
  double delta = 0;
  std::optional<Interval> interval;
  int64_t n = 0;
  std::string n_unit;
  int64_t groups = 0;
  std::string method;
  std::optional<double> mcnemar_p;  // choice_accuracy
};

struct SliceRow {
  std::string suite, column, value;
  MetricRow accuracy;
  double confident_flips = 0;  // share
};

struct TailRow {
  std::string name, suite, n_unit;
  Tails tails;
};

// One of the samples that lost most, with its text.
struct WorstRow {
  std::string suite, id, text;
  std::string expected;   // the right answer, or the token that came
  std::string reference;  // what each model says instead
  std::string candidate;
  std::optional<double> reference_probability, candidate_probability;  // of what it says (choices)
  double loss = 0;                                                     // probability of the right answer lost, or nats
};

struct CheckRow {
  GateCheck check;
  std::optional<double> value, low, high;  // in the check's unit; one-sided 95 % bounds
  std::optional<double> p;                 // of "the truth is inside the limit", Holm-adjusted over the gate
  Verdict verdict = Verdict::inconclusive;
  int64_t n = 0;
  std::string n_unit;
  std::optional<int64_t> needs_n;  // inconclusive: about how many would decide
  std::string reason;              // one sentence for people
};

struct GateResult {
  Verdict verdict = Verdict::inconclusive;
  std::vector<CheckRow> checks;
};

struct Comparison {
  std::string candidate;
  Split split = Split::all;
  std::vector<MetricRow> metrics;
  std::vector<SliceRow> slices;
  std::vector<TailRow> tails;
  std::vector<WorstRow> worst;
  std::optional<GateResult> gate;
  int64_t replicates = 0;
  uint64_t seed = 0;
};

// Everything there is to say about one candidate, from its records alone: the same records give the same bits. Errors:
// records of several candidates or splits, an id twice, a gate that asks for a metric or slice that no record has.
Result<Comparison> compare(std::span<const SampleRecord> records, const Gate* gate, const CompareOptions& options = {});

// Records of a file that holds several candidates and splits, apart, in order of first appearance.
std::vector<std::vector<SampleRecord>> by_candidate(std::vector<SampleRecord> records);

// docs/schema/validate.json. A metric that several suites have is keyed "SUITE:NAME".
nlohmann::ordered_json to_json(const Comparison& comparison);

}  // namespace halftone
