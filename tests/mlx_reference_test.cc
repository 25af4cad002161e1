// SPDX-License-Identifier: Apache-2.0
// MLX folders that we write, decoded by another program: tests/tools/mlx_reference.py read them by MLX's own definition
// and computed tests/golden/mlx_reference.json (a digest of every number, and logits). The same folders are made here
// from the seed.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/hash.h"
#include "base/temp_folder.h"
#include "export/mlx.h"
#include "formats/import/test_cache.h"
#include "formats/test_files.h"
#include "generate/generator.h"
#include "models/synth.h"
#include "quantize/quantize.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Loaded = std::shared_ptr<const LanguageModel>;

// An embedding that is also the head, entries of their own in config.json, and a matrix that stays as it is.
constexpr std::string_view kMixed = R"(name: mixed
rules:
  - {op: embedding, layout: uint6_affine32}
  - {match: "*.layers.1.mlp.down_proj.weight", layout: uint3_affine32}
  - {match: "*.self_attn.*", layout: uint8_affine64}
  - {match: "*.layers.0.mlp.up_proj.weight", layout: keep}
  - {match: "*", layout: uint4_affine32}
)";

// Of the f32 numbers of all tensors, by name.
std::string digest_of(const LanguageModel& model) {
  std::map<std::string, const StoredTensor*> by_name;
  for (const StoredTensor& tensor : model.file.tensors) by_name[tensor.name] = &tensor;
  Sha256 digest;
  std::vector<float> row;
  for (const auto& [name, tensor] : by_name) {
    const WeightView view = tensor->view();
    row.resize(static_cast<size_t>(view.columns));
    for (int64_t i = 0; i < view.rows; ++i) {
      decode_row(view, i, row.data());
      digest.add(std::as_bytes(std::span(row)));
    }
  }
  return digest.hex();
}

double one_minus_cosine(const LanguageModel& model, const std::vector<TokenId>& ids,
                        const std::vector<double>& expected) {
  const auto executor = Executor::create(model.model, {1, Activations::exact, KvType::f16});
  EXPECT_TRUE(executor.ok()) << executor.status().message();
  Sequence sequence = (*executor)->make_sequence();
  std::vector<float> got;
  const auto keep = [&](std::span<const float> logits) { got.assign(logits.begin(), logits.end()); };
  EXPECT_TRUE(prefill(**executor, sequence, ids, keep).ok());
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    ab += static_cast<double>(got[i]) * expected[i];
    aa += static_cast<double>(got[i]) * static_cast<double>(got[i]);
    bb += expected[i] * expected[i];
  }
  return 1 - ab / std::sqrt(aa * bb);
}

class MlxReference : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(synth("tiny-qwen2", temp_ / "m", {.type = DType::f16}).ok());
    float_ = load(temp_ / "m");
    const auto text = read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/mlx_reference.json");
    ASSERT_TRUE(text.ok()) << text.status().message();
    const Json golden = Json::parse(*text);
    for (const Json& model : golden["models"]) golden_[model["name"]] = model;
    ids_ = golden["tokens"].get<std::vector<TokenId>>();
  }
  static Loaded load(const fs::path& path) {
    auto model = load_language_model(path);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model.ok() ? *std::move(model) : nullptr;
  }
  Loaded written(const LanguageModel& model, const std::string& name, int bits) {
    MlxExportOptions options;
    options.bits = bits;
    options.group = 32;
    const auto report = export_mlx(model, temp_ / name, options, pool_);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return report.ok() ? load(temp_ / name) : nullptr;
  }
  void expect_reference(const LanguageModel& model, const std::string& name) {
    ASSERT_TRUE(golden_.contains(name)) << name;
    EXPECT_EQ(digest_of(model), golden_[name]["sha256"].get<std::string>()) << name;
    // Keys and values are kept as f16; everything else is float32.
    EXPECT_LT(one_minus_cosine(model, ids_, golden_[name]["logits"].get<std::vector<double>>()), 1e-6) << name;
  }

  TestCache cache_;
  TempFolder temp_;
  ThreadPool pool_{1};
  Loaded float_;
  std::map<std::string, Json> golden_;
  std::vector<TokenId> ids_;
};

TEST_F(MlxReference, EveryWidthDecodesToTheNumbersOfTheReference) {
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    const std::string name = "mlx-" + std::to_string(bits);
    const Loaded model = written(*float_, name, bits);
    ASSERT_NE(model, nullptr);
    expect_reference(*model, name);
  }
}

TEST_F(MlxReference, ModulesOfTheirOwnWidthDoToo) {
  write_text(temp_ / "mixed.yaml", kMixed);
  const auto recipe = load_recipe((temp_ / "mixed.yaml").string());
  ASSERT_TRUE(recipe.ok()) << recipe.status().message();
  const auto report = quantize(*float_, *recipe, temp_ / "mixed.ht", {true}, pool_, no_progress());
  ASSERT_TRUE(report.ok()) << report.status().message();
  const Loaded artifact = load(temp_ / "mixed.ht");
  ASSERT_NE(artifact, nullptr);
  expect_reference(*artifact, "mlx-mixed");
  const Loaded model = written(*artifact, "mlx-mixed", 0);
  ASSERT_NE(model, nullptr);
  expect_reference(*model, "mlx-mixed");
}

}  // namespace
}  // namespace halftone
