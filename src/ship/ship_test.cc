// SPDX-License-Identifier: Apache-2.0
#include "ship/ship.h"

#include <gtest/gtest.h>

#include "base/atomic_write.h"
#include "base/json_schema.h"
#include "base/rng.h"
#include "base/temp_folder.h"
#include "base/thread_pool.h"
#include "formats/artifact/artifact.h"
#include "models/synth.h"
#include "ship/recheck.h"
#include "ship/test_job.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLooseGate = "checks:\n  - {metric: answer_flips, max: 60, unit: percent}\n";
constexpr const char* kImpossibleGate = "checks:\n  - {metric: choice_accuracy, min: 99, unit: percent}\n";

void expect_schema_kept(const nlohmann::ordered_json& report) {
  JsonSchema schema(fs::path(HALFTONE_SOURCE_DIR) / "docs/schema/report.json");  // includes the envelope
  for (const std::string& problem : schema.problems_of(report)) ADD_FAILURE() << problem;
}

// A model of random weights and some data, in a folder of their own.
class Ship : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new TempFolder;
    ASSERT_TRUE(synth("tiny", *shared_ / "tiny", {}).ok());
  }
  static void TearDownTestSuite() { delete shared_; }

  ShipOptions options(const std::vector<std::string>& recipes) {
    ShipOptions out;
    out.model = *shared_ / "tiny";
    out.output = folder_ / "out.ht";
    out.recipes = recipes;
    out.speed.prompt_tokens = 8;
    out.speed.decode_tokens = 4;
    out.speed.rounds = 1;
    out.speed.threads = 2;
    return out;
  }
  std::string questions(int count) {
    Rng rng(5);
    std::string csv = "question,A,B,C,D,answer,kind\n";
    for (int i = 0; i < count; ++i)
      csv += fmt::format("What is the number of the house {}?,{},{},{},{},{},{}\n", i, i, i + 1, i + 2, i + 3,
                         rng.below(4), i % 2 ? "odd" : "even");
    return write("questions.csv", csv);
  }
  std::string write(const std::string& name, std::string_view content) {
    EXPECT_TRUE(write_file_atomic(folder_ / name, content).ok());
    return (folder_ / name).string();
  }
  std::vector<std::string> left_behind() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  static TempFolder* shared_;
  TempFolder folder_;
};
TempFolder* Ship::shared_ = nullptr;

TEST_F(Ship, SplitsDecidesConfirmsAndWritesAnArtifact) {
  ShipOptions chosen = options({"int8", "int4"});
  chosen.suites = {"choices:" + questions(900)};
  chosen.gate = write("gate.yaml", kLooseGate);
  bool fixed_before = false;
  chosen.on_fixed = [&](const nlohmann::ordered_json& fixed) {
    fixed_before = fixed.at("suites")[0].at("parts").size() == 2;
  };
  const auto outcome = ship(chosen, no_progress());
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_TRUE(fixed_before);
  ASSERT_EQ(outcome->verdict, Verdict::pass) << outcome->report["results"]["decision"].dump();
  expect_schema_kept(outcome->report);
  EXPECT_EQ(outcome->report["results"]["decision"]["winner"], "int4");
  EXPECT_TRUE(outcome->report["results"]["confirm"]["opened"].get<bool>());
  ThreadPool pool(2);
  EXPECT_TRUE(verify_artifact(outcome->artifact, pool, no_progress()).ok());
  for (const char* name : {"fixed.json", "samples.jsonl", "report.json", "report.html"})
    EXPECT_TRUE(fs::exists(outcome->artifact / "evidence" / name)) << name;
  const auto recheck = recheck_evidence(outcome->artifact);
  ASSERT_TRUE(recheck.ok()) << recheck.status().message();
  EXPECT_TRUE(recheck->same) << recheck->difference;
  EXPECT_EQ(left_behind(), (std::vector<std::string>{"gate.yaml", "out.ht", "questions.csv"}));
}

