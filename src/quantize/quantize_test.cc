// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/hash.h"
#include "base/rng.h"
#include "base/version.h"
#include "formats/artifact/artifact.h"
#include "formats/test_files.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

// Shapes that divide by nothing: partial panels (37, 20 rows) and a partial last block (44 = 32 + 12 columns).
constexpr int64_t kVocabulary = 37, kHidden = 44, kInner = 20;

Graph small_graph() {
  GraphBuilder builder;
  const WeightId table = builder.weight("embed.weight", kVocabulary, kHidden);
  ValueId x = builder.add("embed", Embedding{table}, {});
  x = builder.add("norm", RmsNorm{builder.vector("norm.weight", kHidden), 1e-5f}, {x});
  x = builder.add("up", Linear{builder.weight("up.weight", kInner, kHidden), builder.vector("up.bias", kInner)}, {x});
  x = builder.add("down", Linear{builder.weight("down.weight", kHidden, kInner)}, {x});
  x = builder.add("head", Linear{table}, {x});  // tied
  auto graph = std::move(builder).finish(x);
  HALFTONE_CHECK(graph.ok());
  return std::move(graph).value();
}

std::vector<float> random_values(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.normal() * 0.1);
  return values;
}

std::vector<TestTensor> small_weights(DType type = DType::f32) {
  return {{"down.weight", type, {kHidden, kInner}, random_values(kHidden * kInner, 1)},
          {"embed.weight", type, {kVocabulary, kHidden}, random_values(kVocabulary * kHidden, 2)},
          {"norm.weight", type, {kHidden}, random_values(kHidden, 3)},
          {"up.bias", type, {kInner}, random_values(kInner, 4)},
          {"up.weight", type, {kInner, kHidden}, random_values(kInner * kHidden, 5)}};
}

class Quantize : public ::testing::Test {
 protected:
  Result<QuantizeReport> run(const std::string& recipe, int threads = 2, QuantizeOptions options = {}) {
    HALFTONE_ASSIGN(const ModelFile source, open_model_file(model_));
    HALFTONE_ASSIGN(const Recipe loaded,
                    recipe.find('\n') == std::string::npos ? load_recipe(recipe) : parse_recipe(recipe, "r.yaml"));
    ThreadPool pool(threads);
    options.replace = true;
    return quantize_file(source, small_graph(), loaded, out_, options, pool, no_progress());
  }
  std::string message_of(const std::string& recipe) {
    const auto report = run(recipe);
    return report.ok() ? "accepted" : std::string(report.status().message());
  }
  ModelFile opened() const {
    auto file = open_model_file(out_);
    HALFTONE_CHECK(file.ok());
    return std::move(file).value();
  }
  static const TensorReport& tensor(const QuantizeReport& report, std::string_view name) {
    for (const TensorReport& one : report.tensors)
      if (one.name == name) return one;
    HALFTONE_CHECK(false);
    return report.tensors[0];
  }

  TempFolder folder_;
  fs::path model_ = folder_ / "model", out_ = folder_ / "out.ht";
};

TEST_F(Quantize, ReportSaysWhichRuleHitWhichTensor) {
  write_model(model_, small_weights());
  const auto report =
      run("name: mixed\nrules:\n  - {op: embedding, layout: int8_block32}\n  - {match: up.*, layout: keep}\n"
          "  - {match: \"*\", layout: int4_block32}\n");
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->tensors.size(), 5u);
  EXPECT_EQ(report->tensors[0].name, "embed.weight");  // in the order of the graph
  EXPECT_EQ(report->tensors[0].op, "embedding+linear");
  EXPECT_EQ(report->tensors[0].rule, "rule 1: op embedding -> int8_block32");
  EXPECT_EQ(report->tensors[0].method, "nearest");
  EXPECT_EQ(tensor(*report, "norm.weight").rule, "vector, kept");
  EXPECT_EQ(tensor(*report, "norm.weight").layout, "f32");
  EXPECT_EQ(tensor(*report, "up.weight").rule, "rule 2: match up.* -> keep");
  EXPECT_EQ(tensor(*report, "up.bias").rule, "rule 2: match up.* -> keep");
  EXPECT_EQ(tensor(*report, "down.weight").layout, "int4_block32");
  EXPECT_EQ(tensor(*report, "down.weight").elements, kHidden * kInner);
  EXPECT_TRUE(report->unused.empty());
  const auto json = report->to_json();
  EXPECT_EQ(json["tensors"][0]["rule"], "rule 1: op embedding -> int8_block32");
  EXPECT_EQ(json["weights_bytes"], report->weights_bytes);
}

