// SPDX-License-Identifier: Apache-2.0
// Recipes by data, from a model folder to an artifact that runs.
#include <gtest/gtest.h>

#include <cmath>

#include "formats/artifact/artifact.h"
#include "formats/test_files.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/quantize.h"
#include "quantize/test_model.h"

namespace halftone {
namespace {

constexpr const char* kGptq = "name: by-data\nrules:\n  - {layout: int4_block32, method: gptq}\n";
constexpr const char* kTune = "tune: {steps: 3, batch_tokens: 64}\n";

class QuantizeByData : public ::testing::Test {
 protected:
  Result<QuantizeReport> run(const TestModel& model, const std::string& recipe, int threads = 2,
                             int64_t tile_bytes = 64 << 20) {
    HALFTONE_ASSIGN(const Recipe parsed, parse_recipe(recipe, "r.yaml"));
    ThreadPool pool(threads);
    return quantize(*model.model, parsed, out_, {true, tile_bytes, calibration_}, pool, no_progress());
  }
  std::string message_of(const TestModel& model, const std::string& recipe) {
    const auto report = run(model, recipe);
    return report.ok() ? "accepted" : std::string(report.status().message());
  }
  std::vector<float> logits(const ModelFile& file, const Graph& graph) const {
    ThreadPool pool(2);
    const auto weights = WeightTable::create(graph, file);
    HALFTONE_CHECK(weights.ok());
    const Sequences texts = random_texts(4, 16, 8);
    auto evaluator = Evaluator::create(graph, *weights, texts, pool);
    HALFTONE_CHECK(evaluator.ok() && (*evaluator)->run(0, graph.nodes.size()).ok());
    const auto value = (*evaluator)->value(graph.logits);
    return {value.begin(), value.end()};
  }
  // Of the artifact's logits, against the model it was made from: sums of squares.
  double logit_error(const TestModel& model) const {
    const auto artifact = load_language_model(out_);
    HALFTONE_CHECK(artifact.ok());
    const std::vector<float> want = logits(model.file(), model.graph());
    const std::vector<float> got = logits((*artifact)->file, (*artifact)->model->graph());
    double error = 0;
    for (size_t i = 0; i < want.size(); ++i)
      error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
    return error;
  }

