// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/sweep.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/atomic_write.h"
#include "base/json_schema.h"
#include "base/rng.h"
#include "base/temp_folder.h"
#include "models/synth.h"
#include "ship/sweep/conclude.h"
#include "ship/sweep/page/sweep_page.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

std::string random_words(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    for (uint64_t letters = 1 + rng.below(6); letters > 0; --letters) text += static_cast<char>('a' + rng.below(26));
    text += i % 9 == 8 ? '\n' : ' ';
  }
  return text;
}

// A model of random weights, and texts that share nothing.
class Sweep : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new TempFolder;
    ASSERT_TRUE(synth("tiny", *shared_ / "tiny", {}).ok());
  }
  static void TearDownTestSuite() { delete shared_; }

  void SetUp() override {
    write("cal.txt", random_words(3000, 1));
    write("eval.txt", random_words(400, 2));
  }
  void write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(folder_ / name, text).ok());
  }
  SweepOptions options() {
    SweepOptions out;
    out.model = *shared_ / "tiny";
    out.output = folder_ / "sweep";
    out.grid = {{8, 4}, {"block32"}, {"nearest", "gptq"}};
    out.calibration = folder_ / "cal.txt";
    out.calibration_options = {.tokens = 1024, .length = 64};
    out.suites = {"divergence:" + (folder_ / "eval.txt").string()};
    out.windows = 4;
    out.explain = false;
    out.threads = 2;
    return out;
  }
  // Runs; "NAME" for each point that was measured, in order, others as "(NAME)".
  std::string run(SweepOptions chosen) {
    std::string names;
    chosen.on_point = [&](const SweepPoint& point, size_t, size_t, bool again) {
      names += (names.empty() ? "" : " ") + (again ? point.name : "(" + point.name + ")");
    };
    auto result = sweep(chosen, no_progress());
    if (!result.ok()) return std::string(result.status().message());
    report_ = *std::move(result);
    return names;
  }
  nlohmann::json document() {
    const auto text = read_text_file(folder_ / "sweep" / "sweep.json");
    return text.ok() ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  }
  static TempFolder* shared_;
  TempFolder folder_;
  SweepReport report_;
};
TempFolder* Sweep::shared_ = nullptr;

constexpr const char* kAll = "int8_block32-nearest int8_block32-gptq int4_block32-nearest int4_block32-gptq";

TEST_F(Sweep, WritesTheSurface) {
  ASSERT_EQ(run(options()), kAll);
  const nlohmann::json json = document();
  JsonSchema schema(fs::path(HALFTONE_SOURCE_DIR) / "docs/schema/sweep.json");
  for (const std::string& problem : schema.problems_of(json)) ADD_FAILURE() << problem;
  const nlohmann::json& points = json["results"]["points"];
  ASSERT_EQ(points.size(), 4u);
  EXPECT_TRUE(json["results"]["complete"].get<bool>());
  for (const nlohmann::json& point : points) EXPECT_GT(point["kl"]["mean"].get<double>(), 0);
  EXPECT_LT(points[0]["kl"]["mean"].get<double>() * 20, points[2]["kl"]["mean"].get<double>());  // 8 bits, 4 bits
  EXPECT_GT(points[0]["bytes"].get<int64_t>(), points[2]["bytes"].get<int64_t>());
  const auto page = read_text_file(folder_ / "sweep" / "sweep.html");
  ASSERT_TRUE(page.ok());
  EXPECT_NE(page->find("<svg class=\"drawn wide\""), std::string::npos);
  EXPECT_EQ(page->find("http://"), std::string::npos);
  EXPECT_EQ(page->find("https://"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "sweep" / "points" / "int4_block32-gptq.ht"));
}

TEST_F(Sweep, DoesNotMeasureAgain) {
  ASSERT_EQ(run(options()), kAll);
  const double before = report_.points[3].kl;
  EXPECT_EQ(run(options()), "(int8_block32-nearest) (int8_block32-gptq) (int4_block32-nearest) (int4_block32-gptq)");
  EXPECT_EQ(report_.measured, 0);
  EXPECT_EQ(report_.points[3].kl, before);
  // Other text to calibrate on: nothing changes for a method that does not read it.
  write("cal.txt", random_words(3000, 3));
  EXPECT_EQ(run(options()), "(int8_block32-nearest) int8_block32-gptq (int4_block32-nearest) int4_block32-gptq");
  EXPECT_NE(report_.points[3].kl, before);
  // Other text to judge on.
  write("eval.txt", random_words(400, 4));
  EXPECT_EQ(run(options()), kAll);
  // Another grid finds what it shares.
  SweepOptions wider = options();
  wider.grid.bits = {4, 3};
  EXPECT_EQ(run(wider), "(int4_block32-nearest) (int4_block32-gptq) int3_block32-nearest int3_block32-gptq");
}