TEST_F(Quantize, ErrorIsThatOfTheStoredBytes) {
  const auto weights = small_weights();
  write_model(model_, weights);
  const struct {
    const char* preset;
    double low, high;  // of sqrt(sum error^2 / sum weight^2) for normal weights
  } bounds[] = {{"fp16", 1e-5, 4e-4},         {"bf16", 1e-4, 3e-3},          {"int8", 1e-3, 0.012},
                {"int8-block", 1e-3, 0.01},   {"int4-channel", 0.05, 0.17},  {"int4", 0.04, 0.13},
                {"int4-block64", 0.04, 0.15}, {"int4-affine32", 0.04, 0.12}, {"int8-affine64", 1e-3, 0.01},
                {"int6", 0.01, 0.03},         {"int3", 0.1, 0.28},           {"lut8", 1e-4, 0.006},
                {"lut6", 5e-3, 0.03},         {"lut4", 0.03, 0.11},          {"lut3", 0.1, 0.2},
                {"lut2", 0.2, 0.36},          {"int4-k", 0.04, 0.11},        {"int5-k", 0.02, 0.06},
                {"int6-k", 0.008, 0.03}};
  for (const auto& bound : bounds) {
    const auto report = run(bound.preset);
    ASSERT_TRUE(report.ok()) << report.status().message();
    const ModelFile file = opened();
    for (const TestTensor& weight : weights) {
      const StoredTensor* stored = file.find(weight.name);
      ASSERT_NE(stored, nullptr);
      const WeightView view = stored->view();
      double error = 0, total = 0, largest = 0;
      std::vector<float> row(static_cast<size_t>(view.columns));
      for (int64_t r = 0; r < view.rows; ++r) {
        decode_row(view, r, row.data());
        for (int64_t k = 0; k < view.columns; ++k) {
          const double value = weight.values[static_cast<size_t>(r * view.columns + k)];
          const double off = static_cast<double>(row[static_cast<size_t>(k)]) - value;
          error += off * off;
          total += value * value;
          largest = std::max(largest, std::fabs(off));
        }
      }
      const TensorReport& told = tensor(*report, weight.name);
      EXPECT_NEAR(told.relative_rms_error, std::sqrt(error / total), 1e-6 + 1e-4 * std::sqrt(error / total))
          << bound.preset << weight.name;
      EXPECT_NEAR(told.max_abs_error, largest, 1e-6 * largest) << bound.preset << weight.name;
      if (view.rows == 1) continue;
      EXPECT_GT(told.relative_rms_error, bound.low) << bound.preset << " " << weight.name;
      EXPECT_LT(told.relative_rms_error, bound.high) << bound.preset << " " << weight.name;
    }
  }
}

TEST_F(Quantize, BytesDoNotDependOnThreadsOrTiles) {
  write_model(model_, small_weights(DType::bf16));
  for (const std::string preset : {"int4", "fp16"}) {
    ASSERT_TRUE(run(preset, 1).ok());
    const std::string weights = read_text(out_ / "weights.safetensors"), manifest = read_text(out_ / "model.json");
    QuantizeOptions one_panel;
    one_panel.tile_bytes = 1;
    for (const int threads : {1, 3}) {
      ASSERT_TRUE(run(preset, threads, one_panel).ok());
      EXPECT_EQ(read_text(out_ / "weights.safetensors"), weights);
      EXPECT_EQ(read_text(out_ / "model.json"), manifest);
    }
  }
}

// Palettes that all rows, or those of two panels, share are made before the first panel.
TEST_F(Quantize, SharedPalettesDoNotDependOnThreadsOrTiles) {
  write_model(model_, small_weights(DType::bf16));
  for (const std::string layout : {"lut4_tensor", "lut4_tensor_scaled", "lut3_group32", "lut8v2_tensor",
                                   "lut6v2_tensor_scaled", "lut8v4_tensor"}) {
    const std::string recipe = "rules:\n  - {layout: " + layout + "}\n";
    const auto report = run(recipe, 1);
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(tensor(*report, "up.weight").method, "kmeans");
    const std::string weights = read_text(out_ / "weights.safetensors");
    QuantizeOptions one_panel;
    one_panel.tile_bytes = 1;
    ASSERT_TRUE(run(recipe, 3, one_panel).ok());
    EXPECT_EQ(read_text(out_ / "weights.safetensors"), weights);
  }
}

