// SPDX-License-Identifier: Apache-2.0
// A model through another runtime's container and back: where the codes are the same, so are the logits, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "export/export.h"
#include "export/mlx.h"
#include "formats/gguf/gguf.h"
#include "formats/huggingface/huggingface.h"
#include "formats/import/test_cache.h"
#include "formats/test_files.h"
#include "models/synth.h"
#include "quantize/quantize.h"
#include "runtime/session.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Rows of every matrix fit super-blocks of 256.
Json wide_config(const std::string& family) {
  Json config = {{"model_type", family},
                 {"hidden_size", 256},
                 {"intermediate_size", 512},
                 {"num_hidden_layers", 2},
                 {"num_attention_heads", 4},
                 {"num_key_value_heads", 2},
                 {"head_dim", 64},
                 {"vocab_size", 96},
                 {"max_position_embeddings", 64},
                 {"rms_norm_eps", 1e-5},
                 {"tie_word_embeddings", family != "llama"}};
  return config;
}

std::vector<float> logits_of(const LanguageModel& model, Activations activations) {
  const auto executor = Executor::create(model.model, {1, activations, KvType::f16});
  EXPECT_TRUE(executor.ok()) << executor.status().message();
  Sequence sequence = (*executor)->make_sequence();
  Sequence* const one = &sequence;
  std::vector<BatchToken> batch;
  for (const TokenId token : {5, 17, 3, 80, 41, 2, 9, 66}) batch.push_back({token, 0, false});
  batch.back().want_logits = true;
  std::vector<float> all;
  EXPECT_TRUE((*executor)
                  ->forward({&one, 1}, batch,
                            [&](int64_t, std::span<const float> logits) { all.assign(logits.begin(), logits.end()); })
                  .ok());
  return all;
}

class RoundTrip : public ::testing::Test {
 protected:
  std::shared_ptr<const LanguageModel> load(const fs::path& path) {
    auto model = load_language_model(path);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model.ok() ? *std::move(model) : nullptr;
  }
  std::shared_ptr<const LanguageModel> synthetic(const Json& config, DType type = DType::f16) {
    SynthOptions options;
    options.type = type;
    options.replace = true;
    EXPECT_TRUE(synth_from_config(config, folder_ / "synth", options).ok());
    return load(folder_ / "synth");
  }
  std::shared_ptr<const LanguageModel> quantized(const LanguageModel& source, const std::string& layout) {
    const fs::path path = folder_ / (layout + ".ht");
    const std::string yaml = "name: one\nrules:\n  - match: \"*\"\n    layout: " + layout + "\n";
    write_text(folder_ / "recipe.yaml", yaml);
    const auto recipe = load_recipe((folder_ / "recipe.yaml").string());
    EXPECT_TRUE(recipe.ok()) << recipe.status().message();
    const auto report = quantize(source, *recipe, path, {true}, pool_, no_progress());
    EXPECT_TRUE(report.ok()) << report.status().message();
    return load(path);
  }
  std::shared_ptr<const LanguageModel> through_gguf(const LanguageModel& model, std::string_view type,
                                                    ExportReport* report = nullptr) {
    ExportOptions options;
    options.replace = true;
    if (type != "stored") options.type = find_ggml_type(type);
    const auto written = export_gguf(model, folder_ / "m.gguf", options, pool_);
    EXPECT_TRUE(written.ok()) << written.status().message();
    if (written.ok() && report != nullptr) *report = *written;
    return load(folder_ / "m.gguf");
  }
  std::shared_ptr<const LanguageModel> through_mlx(const LanguageModel& model, MlxExportOptions options,
                                                   ExportReport* report = nullptr) {
    options.replace = true;
    const auto written = export_mlx(model, folder_ / "mlx", options, pool_);
    EXPECT_TRUE(written.ok()) << written.status().message();
    if (written.ok() && report != nullptr) *report = *written;
    return load(folder_ / "mlx");
  }
  // A folder of floats with the numbers that the model decodes to.
  std::shared_ptr<const LanguageModel> as_floats(const LanguageModel& model) {
    std::vector<TestTensor> tensors;
    for (const StoredTensor& stored : model.file.tensors) {
      TestTensor tensor{stored.name, DType::f32, stored.shape,
                        std::vector<float>(static_cast<size_t>(stored.elements()))};
      const WeightView view = stored.view();
      for (int64_t row = 0; row < view.rows; ++row) decode_row(view, row, tensor.values.data() + row * view.columns);
      tensors.push_back(std::move(tensor));
    }
    fs::remove_all(folder_ / "floats");
    write_model(folder_ / "floats", tensors);
    write_text(folder_ / "floats" / "config.json", model.file.config.dump());
    return load(folder_ / "floats");
  }
  void expect_same(const LanguageModel& a, const LanguageModel& b, const std::string& what) {
    for (const Activations activations : {Activations::exact, Activations::int8})
      EXPECT_EQ(logits_of(a, activations), logits_of(b, activations)) << what;
  }

