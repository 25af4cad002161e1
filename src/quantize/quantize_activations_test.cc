// SPDX-License-Identifier: Apache-2.0
// Static ranges, from a model folder to an artifact that runs.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "formats/artifact/artifact.h"
#include "formats/test_files.h"
#include "quantize/quantize.h"
#include "quantize/test_model.h"
#include "runtime/session.h"

namespace halftone {
namespace {

class QuantizeActivations : public ::testing::Test {
 protected:
  Result<QuantizeReport> run(const std::string& recipe, int threads = 2, const Sequences* held_out = nullptr) {
    HALFTONE_ASSIGN(const Recipe parsed,
                    recipe.find('\n') == std::string::npos ? load_recipe(recipe) : parse_recipe(recipe, "r.yaml"));
    ThreadPool pool(threads);
    QuantizeOptions options;
    options.replace = true;
    options.calibration = calibration_;
    options.held_out = held_out;
    return quantize(*model_.model, parsed, out_, options, pool, no_progress());
  }
  // Logits of the texts' last tokens, as a session runs them.
  std::vector<float> logits(const LanguageModel& model, Activations activations, std::string& used) const {
    const auto executor = Executor::create(model.model, {2, activations});
    HALFTONE_CHECK(executor.ok());
    used = (*executor)->activations_used();
    std::vector<float> all;
    const Sequences texts = random_texts(6, 16, 8);
    for (int64_t i = 0; i < texts.count(); ++i) {
      Sequence sequence = (*executor)->make_sequence();
      Sequence* const one = &sequence;
      std::vector<BatchToken> batch;
      for (int64_t t = texts.begin(i); t < texts.end(i); ++t)
        batch.push_back({texts.tokens[static_cast<size_t>(t)], 0, t + 1 == texts.end(i)});
      const auto take = [&](int64_t, std::span<const float> row) { all.insert(all.end(), row.begin(), row.end()); };
      HALFTONE_CHECK((*executor)->forward({&one, 1}, batch, take).ok());
    }
    return all;
  }
  double error_of(Activations activations, std::string& used) const {
    const auto artifact = load_language_model(out_);
    HALFTONE_CHECK(artifact.ok());
    std::string exact;
    const std::vector<float> want = logits(**artifact, Activations::exact, exact);
    const std::vector<float> got = logits(**artifact, activations, used);
    double error = 0;
    for (size_t i = 0; i < want.size(); ++i)
      error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
    return std::sqrt(error);
  }