TEST_F(Quantize, PalettesOfBadWeightsAreRefused) {
  auto weights = small_weights();
  weights[1].values[20 * 44 + 40] = 1e7f;
  write_model(model_, weights);
  EXPECT_TRUE(contains(message_of("lut4"),
                       "tensor 'embed.weight': expected weights whose palette fits f16, got 10000000 at row 20, "
                       "column 40"));
  weights[1].values[20 * 44 + 40] = NAN;
  write_model(model_, weights);
  for (const char* recipe : {"lut4", "rules:\n  - {layout: lut4_tensor}\n"})
    EXPECT_TRUE(contains(message_of(recipe), "expected finite weights, got NaN at row 20, column 40"));
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(Quantize, MethodsThatUseDataWantCalibration) {
  write_model(model_, small_weights());
  EXPECT_TRUE(contains(message_of("rules:\n  - {layout: lut4_group16, method: kmeans_weighted}\n"),
                       "method kmeans_weighted chooses numbers by what the model computes on real text; expected "
                       "--calibration FILE, got none"));
}

TEST_F(Quantize, KeptTensorsAreTheSameBits) {
  const auto weights = small_weights(DType::bf16);
  write_model(model_, weights);
  const auto report = run("rules:\n  - {match: down.*, layout: int8_channel}\n");  // what no rule hits is kept
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(tensor(*report, "up.weight").rule, "no rule, kept");
  EXPECT_EQ(tensor(*report, "up.weight").bits_per_weight, 8.0 * 1792 / 880);  // padding to 64 bytes counted
  const ModelFile file = opened();
  for (const TestTensor& weight : weights) {
    if (weight.name == "down.weight") continue;
    const auto data = file.find(weight.name)->data;
    const std::string stored(reinterpret_cast<const char*>(data.data()), data.size());
    EXPECT_EQ(stored, weight.payload()) << weight.name;
    EXPECT_EQ(file.find(weight.name)->layout->name, "bf16");
  }
}

TEST_F(Quantize, FloatLayoutsOfTheirOwnTypeLoseNothing) {
  const auto weights = small_weights(DType::f16);
  write_model(model_, weights);
  const auto report = run("fp16");
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(tensor(*report, "embed.weight").relative_rms_error, 0);
  EXPECT_EQ(tensor(*report, "embed.weight").method, "");
  EXPECT_EQ(opened().find("embed.weight")->order, Order::panel16);
}

TEST_F(Quantize, ProvenanceLetsAStrangerCheckTheSource) {
  write_model(model_, small_weights());
  write_text(model_ / "tokenizer.json", "{}");
  ASSERT_TRUE(run("int4").ok());
  const ModelFile file = opened();
  EXPECT_EQ(file.provenance["halftone"], version());
  EXPECT_EQ(file.provenance["recipe"]["name"], "int4");
  EXPECT_EQ(parse_recipe(file.provenance["recipe"]["yaml"].get<std::string>(), "r")->rules[0].layout->name,
            "int4_block32");
  EXPECT_EQ(file.provenance["source"]["name"], "model");
  EXPECT_EQ(file.provenance["source"]["files"][0]["name"], "model.safetensors");
  EXPECT_EQ(file.provenance["source"]["files"][0]["sha256"], *sha256_file(model_ / "model.safetensors"));
  EXPECT_EQ(file.provenance["tensors"].size(), 5u);
  EXPECT_TRUE(file.side_files.contains("tokenizer.json"));
  ThreadPool pool(2);
  EXPECT_TRUE(verify_artifact(out_, pool, no_progress()).ok());
}

TEST_F(Quantize, UnusedTensorsAreListed) {
  auto weights = small_weights();
  weights.push_back({"rotary.inv_freq", DType::f32, {4}, {1, 2, 3, 4}});
  write_model(model_, weights);
  const auto report = run("int8");
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->unused, std::vector<std::string>{"rotary.inv_freq"});
  EXPECT_EQ(opened().find("rotary.inv_freq"), nullptr);
}

TEST_F(Quantize, RulesThatDoNothingAreErrors) {
  write_model(model_, small_weights());
  EXPECT_TRUE(contains(
      message_of("rules:\n  - {match: dwon.*, layout: keep}\n  - {layout: int4_block32}\n"),
      "rule 1: match dwon.* -> keep: expected to hit at least one tensor, got none; names look like 'embed.weight'"));
  EXPECT_TRUE(contains(message_of("rules:\n  - {layout: int4_block32}\n  - {match: up.weight, layout: keep}\n"),
                       "earlier rules take them all, move it up"));
  EXPECT_TRUE(
      contains(message_of("rules:\n  - {layout: int4_block32}\nallow_float: [nothing]\n"), "allow_float 'nothing'"));
}

