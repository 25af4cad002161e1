// SPDX-License-Identifier: Apache-2.0
// A trained model with palettes, from quantize to logits.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "formats/test_files.h"
#include "kernels/isa.h"
#include "models/language_model.h"
#include "quantize/quantize.h"
#include "validate/model_scorer.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

const fs::path kTinyworld = fs::path(HALFTONE_SOURCE_DIR) / "models/tinyworld";

std::shared_ptr<const LanguageModel> loaded(const fs::path& path) {
  auto model = load_language_model(path);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return *std::move(model);
}

// Every logit of a text, and the path that the linear layers took.
std::vector<float> logits_of(const std::shared_ptr<const LanguageModel>& model, Activations activations,
                             std::string& used) {
  const auto scorer = ModelScorer::create(model, {2, activations}).value();
  used = scorer->executor().activations_used();
  const auto ids = scorer->tokenize("Question: What is 17 plus 25?\nAnswer:", true).value();
  std::vector<float> logits;
  const auto keep = [&](int64_t, std::span<const float> row) {
    logits.insert(logits.end(), row.begin(), row.end());
    return Status();
  };
  EXPECT_TRUE(scorer->extend(ids, 0, keep).ok());
  return logits;
}

// The same model with every weight decoded to f32, as a folder.
void write_decoded(const LanguageModel& model, const fs::path& folder) {
  std::vector<TestTensor> tensors;
  for (const StoredTensor& stored : model.file.tensors) {
    const WeightView view = stored.view();
    std::vector<float> values(static_cast<size_t>(view.rows * view.columns));
    for (int64_t row = 0; row < view.rows; ++row) decode_row(view, row, values.data() + row * view.columns);
    tensors.push_back({stored.name, DType::f32, stored.shape, std::move(values)});
  }
  fs::create_directories(folder);
  for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(kTinyworld / name, folder / name, fs::copy_options::overwrite_existing);
  write_safetensors(folder / "model.safetensors", tensors);
}

// The squared difference, relative to what is expected.
double relative_squares(const std::vector<float>& got, const std::vector<float>& expected) {
  double off = 0, whole = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    off += std::pow(static_cast<double>(got[i] - expected[i]), 2);
    whole += std::pow(static_cast<double>(expected[i]), 2);
  }
  return off / whole;
}

TEST(Palettes, AModelComputesWhatItsDecodedWeightsGiveOnEveryIsa) {
  const TempFolder folder;
  const auto source = loaded(kTinyworld);
  ThreadPool pool(2);
  std::string used;
  const std::vector<float> original = logits_of(source, Activations::exact, used);
  for (const std::string layout : {"lut4_group16", "lut3_group4", "lut6_tensor_scaled", "lut8_group16", "lut8v2_tensor",
                                   "lut6v2_group16", "lut8v4_tensor_scaled"}) {
    const auto recipe = parse_recipe("rules: [{layout: " + layout + "}]", "r.yaml").value();
    const auto report = quantize(*source, recipe, folder / "m.ht", {true}, pool, no_progress());
    ASSERT_TRUE(report.ok()) << report.status().message();
    const auto palettes = loaded(folder / "m.ht");
    write_decoded(*palettes, folder / "decoded");
    const std::vector<float> expected = logits_of(loaded(folder / "decoded"), Activations::exact, used);
    const Layout& stored =
        *find_layout(layout);  // of many entries or vectors: no integer products, as the program says
    const bool many_entries = stored.bits == 8 || stored.vector > 1;
    std::vector<float> with_bytes;
    for (const Isa isa : supported_isas()) {
      ASSERT_TRUE(force_isa(isa).ok());
      EXPECT_EQ(logits_of(palettes, Activations::exact, used), expected) << layout << ' ' << name_of(isa);
      const std::vector<float> got = logits_of(palettes, Activations::int8, used);
      EXPECT_EQ(used, many_entries ? "exact" : "int8") << layout;
      if (with_bytes.empty()) with_bytes = many_entries ? expected : got;
      EXPECT_EQ(got, with_bytes) << layout << ' ' << name_of(isa);
    }
    ASSERT_TRUE(force_isa(supported_isas().back()).ok());
    EXPECT_LT(relative_squares(expected, original), stored.bits / stored.vector < 4 ? 0.3 : 0.03) << layout;
    EXPECT_LT(relative_squares(with_bytes, expected), 0.01) << layout;
  }
}

}  // namespace
}  // namespace halftone