  TestModel model_{"tiny", DType::f16};
  TempFolder folder_;
  std::filesystem::path out_ = folder_ / "out.ht";
  Sequences texts_ = random_texts(20, 16);
  const Sequences* calibration_ = &texts_;
};

TEST_F(QuantizeActivations, EveryMatrixThatIsMultipliedWithHasARange) {
  const auto report = run("w8a8");
  ASSERT_TRUE(report.ok()) << report.status().message();
  const auto file = open_model_file(out_);
  ASSERT_TRUE(file.ok()) << file.status().message();
  std::set<std::string> read;
  std::map<ValueId, StaticRange> by_value;
  for (const Node& node : model_.graph().nodes) {
    const auto* linear = std::get_if<Linear>(&node.op);
    if (linear == nullptr) continue;
    const std::string& name = model_.graph().weight(linear->weight).name;
    read.insert(name);
    const StaticRange range = file->find(name)->input;
    EXPECT_TRUE(range.makes_sense()) << name;
    EXPECT_EQ(range.bits, 8);
    EXPECT_EQ(by_value.emplace(node.inputs[0], range).first->second, range) << name;  // one value, one range
  }
  EXPECT_GT(read.size(), by_value.size());
  for (const StoredTensor& tensor : file->tensors) EXPECT_EQ(tensor.input.exists(), read.contains(tensor.name));
  EXPECT_EQ(file->provenance["activations"]["bits"], 8);
  EXPECT_EQ(file->provenance["activations"]["tokens"], texts_.size());
  EXPECT_EQ(report->activations->inputs.size(), by_value.size());
  ThreadPool pool(2);
  EXPECT_TRUE(verify_artifact(out_, pool, no_progress()).ok());
}

TEST_F(QuantizeActivations, TheSessionRunsThemUnlessToldOtherwise) {
  ASSERT_TRUE(run("w8a16").ok());
  std::string used;
  const double sixteen = error_of(Activations::automatic, used);
  EXPECT_EQ(used, "simulated16");
  ASSERT_TRUE(run("w8a8").ok());
  const double eight = error_of(Activations::automatic, used);
  EXPECT_EQ(used, "static8");
  EXPECT_GT(eight, 0);
  EXPECT_GT(sixteen, 0);
  EXPECT_LT(sixteen, eight / 20);
  error_of(Activations::int8, used);
  EXPECT_EQ(used, "int8");
  EXPECT_EQ(error_of(Activations::exact, used), 0);
  EXPECT_EQ(used, "exact");
}

TEST_F(QuantizeActivations, MatricesOfFloatsAreSimulated) {
  ASSERT_TRUE(run("rules:\n  - {match: \"*\", layout: f16}\nactivations: {bits: 8}\n").ok());
  std::string used;
  EXPECT_GT(error_of(Activations::automatic, used), 0);
  EXPECT_EQ(used, "simulated8");
}

// An artifact of floats can be a source: its ranges are measured anew, or it is an error to lose them.
TEST_F(QuantizeActivations, RangesOfTheSourceAreNotLostSilently) {
  ASSERT_TRUE(run("rules:\n  - {match: \"*\", layout: f16}\nactivations: {bits: 16}\n").ok());
  const auto floats = load_language_model(out_);
  ASSERT_TRUE(floats.ok()) << floats.status().message();
  const auto again = [&](const std::string& recipe) {
    ThreadPool pool(2);
    QuantizeOptions options;
    options.calibration = calibration_;
    return quantize(**floats, parse_recipe(recipe, "r.yaml").value(), folder_ / "again.ht", options, pool,
                    no_progress());
  };
  const auto lost = again("rules:\n  - {layout: int8_channel}\n");
  ASSERT_FALSE(lost.ok());
  EXPECT_TRUE(contains(std::string(lost.status().message()), "has a static range of 16 bits for what it is"));
  EXPECT_TRUE(contains(std::string(lost.status().message()),
                       "expected a recipe that measures anew (activations: {bits: 16}), got r without"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "again.ht"));
  const auto anew = again("rules:\n  - {layout: int8_channel}\nactivations: {bits: 8}\n");
  ASSERT_TRUE(anew.ok()) << anew.status().message();
  const auto file = open_model_file(folder_ / "again.ht");
  ASSERT_TRUE(file.ok());
  for (const StoredTensor& tensor : file->tensors) EXPECT_TRUE(!tensor.input.exists() || tensor.input.bits == 8);
}

// Weights are as without them, and text that is held out leaves no trace.
TEST_F(QuantizeActivations, BytesDoNotDependOnThreadsOrHeldOutText) {
  const std::string recipe = "name: x\nrules:\n  - {layout: int8_channel}\n";
  ASSERT_TRUE(run(recipe).ok());
  const std::string plain = read_text(out_ / "weights.safetensors");
  ASSERT_TRUE(run(recipe + "activations: {bits: 8}\n", 1).ok());
  const std::string manifest = read_text(out_ / "model.json");
  EXPECT_EQ(read_text(out_ / "weights.safetensors"), plain);
  const Sequences held_out = random_texts(3, 16, 9);
  const auto report = run(recipe + "activations: {bits: 8}\n", 3, &held_out);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->activations->held_out_inside.has_value());
  EXPECT_EQ(read_text(out_ / "model.json"), manifest);
}

TEST_F(QuantizeActivations, FollowTuningAndMethodsByData) {
  const auto report =
      run("rules:\n  - {layout: int4_block32, method: gptq}\ntune: {steps: 2, batch_tokens: 64}\n"
          "activations: {bits: 8, range: max}\n");
  ASSERT_TRUE(report.ok()) << report.status().message();
  std::string used;
  EXPECT_GT(error_of(Activations::automatic, used), 0);
  EXPECT_EQ(used, "static8");
}

TEST_F(QuantizeActivations, WithoutCalibrationIsAnError) {
  calibration_ = nullptr;
  const auto report = run("w8a16");
  ASSERT_FALSE(report.ok());
  EXPECT_TRUE(contains(std::string(report.status().message()),
                       "recipe w8a16: static ranges of activations follow from what the model computes on real text; "
                       "expected --calibration FILE, got none"));
  EXPECT_FALSE(std::filesystem::exists(out_));
}

}  // namespace
}  // namespace halftone
