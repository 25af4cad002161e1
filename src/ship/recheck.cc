// SPDX-License-Identifier: Apache-2.0
#include "ship/recheck.h"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/hash.h"
#include "ship/decide.h"
#include "ship/gate_json.h"
#include "ship/json_difference.h"
#include "ship/quality.h"
#include "ship/sentence.h"

namespace halftone {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct EvidenceFiles {
  Json report, fixed;
  std::string samples;
  std::vector<SampleRecord> records;
};

Result<Json> read_json(const fs::path& path) {
  HALFTONE_ASSIGN(const std::string text, read_text_file(path));
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object())
    return invalid_input("[recheck] {}: expected a JSON object, got something else; copy the evidence again",
                         path.string());
  return json;
}

Result<EvidenceFiles> read_evidence(fs::path folder) {
  std::error_code error;
  if (!fs::exists(folder / "report.json", error) && fs::exists(folder / "evidence" / "report.json", error))
    folder /= "evidence";
  if (!fs::exists(folder / "report.json", error))
    return not_found(
        "[recheck] {}: expected an evidence folder with report.json and samples.jsonl, got none; name OUT.ht or "
        "OUT.ht/evidence",
        folder.string());
  EvidenceFiles evidence;
  HALFTONE_ASSIGN(evidence.report, read_json(folder / "report.json"));
  HALFTONE_ASSIGN(evidence.fixed, read_json(folder / "fixed.json"));
  HALFTONE_ASSIGN(evidence.samples, read_text_file(folder / "samples.jsonl"));
  HALFTONE_ASSIGN(evidence.records, parse_records(evidence.samples, (folder / "samples.jsonl").string()));
  return evidence;
}

// Through text and back, as the report went: numbers that JSON cannot hold become null on both sides.
Json normalized(const Json& json) { return Json::parse(json.dump(-1, ' ', false, Json::error_handler_t::replace)); }

CandidateFacts facts_from(const Json& json) {
  CandidateFacts facts;
  facts.bytes = json.at("bytes").get<int64_t>();
  facts.memory_bytes = json.at("memory_bytes").get<int64_t>();
  facts.decode_tokens_per_second = json.at("decode_tokens_per_second").get<double>();
  facts.decode_interval = {json.at("decode_low").get<double>(), json.at("decode_high").get<double>()};
  return facts;
}

class Rechecker {
 public:
  explicit Rechecker(const EvidenceFiles& evidence) : evidence_(evidence), results_(evidence.report.at("results")) {}

  Status run() {
    HALFTONE_ASSIGN(gate_, gate_from_json(results_.at("gate")));
    compare_json("results.fixed", results_.at("fixed"), evidence_.fixed, "fixed.json says");
    expect("results.gate.sha256", results_.at("gate").at("sha256"), gate_hash(gate_));
    expect("fixed.json: gate.sha256", evidence_.fixed.at("gate").at("sha256"), gate_hash(gate_));
    check_split();
    HALFTONE_TRY(rebuild_all());
    check_decision();
    expect("results.files.samples_sha256", results_.at("files").at("samples_sha256"), sha256_hex(evidence_.samples));
    return {};
  }

  const std::string& difference() const { return difference_; }
  int64_t values() const { return values_; }

 private:
  void expect(const std::string& where, const Json& reported, const std::string& rebuilt) {
    compare_json(where, reported, Json(rebuilt), "the evidence gives");
  }

  void compare_json(const std::string& where, const Json& reported, const Json& rebuilt, std::string_view who) {
    if (!difference_.empty()) return;
    if (const auto found = first_difference(reported, rebuilt, where, &values_))
      difference_ = fmt::format("{}: report.json says {}, {} {}", found->path, found->left, who, found->right);
  }

  // Each sample must be on the side of the split that its group's hash says.
  void check_split() {
    std::map<std::string, double> fractions;
    for (const Json& suite : evidence_.fixed.at("suites"))
      fractions[suite.at("name").get<std::string>()] = suite.at("decide_fraction").get<double>();
    for (const SampleRecord& record : evidence_.records) {
      if (!difference_.empty()) return;
      if (record.split == Split::all) continue;
      const auto fraction = fractions.find(record.suite);
      const Split expected = fraction == fractions.end() ? Split::all : split_of(record.group, fraction->second);
      if (expected != record.split)
        difference_ =
            fmt::format("samples.jsonl: sample {} of {}: it says {}, the hash of its group \"{}\" says {}", record.id,
                        record.suite, split_name(record.split), record.group, split_name(expected));
    }
  }

