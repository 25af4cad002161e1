// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/error.h"
#include "ship/envelope.h"
#include "ship/gate_json.h"
#include "ship/job.h"
#include "ship/labels.h"
#include "ship/pictures.h"
#include "ship/quality.h"
#include "ship/sentence.h"

namespace halftone {

namespace {

using Json = nlohmann::ordered_json;

Json model_json(const ShipJob& job) {
  const ShipReference& reference = job.reference;
  std::error_code error;
  const std::filesystem::path path = std::filesystem::weakly_canonical(job.options.model, error);
  return {
      {"name", path.filename().string()},    {"family", reference.family}, {"parameters", reference.weights.parameters},
      {"context_tokens", reference.context}, {"bytes", reference.bytes},   {"sha256", reference.sha256}};
}

Json facts_json(const CandidateFacts& facts) {
  return {{"bytes", *facts.bytes},
          {"memory_bytes", *facts.memory_bytes},
          {"decode_tokens_per_second", *facts.decode_tokens_per_second},
          {"decode_low", facts.decode_interval->low},
          {"decode_high", facts.decode_interval->high}};
}

Json reference_json(const ShipReference& reference) {
  return {{"name", reference.name},
          {"reference", true},
          {"recipe", "as it is"},
          {"bytes", reference.bytes},
          {"bits_per_weight", reference.weights.bits_per_weight},
          {"activations", reference.activations},
          {"verdict", "reference"},
          {"reason", "what every candidate is compared with"},
          {"weights", to_json(reference.weights)},
          {"speed", reference.speed.json}};
}

Json candidate_json(const ShipCandidate& candidate, const std::string& reason) {
  Json out = {{"name", candidate.contender.name},
              {"reference", false},
              {"recipe", candidate.recipe.text},
              {"bytes", candidate.bytes},
              {"bits_per_weight", candidate.weights.bits_per_weight},
              {"activations", candidate.activations},
              {"verdict", std::string(fate_name(candidate.contender.fate))},
              {"reason", reason},
              {"facts", facts_json(facts_of(candidate))},
              {"weights", to_json(candidate.weights)},
              {"speed", candidate.speed.json}};
  if (candidate.comparison) out["quality"] = quality_json(*candidate.comparison, candidate.records);
  out["tensors"] = candidate.quantized.to_json()["tensors"];
  return out;
}

Json suites_json(const ShipJob& job) {
  Json out = Json::array();
  for (size_t i = 0; i < job.decide.size(); ++i) {
    const PreparedSuite& decide = job.decide[i];
    out.push_back({{"name", decide.spec.name},
                   {"task", std::string(task_name(decide.spec.task))},
                   {"file", decide.spec.file.filename().string()},
                   {"sha256", decide.file_sha256},
                   {"decide", decide.originals()},
                   {"confirm", job.split ? job.confirm[i].originals() : 0}});
  }
  return out;
}

// The key of the first suite's metric, which carries the suite's name where another suite has the same metric.
std::string key_of(const ShipJob& job, std::string_view metric) {
  const SuiteSpec& spec = job.decide[0].spec;
  const auto same = std::count_if(job.decide.begin(), job.decide.end(),
                                  [&](const PreparedSuite& suite) { return suite.spec.task == spec.task; });
  return same > 1 ? spec.name + ":" + std::string(metric) : std::string(metric);
}

Json confirm_json(const ShipJob& job) {
  if (!job.split)
    return {{"opened", false},
            {"why", fmt::format("{} samples are too few to set some aside ({} are needed): candidates were tested from "
                                "most bytes to fewest, "
                                "stopping at the first that did not pass.",
                                job.samples, kSplitSamples)}};
  if (!job.confirm_comparison)
    return {{"opened", false}, {"why", "No candidate passed, so the sealed part stays sealed."}};
  return {{"opened", true},
          {"candidate", job.candidates[*job.decision.winner].contender.name},
          {"quality", quality_json(*job.confirm_comparison, job.confirm_records)}};
}

Json not_measured(const ShipJob& job) {
  Json out = {"other machines and phones: every speed and memory figure is from the machine below", "energy and heat"};
  int64_t longest = 0;
  bool text = false, classes = false;
  for (const auto* part : {&job.decide, &job.confirm})
    for (const PreparedSuite& suite : *part) {
      text = text || !(has_answers(suite.spec.task) || is_of_network(suite.spec.task));
      classes = classes || is_of_network(suite.spec.task);
      for (const auto& window : suite.windows) longest = std::max(longest, static_cast<int64_t>(window.size()));
      for (const ChoiceItem& item : suite.items)
        longest = std::max(longest, static_cast<int64_t>(item.prefix.size() + item.continuations[0].size()));
    }
  if (classes)
    out.push_back("several samples at a time: speed is that of one after the other");
  else
    out.push_back(fmt::format("contexts longer than {} tokens: no sample has one", longest));
  if (!text && !classes) out.push_back("free-running text: the suite asks questions with given answers");
  out.push_back("inputs unlike the suite's");
  out.push_back("other activation paths than the one in the settings");
  return out;
}

Json settings_json(const ShipJob& job) {
  Json out = job.speed.settings;
  out["scored_activations"] = job.reference.activations;
  const CompareOptions options;
  out["bootstrap_replicates"] = options.replicates;
  out["bootstrap_seed"] = options.seed;
  if (!job.calibration.is_null()) out["calibration"] = job.calibration;
  out["decide_fraction"] = job.split ? Json(kDecideFraction) : Json(nullptr);
  return out;
}

}  // namespace

Result<nlohmann::ordered_json> report_of(const ShipJob& job, const std::string& samples_sha256) {
  const Verdict verdict = verdict_of(job);
  Json results;
  results["model"] = model_json(job);
  results["decision"] = {
      {"verdict", std::string(verdict_name(verdict))},
      {"winner", job.decision.winner ? Json(job.candidates[*job.decision.winner].contender.name) : Json(nullptr)},
      {"ships", verdict == Verdict::pass},
      {"rule", std::string(kDecisionRule)},
      {"sentence", ""}};
  results["fixed"] = job.fixed;
  results["gate"] = gate_json(job.gate);
  results["gate"]["source"] = job.gate_source;
  results["suites"] = suites_json(job);
  results["primary_metric"] = key_of(job, primary_metric_of(job.decide[0].spec.task));
  results["tail_metric"] = key_of(job, tail_metric_of(job.decide[0].spec.task));
  results["candidates"] = Json::array({reference_json(job.reference)});
  for (size_t i = 0; i < job.candidates.size(); ++i)
    results["candidates"].push_back(candidate_json(job.candidates[i], job.decision.reasons[i]));
  results["confirm"] = confirm_json(job);
  HALFTONE_ASSIGN(Json pictures, worst_pictures(job, results));
  if (!pictures.empty()) results["pictures"] = std::move(pictures);
  results["not_measured"] = not_measured(job);
  results["warnings"] = job.speed.warnings;
  results["files"] = {{"samples_sha256", samples_sha256}};
  results["decision"]["sentence"] = decision_sentence(results);
  Json report = make_envelope("ship", settings_json(job), std::move(results));
  for (const auto& [key, value] : job.speed.limits.items()) report["machine"][key] = value;
  report["created"] = utc_now();
  return report;
}

}  // namespace halftone