TEST_F(Quantize, ARuleOnlyForVectorsAsksTheImpossible) {
  write_model(model_, small_weights());
  const std::string rules = "rules:\n  - {op: norm, layout: int4_block32}\n  - {layout: int4_block32}\n";
  EXPECT_TRUE(contains(message_of(rules),
                       "rule 1: op norm -> int4_block32: expected matrices, got only vectors such as 'norm.weight'"));
  const auto report = run(rules + "allow_float: [norm.*]\n");
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(tensor(*report, "norm.weight").rule, "rule 1: op norm -> int4_block32; allow_float, kept");
}

TEST_F(Quantize, QuantizingTwiceIsRefused) {
  write_model(model_, small_weights());
  ASSERT_TRUE(run("int4").ok());
  fs::rename(out_, folder_ / "first.ht");
  model_ = folder_ / "first.ht";
  EXPECT_TRUE(contains(message_of("int8"),
                       "tensor 'embed.weight': expected float weights, got int4_block32; quantizing twice"));
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(Quantize, AFloatArtifactIsASource) {
  write_model(model_, small_weights(DType::f16));
  ASSERT_TRUE(run("int4").ok());
  const std::string direct = read_text(out_ / "weights.safetensors");
  ASSERT_TRUE(run("fp16").ok());
  fs::rename(out_, folder_ / "half.ht");
  model_ = folder_ / "half.ht";
  ASSERT_TRUE(run("int4").ok());
  EXPECT_EQ(read_text(out_ / "weights.safetensors"), direct);
}

// A bad weight gives one message with its place, and no folder.
TEST_F(Quantize, BadWeightsNameTheirPlace) {
  const struct {
    const char *preset, *tensor;
    size_t at;
    float value;
    const char* says;
  } cases[] = {
      {"int4", "embed.weight", 36 * 44 + 43, NAN,
       "tensor 'embed.weight': expected finite weights, got NaN at row 36, column 43"},
      {"int8", "up.weight", 17 * 44, INFINITY,
       "tensor 'up.weight': expected finite weights, got infinity at row 17, column 0"},
      {"fp16", "down.weight", 3 * 20 + 7, 70000.0f,
       "expected weights that fit f16, got 70000 at row 3, column 7; use layout bf16"},
      {"bf16", "down.weight", 0, 3.4e38f, "expected weights that fit bf16"},
      {"int4", "embed.weight", 20 * 44 + 40, 1e7f,
       "expected groups whose scale fits f16, got too large weights at row 20 from column 32"},
      {"int4", "norm.weight", 5, NAN, "tensor 'norm.weight': expected finite weights, got NaN at row 0, column 5"},
  };
  for (const auto& one : cases) {
    auto weights = small_weights();
    for (TestTensor& weight : weights)
      if (weight.name == one.tensor) weight.values[one.at] = one.value;
    write_model(model_, weights);
    EXPECT_TRUE(contains(message_of(one.preset), one.says)) << message_of(one.preset);
    EXPECT_FALSE(fs::exists(out_));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()),
            1);  // no leftovers beside the model
}

TEST_F(Quantize, TheFirstOfTwoBadWeightsIsToldWhateverTheThreads) {
  auto weights = small_weights();
  weights[1].values[36 * 44] = NAN;
  weights[1].values[2 * 44 + 9] = NAN;
  write_model(model_, weights);
  for (int trial = 0; trial < 20; ++trial)
    EXPECT_TRUE(contains(run("int4", 3).status().message(), "NaN at row 2, column 9"));
}

TEST_F(Quantize, MissingAndMisshapenTensorsAreNamed) {
  auto weights = small_weights();
  weights.pop_back();
  write_model(model_, weights);
  EXPECT_TRUE(contains(message_of("int4"), "expected tensor 'up.weight', got none"));
  weights.push_back({"up.weight", DType::f32, {kHidden, kInner}, random_values(kInner * kHidden, 5)});
  write_model(model_, weights);
  EXPECT_TRUE(contains(message_of("int4"), "tensor 'up.weight': expected shape (20, 44), got (44, 20)"));
}

}  // namespace
}  // namespace halftone