  TempFolder folder_;
  std::filesystem::path out_ = folder_ / "out.ht";
  Sequences texts_ = random_texts(20, 16);
  const Sequences* calibration_ = &texts_;
};

TEST_F(QuantizeByData, TheArtifactRunsAndIsCloserToTheModel) {
  const TestModel model("tiny", DType::f16);
  ASSERT_TRUE(run(model, "rules:\n  - {layout: int4_block32}\n").ok());
  const double nearest = logit_error(model);
  const auto report = run(model, std::string(kGptq) + kTune);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_LT(logit_error(model), 0.8 * nearest);
  ASSERT_TRUE(report->tuned.has_value());
  EXPECT_TRUE(report->tuned->kept);
  EXPECT_EQ(report->tuned->steps, 3);
  ThreadPool pool(2);
  EXPECT_TRUE(verify_artifact(out_, pool, no_progress()).ok());
}

TEST_F(QuantizeByData, TheArtifactSaysWhatWasDone) {
  const TestModel model("tiny", DType::f16);
  const auto report = run(model, std::string(kGptq) + kTune);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const auto file = open_model_file(out_);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->find("model.norm.weight")->layout->name, "f32");  // f16 in the source: tuning is finer
  EXPECT_EQ(file->provenance["recipe"]["name"], "by-data");
  EXPECT_EQ(file->provenance["tuned"]["steps"], 3);
  EXPECT_EQ(file->provenance["tuned"]["tokens"], 3 * 64);
  EXPECT_EQ(file->provenance["tuned"]["held_out_tokens"], 2 * 16);
  EXPECT_EQ(file->provenance["tuned"]["kl_after"], report->tuned->kl_after);
  EXPECT_EQ(file->provenance["tuned"]["kept"], true);
  for (const TensorReport& tensor : report->tensors)
    EXPECT_EQ(tensor.method, file->find(tensor.name)->shape.size() == 2 ? "gptq" : "") << tensor.name;
}

// Tuning moves numbers after methods chose them; the errors told are those of the stored bytes.
TEST_F(QuantizeByData, ErrorsAreThoseOfTheTunedBytes) {
  const TestModel model("tiny");
  const auto report = run(model, std::string(kGptq) + kTune);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const auto file = open_model_file(out_);
  ASSERT_TRUE(file.ok());
  for (const TensorReport& tensor : report->tensors) {
    const WeightView stored = file->find(tensor.name)->view(), source = model.file().find(tensor.name)->view();
    if (stored.rows == 1) continue;
    double error = 0, total = 0;
    std::vector<float> a(static_cast<size_t>(stored.columns)), b(a.size());
    for (int64_t row = 0; row < stored.rows; ++row) {
      decode_row(stored, row, a.data());
      decode_row(source, row, b.data());
      for (size_t k = 0; k < a.size(); ++k) {
        error += std::pow(static_cast<double>(a[k]) - static_cast<double>(b[k]), 2);
        total += std::pow(static_cast<double>(b[k]), 2);
      }
    }
    EXPECT_NEAR(tensor.relative_rms_error, std::sqrt(error / total), 1e-5) << tensor.name;
  }
}

TEST_F(QuantizeByData, BytesDoNotDependOnThreadsOrTiles) {
  const TestModel model("tiny", DType::bf16);
  for (const std::string method : {"int4_block32, method: gptq", "lut4_tensor, method: kmeans_weighted",
                                   "lut6v2_tensor, method: gptq", "lut6v2_group16, method: gptq"}) {
    const std::string recipe = "rules:\n  - {layout: " + method + "}\ntune: {steps: 1, batch_tokens: 64}\n";
    const auto first = run(model, recipe, 1);
    ASSERT_TRUE(first.ok()) << first.status().message();
    const std::string weights = read_text(out_ / "weights.safetensors"), manifest = read_text(out_ / "model.json");
    ASSERT_TRUE(run(model, recipe, 3, 1).ok());  // a panel at a time
    EXPECT_EQ(read_text(out_ / "weights.safetensors"), weights) << method;
    EXPECT_EQ(read_text(out_ / "model.json"), manifest) << method;
  }
}

TEST_F(QuantizeByData, WithoutCalibrationIsAnError) {
  const TestModel model("tiny");
  calibration_ = nullptr;
  EXPECT_TRUE(contains(message_of(model, kGptq),
                       "method gptq chooses numbers by what the model computes on real text; expected --calibration "
                       "FILE, got none"));
  EXPECT_TRUE(contains(message_of(model, std::string("rules:\n  - {layout: int4_block32}\n") + kTune),
                       "tuning compares with the float model on real text; expected --calibration FILE, got none"));
  texts_ = random_texts(5, 16);
  calibration_ = &texts_;
  EXPECT_TRUE(contains(message_of(model, std::string(kGptq) + kTune), "expected at least 10 calibration sequences"));
  EXPECT_FALSE(std::filesystem::exists(out_));
}

TEST_F(QuantizeByData, ATableThatIsOnlyLookedUpGetsTheMethodWithoutData) {
  const TestModel model("tiny-mistral");
  const struct {
    const char *recipe, *with, *without;
  } cases[] = {{"rules:\n  - {layout: int4_block32, method: gptq}\n", "gptq", "search"},
               {"rules:\n  - {layout: lut4_group16, method: kmeans_weighted}\n", "kmeans_weighted", "kmeans"}};
  for (const auto& one : cases) {
    const auto report = run(model, one.recipe);
    ASSERT_TRUE(report.ok()) << report.status().message();
    const TensorReport& table = report->tensors[0];
    EXPECT_EQ(table.name, "model.embed_tokens.weight");
    EXPECT_EQ(table.method, one.without);
    EXPECT_TRUE(contains(table.rule, std::string("; a table that is only looked up has no inputs, ") + one.without))
        << table.rule;
    for (const TensorReport& tensor : report->tensors)
      if (tensor.op == "linear") {
        EXPECT_EQ(tensor.method, one.with) << tensor.name;
      }
  }
}

}  // namespace
}  // namespace halftone