  TestCache cache_;
  TempFolder folder_;
  ThreadPool pool_{2};
};

TEST_F(RoundTrip, FloatsThroughGguf) {
  for (const char* family : {"llama", "mistral", "qwen2", "qwen3"}) {
    const auto model = synthetic(wide_config(family));
    for (const char* type : {"f32", "f16"})
      expect_same(*through_gguf(*model, type), *model, family + std::string(type));
  }
  const auto bf16 = synthetic(wide_config("llama"), DType::bf16);
  expect_same(*through_gguf(*bf16, "bf16"), *bf16, "bf16");
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return dot / std::sqrt(aa * bb);
}

// What GGUF cannot say exactly: rope factors are f32, Gemma's norms are stored + 1 and the type that rounds its
// embedding scale is not stored.
TEST_F(RoundTrip, EveryFamilyComesBackFromGguf) {
  struct Row {
    const char* shape;
    bool exact;
  };
  for (const Row& row : {Row{"tiny", false}, Row{"tiny-mistral", true}, Row{"tiny-qwen2", true},
                         Row{"tiny-qwen3", true}, Row{"tiny-phi", true}, Row{"tiny-phi3", false},
                         Row{"tiny-gemma", false}, Row{"tiny-gemma2", false}, Row{"tiny-gemma3", false}}) {
    SynthOptions options;
    options.type = DType::f32;
    options.replace = true;
    ASSERT_TRUE(synth(row.shape, folder_ / "family", options).ok());
    const auto model = load(folder_ / "family");
    const auto back = through_gguf(*model, "f32");
    ASSERT_NE(back, nullptr) << row.shape;
    const auto expected = logits_of(*model, Activations::exact), got = logits_of(*back, Activations::exact);
    if (row.exact) {
      EXPECT_EQ(got, expected) << row.shape;
    } else {
      EXPECT_GT(cosine(got, expected), 0.99995) << row.shape;
    }
    EXPECT_NE(back->tokenizer, nullptr) << row.shape;
  }
}

TEST_F(RoundTrip, CodesThroughGguf) {
  const auto model = synthetic(wide_config("llama"));
  struct Row {
    const char *layout, *type;
  };
  for (const Row& row : {Row{"int4_block32", "q4_0"}, Row{"int8_block32", "q8_0"}, Row{"uint4_affine32", "q4_1"},
                         Row{"int4_block64", "q4_0"}, Row{"int8_channel", "q8_0"}, Row{"int3_block32", "q4_0"}}) {
    const auto artifact = quantized(*model, row.layout);
    ExportReport report;
    const auto back = through_gguf(*artifact, "stored", &report);
    for (const ExportedTensor& tensor : report.tensors) EXPECT_EQ(tensor.fidelity, Fidelity::bit_exact) << tensor.name;
    EXPECT_EQ(report.tensors.front().type, row.type);
    // Another grouping of the same codes: the exact path is the same bits.
    EXPECT_EQ(logits_of(*back, Activations::exact), logits_of(*artifact, Activations::exact)) << row.layout;
    const bool same_layout = back->file.tensors.front().layout == artifact->file.tensors.front().layout;
    if (same_layout) expect_same(*back, *artifact, row.layout);
  }
}

TEST_F(RoundTrip, EveryTypeThatIsWrittenRunsAsWhatItDecodesTo) {
  const auto model = synthetic(wide_config("qwen2"), DType::f32);
  double last = 1;
  for (const char* type : {"q4_0", "q4_1", "q4_k", "q5_0", "q5_1", "q5_k", "q6_k", "q8_0"}) {
    ExportReport report;
    const auto back = through_gguf(*model, type, &report);
    double error = 0;
    for (const ExportedTensor& tensor : report.tensors) error = std::max(error, tensor.relative_rms_error);
    EXPECT_LT(error, 0.12) << type;
    if (std::string_view(type) == "q8_0") {
      EXPECT_LT(error, last / 2);
    }
    last = error;
    for (const TensorLabel& label : back->file.import->labels)
      EXPECT_EQ(label.fidelity, Fidelity::bit_exact) << type << " " << label.name;
    EXPECT_EQ(logits_of(*back, Activations::exact), logits_of(*as_floats(*back), Activations::exact)) << type;
    // Written again from what was read: the same file.
    const std::string first = read_text(folder_ / "m.gguf");
    const auto again = through_gguf(*back, "stored", &report);
    for (const ExportedTensor& tensor : report.tensors) EXPECT_EQ(tensor.fidelity, Fidelity::bit_exact) << tensor.name;
    expect_same(*again, *back, type);
    EXPECT_EQ(read_text(folder_ / "m.gguf").size(), first.size()) << type;
  }
}