TEST_F(Ship, FewSamplesStopAtTheFirstThatDoesNotPass) {
  ShipOptions chosen = options({"int4", "int8"});
  chosen.suites = {"choices:" + questions(50)};
  chosen.gate = write("gate.yaml", "checks:\n  - {metric: answer_flips, max: 0.1, unit: percent}\n");
  const auto outcome = ship(chosen, no_progress());
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  expect_schema_kept(outcome->report);
  EXPECT_NE(outcome->verdict, Verdict::pass);
  const auto& candidates = outcome->report["results"]["candidates"];
  EXPECT_EQ(candidates[1]["name"], "int4");
  EXPECT_EQ(candidates[1]["verdict"], "not tested");  // int8 has more bytes and came first
  EXPECT_NE(candidates[2]["verdict"], "not tested");
  EXPECT_FALSE(outcome->report["results"]["confirm"]["opened"].get<bool>());
  EXPECT_TRUE(outcome->artifact.empty());
  EXPECT_EQ(left_behind(), (std::vector<std::string>{"gate.yaml", "out.evidence", "questions.csv"}));
  const auto recheck = recheck_evidence(outcome->evidence);
  ASSERT_TRUE(recheck.ok()) << recheck.status().message();
  EXPECT_TRUE(recheck->same) << recheck->difference;
}

TEST_F(Ship, NothingShipsThroughAGateThatNobodyKeeps) {
  ShipOptions chosen = options({"int8"});
  chosen.suites = {"choices:" + questions(700)};
  chosen.gate = write("gate.yaml", kImpossibleGate);
  const auto outcome = ship(chosen, no_progress());
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_EQ(outcome->verdict, Verdict::fail);
  EXPECT_FALSE(fs::exists(chosen.output));
}

TEST_F(Ship, ABudgetOfBytesKeepsLargeCandidatesFromBeingScored) {
  ShipOptions chosen = options({"int8", "int4"});
  chosen.suites = {"choices:" + questions(100)};
  chosen.gate = write("gate.yaml", kLooseGate);
  chosen.max_bytes = 1;
  const auto outcome = ship(chosen, no_progress());
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_EQ(outcome->verdict, Verdict::fail);
  expect_schema_kept(outcome->report);
  EXPECT_EQ(outcome->report["results"]["candidates"][1]["verdict"], "over budget");
  EXPECT_FALSE(outcome->report["results"]["candidates"][1].contains("quality"));
}

TEST_F(Ship, JudgesByTextAloneWithTheDefaultGate) {
  std::string text;
  for (int i = 0; i < 400; ++i)
    text += fmt::format("On day {} the miller walked to house {} and came back with {} eggs.\n", i, i * 7 % 31, i % 12);
  ShipOptions chosen = options({"int8"});
  chosen.text = write("prompts.txt", text);
  const auto outcome = ship(chosen, no_progress());
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  expect_schema_kept(outcome->report);
  EXPECT_EQ(outcome->report["results"]["primary_metric"], "top_token_agreement");
  EXPECT_EQ(outcome->report["results"]["gate"]["source"], "default for text");
  const auto recheck = recheck_evidence(outcome->evidence);
  ASSERT_TRUE(recheck.ok()) << recheck.status().message();
  EXPECT_TRUE(recheck->same) << recheck->difference;
}

TEST_F(Ship, BadInputLeavesNothingBehind) {
  const auto expect_error = [&](const ShipOptions& chosen, std::string_view part) {
    const auto before = left_behind();
    const auto outcome = ship(chosen, no_progress());
    ASSERT_FALSE(outcome.ok());
    EXPECT_NE(outcome.status().message().find(part), std::string_view::npos) << outcome.status().message();
    EXPECT_EQ(left_behind(), before);
  };
  ShipOptions chosen = options({"int8"});
  expect_error(chosen, "expected --suite FILE.yaml or --text FILE.txt");
  chosen.suites = {"choices:" + questions(20)};
  expect_error(chosen, "expected --gate FILE.yaml");
  chosen.gate = write("gate.yaml", "checks:\n  - {metric: no_such, max: 1}\n");
  expect_error(chosen, "no_such");
  chosen.gate = write("gate.yaml", "checks:\n  - {metric: answer_flips, max: 50, slice: kind=none}\n");
  expect_error(chosen, "kind");
  chosen.gate = write("gate.yaml", kLooseGate);
  chosen.recipes = {"int8", "int8"};
  expect_error(chosen, "twice");
  chosen.recipes = {"int7"};
  expect_error(chosen, "int7");
  chosen.recipes = {"int8"};
  ASSERT_TRUE(fs::create_directory(chosen.output));
  expect_error(chosen, "--replace");
}

TEST(Decision, ASealedFailureShipsNothing) {
  EXPECT_EQ(verdict_of(make_test_job(0.0, 0.0)->job), Verdict::pass);
  EXPECT_EQ(verdict_of(make_test_job(0.0, 0.3)->job), Verdict::fail);
}

}  // namespace
}  // namespace halftone