TEST_F(Sweep, GoesOnWhereItWasInterrupted) {
  ASSERT_EQ(run(options()), kAll);
  fs::remove(folder_ / "sweep" / "points" / "int4_block32-nearest.json");
  fs::remove(folder_ / "sweep" / "sweep.html");
  EXPECT_EQ(run(options()), "(int8_block32-nearest) (int8_block32-gptq) int4_block32-nearest (int4_block32-gptq)");
  EXPECT_TRUE(fs::exists(folder_ / "sweep" / "sweep.html"));
  write("sweep/points/int4_block32-nearest.json", "{\"key\": 1");
  EXPECT_NE(run(options()).find("int4_block32-nearest.json: expected what an earlier sweep measured"),
            std::string::npos);
}

TEST_F(Sweep, KeepsArtifactsWhereAsked) {
  SweepOptions chosen = options();
  chosen.grid = {{4}, {"block32"}, {"nearest"}};
  ASSERT_EQ(run(chosen), "int4_block32-nearest");
  chosen.keep = true;
  EXPECT_EQ(run(chosen), "int4_block32-nearest");
  EXPECT_TRUE(fs::exists(folder_ / "sweep" / "points" / "int4_block32-nearest.ht" / "model.json"));
  EXPECT_EQ(run(chosen), "(int4_block32-nearest)");
}

TEST_F(Sweep, HoldsOutATenthWithoutASuite) {
  SweepOptions chosen = options();
  chosen.suites.clear();
  chosen.grid = {{4}, {"block32"}, {"nearest"}};
  ASSERT_EQ(run(chosen), "int4_block32-nearest");
  EXPECT_EQ(report_.judged.text, "a tenth of cal.txt, held out");
  EXPECT_GT(report_.judged.windows, 0);
  EXPECT_LT(report_.judged.tokens * 8, 1024);
  EXPECT_GT(report_.judged.tokens * 20, 1024);
  write("cal.txt", random_words(3000, 3));  // now it is what is judged on, too
  EXPECT_EQ(run(chosen), "int4_block32-nearest");
}

TEST_F(Sweep, LeavesOutWhatCannotBeAndSaysSo) {
  SweepOptions chosen = options();
  chosen.grid = {{4, 3}, {"channel", "block32"}, {"nearest", "kmeans"}};
  ASSERT_EQ(run(chosen), "int4_channel-nearest int4_block32-nearest int3_block32-nearest");
  const nlohmann::json left_out = document()["results"]["left_out"];
  EXPECT_EQ(left_out.size(), 4u);
  EXPECT_TRUE(std::any_of(left_out.begin(), left_out.end(), [](const nlohmann::json& one) {
    return one["what"] == "int3_block32-kmeans" && one["why"] == "kmeans cannot fill int3_block32";
  }));
}

// From lut4_group1 (a palette for each row) to uint4_affine64 three bits cost little; from there to 2 bits each costs
// much.
TEST_F(Sweep, ExplainsKnees) {
  SweepOptions chosen = options();
  chosen.calibration.clear();  // no method learns: the judged text tells causes
  chosen.grid = {{4, 2}, {"affine64", "group1"}, {"nearest", "kmeans"}};
  chosen.explain = true;
  const std::string names = run(chosen);
  EXPECT_NE(names.find(" uint2_affine64-search"), std::string::npos) << names;
  ASSERT_FALSE(report_.knees.empty());
  const KneeReport& knee = report_.knees[0];
  EXPECT_EQ(knee.curve, "all methods");
  EXPECT_EQ(report_.points[knee.knee.at].name, "uint4_affine64-nearest");
  const SweepPoint& beyond = report_.points[knee.knee.beyond];
  EXPECT_EQ(beyond.name, "uint2_affine64-nearest");
  EXPECT_EQ(knee.cause_method, "nearest");
  ASSERT_GT(knee.causes.size(), 2u);
  double share = 0;
  for (size_t i = 0; i < knee.causes.size(); ++i) {
    share += knee.causes[i].share;
    EXPECT_LT(knee.causes[i].kl, beyond.kl);  // less than all tensors together
    if (i > 0) {
      EXPECT_LE(knee.causes[i].kl, knee.causes[i - 1].kl);
    }
  }
  EXPECT_NEAR(share, 1, 1e-9);
  ASSERT_FALSE(knee.alternatives.empty());
  for (const SweepAlternative& one : knee.alternatives) {
    EXPECT_NEAR(static_cast<double>(one.point.bytes) / static_cast<double>(beyond.bytes), 1, 0.03);
    EXPECT_NEAR(one.factor, beyond.kl / one.point.kl, 1e-9);
  }
  JsonSchema schema(fs::path(HALFTONE_SOURCE_DIR) / "docs/schema/sweep.json");
  for (const std::string& problem : schema.problems_of(document())) ADD_FAILURE() << problem;
  run(chosen);
  EXPECT_EQ(report_.measured, 0);  // alternatives stay, too
}

