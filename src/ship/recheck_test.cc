// SPDX-License-Identifier: Apache-2.0
#include "ship/recheck.h"

#include <gtest/gtest.h>

#include "base/atomic_write.h"
#include "base/temp_folder.h"
#include "ship/test_job.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

class Recheck : public testing::Test {
 protected:
  void SetUp() override {
    const auto test = make_test_job(0.005, 0.005);
    ASSERT_TRUE(test->job.decision.winner.has_value());
    ASSERT_TRUE(write_evidence(test->job, folder_.path()).ok());
  }
  std::string read(const std::string& name) { return *read_text_file(folder_ / name); }
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(write_file_atomic(folder_ / name, text).ok());
  }
  // Changes report.json; gives the difference that is found.
  template <class Change>
  std::string with_report(const Change& change) {
    const std::string before = read("report.json");
    Json report = Json::parse(before);
    change(report["results"]);
    write("report.json", report.dump());
    const auto result = recheck_evidence(folder_.path());
    write("report.json", before);
    return result.ok() ? result->difference : std::string(result.status().message());
  }
  std::string with_samples(const std::string& text) {
    const std::string before = read("samples.jsonl");
    write("samples.jsonl", text);
    const auto result = recheck_evidence(folder_.path());
    write("samples.jsonl", before);
    return result.ok() ? result->difference : std::string(result.status().message());
  }
  static bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
  TempFolder folder_;
};

TEST_F(Recheck, UnalteredEvidenceAgrees) {
  const auto result = recheck_evidence(folder_.path());
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_TRUE(result->same) << result->difference;
  EXPECT_EQ(result->samples, 900 + 900 + 1800);
  EXPECT_GT(result->values, 500);
}

TEST_F(Recheck, NamesAlteredFiguresOfTheReport) {
  EXPECT_TRUE(
      has(with_report([](Json& r) { r["candidates"][2]["quality"]["metrics"]["choice_accuracy"]["low"] = -0.0001; }),
          "candidates[int4].quality.metrics.choice_accuracy.low: report.json says -0.0001"));
  EXPECT_TRUE(has(with_report([](Json& r) { r["candidates"][2]["verdict"] = "fail"; }), "candidates[int4].verdict"));
  EXPECT_TRUE(has(with_report([](Json& r) { r["confirm"]["quality"]["tails"]["answer_probability"]["max"] = 0.1; }),
                  "confirm.quality.tails"));
  EXPECT_TRUE(has(with_report([](Json& r) { r["decision"]["winner"] = "int8"; }), "decision.winner"));
  EXPECT_TRUE(has(with_report([](Json& r) { r["decision"]["verdict"] = "fail"; }), "decision.verdict"));
  EXPECT_TRUE(has(with_report([](Json& r) { r["decision"]["sentence"] = "All is well."; }), "decision.sentence"));
  EXPECT_TRUE(has(with_report([](Json& r) { r["candidates"][1]["reason"] = "too slow"; }), "candidates[int8].reason"));
  EXPECT_TRUE(has(with_report([](Json& r) { r["files"]["samples_sha256"] = std::string(64, '0'); }), "samples_sha256"));
}

TEST_F(Recheck, AGateThatWasMovedIsFound) {
  EXPECT_TRUE(has(with_report([](Json& r) { r["gate"]["checks"][0]["limit"] = 9.0; }), "gate.sha256"));
  EXPECT_TRUE(has(with_report([](Json& r) { r["fixed"]["gate"]["sha256"] = std::string(64, '0'); }),
                  "results.fixed.gate.sha256"));
}

TEST_F(Recheck, NamesAlteredSamples) {
  const std::string samples = read("samples.jsonl");
  std::string altered = samples;
  altered.replace(altered.rfind("-0.125"), 6, "-0.975");
  EXPECT_TRUE(has(with_samples(altered), "confirm.quality")) << with_samples(altered);
  // One sample fewer: every n changes.
  EXPECT_TRUE(has(with_samples(samples.substr(samples.find('\n') + 1)), "candidates[int8].quality"))
      << with_samples(samples.substr(samples.find('\n') + 1));
  // From the sealed side to the other.
  std::string moved = samples;
  moved.replace(moved.find("\"decide\""), 8, "\"confirm\"");
  EXPECT_TRUE(has(with_samples(moved), "the hash of its group")) << with_samples(moved);
}

TEST_F(Recheck, BadFilesAreErrorsThatSayWhatToDo) {
  write("report.json", "[1, 2");
  EXPECT_TRUE(has(std::string(recheck_evidence(folder_.path()).status().message()), "expected a JSON object"));
  write("report.json", "{}");
  EXPECT_TRUE(
      has(std::string(recheck_evidence(folder_.path()).status().message()), "expected the keys of docs/evidence.md"));
  const TempFolder empty;
  EXPECT_TRUE(has(std::string(recheck_evidence(empty.path()).status().message()), "expected an evidence folder"));
}

TEST(RecheckDecision, SealedFailureAndNoWinnerAreRebuiltToo) {
  const auto sealed = make_test_job(0.005, 0.2);
  EXPECT_EQ(verdict_of(sealed->job), Verdict::fail);
  const TempFolder folder;
  ASSERT_TRUE(write_evidence(sealed->job, folder.path()).ok());
  const auto result = recheck_evidence(folder.path());
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_TRUE(result->same) << result->difference;
  EXPECT_NE(result->decision.find("the sealed ones break the gate"), std::string::npos) << result->decision;
}

}  // namespace
}  // namespace halftone