  Status rebuild_all() {
    std::map<std::pair<std::string, bool>, std::vector<SampleRecord>> parts;
    for (auto& part : by_candidate(evidence_.records)) {
      const std::pair<std::string, bool> key{part[0].candidate, part[0].split == Split::confirm};
      parts[key] = std::move(part);
    }
    size_t used = 0;
    for (const Json& candidate : results_.at("candidates")) {
      if (candidate.at("reference").get<bool>()) continue;
      const std::string name = candidate.at("name").get<std::string>();
      Contender contender{name, candidate.at("bytes").get<int64_t>(),
                          fate_from(candidate.at("verdict").get<std::string>()),
                          candidate.at("reason").get<std::string>()};
      if (candidate.contains("quality")) {
        used += parts.count({name, false});
        HALFTONE_ASSIGN(const Comparison comparison, rebuild(parts[{name, false}], candidate, candidate.at("quality"),
                                                             "candidates[" + name + "].quality"));
        contender.fate = fate_of(comparison.gate.value().verdict);
        contender.why = why_not(comparison.gate.value());
        expect("candidates[" + name + "].verdict", candidate.at("verdict"), std::string(fate_name(contender.fate)));
      }
      const Json& confirm = results_.at("confirm");
      if (confirm.contains("quality") && confirm.at("candidate") == name) {
        used += parts.count({name, true});
        HALFTONE_ASSIGN(const Comparison comparison,
                        rebuild(parts[{name, true}], candidate, confirm.at("quality"), "confirm.quality"));
        sealed_ = comparison.gate.value().verdict;
      }
      contenders_.push_back(std::move(contender));
    }
    if (used != parts.size() && difference_.empty())
      difference_ = "samples.jsonl: it has samples of candidates that report.json does not know";
    return {};
  }

  Result<Comparison> rebuild(const std::vector<SampleRecord>& records, const Json& candidate, const Json& reported,
                             const std::string& where) {
    if (records.empty())
      return invalid_input("[recheck] samples.jsonl: expected samples for {}, got none; copy the evidence again",
                           where);
    CompareOptions options;
    options.facts = facts_from(candidate.at("facts"));
    options.replicates = reported.at("bootstrap").at("replicates").get<int64_t>();
    options.seed = reported.at("bootstrap").at("seed").get<uint64_t>();
    HALFTONE_ASSIGN(Comparison comparison, compare(records, &gate_, options));
    compare_json(where, reported, normalized(quality_json(comparison, records)), "the samples give");
    return comparison;
  }

  void check_decision() {
    const Decision decision = decide(contenders_);
    const Json winner = decision.winner ? Json(contenders_[*decision.winner].name) : Json(nullptr);
    compare_json("decision.winner", results_.at("decision").at("winner"), winner, "the samples give");
    const Verdict verdict = decision.verdict == Verdict::pass && sealed_ ? *sealed_ : decision.verdict;
    expect("decision.verdict", results_.at("decision").at("verdict"), std::string(verdict_name(verdict)));
    size_t i = 0;
    for (const Json& candidate : results_.at("candidates"))
      if (!candidate.at("reference").get<bool>()) {
        expect("candidates[" + contenders_[i].name + "].reason", candidate.at("reason"), decision.reasons[i]);
        ++i;
      }
    expect("decision.sentence", results_.at("decision").at("sentence"), decision_sentence(results_));
  }

  static Fate fate_from(const std::string& name) {
    return name == fate_name(Fate::over_budget) ? Fate::over_budget : Fate::not_tested;
  }

  const EvidenceFiles& evidence_;
  const Json& results_;
  Gate gate_;
  std::vector<Contender> contenders_;
  std::optional<Verdict> sealed_;
  std::string difference_;
  int64_t values_ = 0;
};

}  // namespace

Result<RecheckResult> recheck_evidence(const fs::path& folder) {
  HALFTONE_ASSIGN(EvidenceFiles evidence, read_evidence(folder));
  RecheckResult result;
  result.samples = static_cast<int64_t>(evidence.records.size());
  try {
    Rechecker rechecker(evidence);
    HALFTONE_TRY(rechecker.run());
    result.difference = rechecker.difference();
    result.values = rechecker.values();
    result.decision = evidence.report.at("results").at("decision").at("sentence").get<std::string>();
  } catch (const Json::exception& error) {
    return invalid_input("[recheck] {}: report.json or fixed.json: expected the keys of docs/evidence.md, got: {}",
                         folder.string(), error.what());
  }
  result.same = result.difference.empty();
  result.report = std::move(evidence.report);
  return result;
}

}  // namespace halftone