TEST_F(Sweep, BadInput) {
  SweepOptions chosen = options();
  chosen.grid.methods = {"nearst"};
  EXPECT_NE(run(chosen).find("--methods: expected values of"), std::string::npos);
  chosen = options();
  chosen.calibration.clear();
  EXPECT_NE(run(chosen).find("int8_block32-gptq: method gptq chooses numbers by what the model computes"),
            std::string::npos);
  chosen = options();
  chosen.suites = {"perplexity:" + (folder_ / "eval.txt").string()};
  EXPECT_NE(
      run(chosen).find("expected task divergence, which compares every point with the float model, got perplexity"),
      std::string::npos);
  chosen = options();
  chosen.suites = {"divergence:" + (folder_ / "cal.txt").string()};
  chosen.windows = 0;
  EXPECT_NE(run(chosen).find("expected no text of cal.txt, got "), std::string::npos);
  chosen = options();
  chosen.grid.methods = {"nearest"};
  chosen.calibration.clear();
  chosen.suites.clear();
  EXPECT_NE(run(chosen).find("of which a tenth is held out, or --suite divergence:FILE.txt, got neither"),
            std::string::npos);
}

TEST_F(Sweep, AFolderOfSomethingElseStays) {
  fs::create_directories(folder_ / "sweep");
  write("sweep/notes.txt", "mine");
  EXPECT_NE(run(options()).find(
                "expected an empty folder, or one with the sweep.json of an earlier sweep, got one with notes.txt"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "sweep" / "points"));
  write("sweep/sweep.json", "{}");
  EXPECT_NE(run(options()).find("expected an empty folder"), std::string::npos);
  SweepOptions file = options();
  file.output = folder_ / "eval.txt";
  EXPECT_NE(run(file).find("expected a folder, got a file"), std::string::npos);
}

// Made-up figures, whose sentences are known.
TEST(SweepConclusions, ComeFromTheFigures) {
  SweepReport report;
  report.model = "a<b>";
  report.grid = {{8, 6, 4, 3}, {"block32"}, {"nearest", "gptq"}};
  const auto add = [&](const char* layout, const char* method, double bits, double kl) {
    SweepPoint point;
    point.layout = layout;
    point.method = method;
    point.name = point.layout + "-" + method;
    point.granularity = "block32";
    point.bits_per_weight = bits;
    point.bytes = static_cast<int64_t>(bits * 1e6);
    point.kl = kl;
    report.points.push_back(point);
  };
  add("int8_block32", "nearest", 8.5, 0.0001);
  add("int6_block32", "nearest", 6.5, 0.0016);
  add("int4_block32", "nearest", 4.5, 0.0256);
  add("int3_block32", "nearest", 3.5, 0.4);
  add("int4_block32", "gptq", 4.5, 0.0128);
  report.front = {0, 1, 4, 3};
  KneeReport knee;
  knee.curve = "all methods";
  knee.knee = {4, 3, 4, 31.25};
  knee.causes = {{"a", 0.3, 0.6, 10}, {"b", 0.1, 0.2, 10}, {"c", 0.1, 0.2, 10}};
  knee.alternatives = {{report.points[4], 4}};
  report.knees = {knee};
  report.conclusions = conclude(report);
  ASSERT_EQ(report.conclusions.size(), 4u);
  EXPECT_EQ(
      report.conclusions[0],
      "The knee is at 4.50 bits per weight, int4_block32-gptq (KL 0.0128): before it every bit saved multiplies KL by "
      "4.0, beyond it by 31 (int3_block32-nearest at 3.50 bits: KL 0.400).");
  EXPECT_EQ(report.conclusions[1],
            "1 of 3 tensors makes half of what int3_block32-nearest loses, each stored so alone: a (60 %), b (20 %), c "
            "(20 %).");
  EXPECT_EQ(report.conclusions[2],
            "In the bytes of int3_block32-nearest (within 3 %) int4_block32-gptq loses least: KL 0.0128 instead of "
            "0.400, 4.0 x less.");
  EXPECT_EQ(report.conclusions[3], "gptq instead of nearest divides KL by 2.0 (median of 1 layouts; 2.0 to 2.0).");
  const std::string page = render_sweep_page(report);
  EXPECT_NE(page.find("Where a&lt;b&gt; falls off"), std::string::npos);
  EXPECT_EQ(page.find("a<b>"), std::string::npos);
  report.knees.clear();
  EXPECT_EQ(conclude(report)[0],
            "No knee: from 8.50 to 3.50 bits per weight every bit saved multiplies KL by about 5.3, all the way.");
}

}  // namespace
}  // namespace halftone