TEST_F(RoundTrip, CodesThroughMlx) {
  const auto model = synthetic(wide_config("qwen3"));
  for (const char* layout : {"uint4_affine64", "uint8_affine128", "uint4_affine32", "int4_block32", "int8_block32",
                             "int8_channel", "int3_block32", "int6_block32"}) {
    const auto artifact = quantized(*model, layout);
    ExportReport report;
    const auto back = through_mlx(*artifact, {}, &report);
    for (const ExportedTensor& tensor : report.tensors) EXPECT_EQ(tensor.fidelity, Fidelity::bit_exact) << tensor.name;
    EXPECT_EQ(logits_of(*back, Activations::exact), logits_of(*artifact, Activations::exact)) << layout;
    if (std::string_view(layout).find("affine") != std::string_view::npos) expect_same(*back, *artifact, layout);
  }
}

TEST_F(RoundTrip, EveryWidthOfMlxRunsAsWhatItDecodesTo) {
  const auto model = synthetic(wide_config("llama"), DType::bf16);
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    for (const int64_t group : {32, 64, 128}) {
      if (bits % 3 != group / 32 % 3 && bits != 4) continue;  // one group each, every group with 4 bits
      ExportReport report;
      MlxExportOptions options;
      options.bits = bits;
      options.group = group;
      const auto back = through_mlx(*model, options, &report);
      double error = 0;
      for (const ExportedTensor& tensor : report.tensors) error = std::max(error, tensor.relative_rms_error);
      // 128 normal numbers span 5.4 deviations; an even step has the error step / sqrt(12).
      EXPECT_LT(error, 5.6 / ((1 << bits) - 1) / std::sqrt(12.0)) << bits;
      for (const TensorLabel& label : back->file.import->labels) EXPECT_EQ(label.fidelity, Fidelity::bit_exact);
      EXPECT_EQ(logits_of(*back, Activations::exact), logits_of(*as_floats(*back), Activations::exact)) << bits;
    }
  }
}

TEST_F(RoundTrip, FromOneContainerToTheOther) {
  const auto model = synthetic(wide_config("llama"), DType::f32);
  ExportReport report;
  // 4 bits in groups of 32 are q4_1; K types become affine groups of 32 with rounded scales.
  MlxExportOptions four;
  four.bits = 4;
  four.group = 32;
  const auto mlx = through_mlx(*model, four);
  const auto gguf = through_gguf(*mlx, "stored", &report);
  for (const ExportedTensor& tensor : report.tensors) EXPECT_EQ(tensor.fidelity, Fidelity::bit_exact) << tensor.name;
  expect_same(*gguf, *mlx, "q4_1");
  const auto nested = through_gguf(*model, "q4_k");
  const auto back = through_mlx(*nested, {}, &report);
  int rounded = 0;
  for (const ExportedTensor& tensor : report.tensors) {
    EXPECT_LE(tensor.fidelity, Fidelity::rounding) << tensor.name;
    EXPECT_LT(tensor.relative_rms_error, 0x1p-10) << tensor.name;
    rounded += tensor.fidelity == Fidelity::rounding ? 1 : 0;
  }
  EXPECT_GT(rounded, 10);
  const auto six = through_gguf(*model, "q6_k");
  const auto refused = export_mlx(*six, folder_ / "no", {}, pool_);
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(contains(refused.status().message(), "expected a layout that MLX has")) << refused.status().message();
}

TEST_F(RoundTrip, MlxFoldersSayHowTheyArePacked) {
  const auto model = synthetic(wide_config("llama"), DType::f16);
  MlxExportOptions options;
  options.bits = 4;
  through_mlx(*model, options);
  const Json config = Json::parse(read_text(folder_ / "mlx" / "config.json"));
  EXPECT_EQ(config["quantization"]["bits"], 4);
  EXPECT_EQ(config["quantization"]["group_size"], 64);
  EXPECT_EQ(config["quantization_config"], config["quantization"]);
  EXPECT_EQ(config["tie_word_embeddings"], false);
  const Json index = Json::parse(read_text(folder_ / "mlx" / "model.safetensors.index.json"));
  EXPECT_EQ(index["weight_map"]["lm_head.scales"], "model.safetensors");
  EXPECT_FALSE(index["weight_map"].contains("model.norm.scales"));
}

}  // namespace
}  // namespace halftone
