// SPDX-License-Identifier: Apache-2.0
#include "formats/mlx/mlx.h"

#include <gtest/gtest.h>

#include <cmath>

#include "formats/import/test_cache.h"
#include "formats/json_text.h"
#include "formats/test_files.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct RawTensor {
  std::string name;
  DType type;
  std::vector<int64_t> shape;
  std::string bytes;
};

void write_raw(const fs::path& path, const std::vector<RawTensor>& tensors) {
  SafetensorsPlan plan;
  plan.alignment = 1;
  for (const RawTensor& tensor : tensors)
    plan.tensors.push_back({tensor.name, tensor.type, tensor.shape, static_cast<int64_t>(tensor.bytes.size())});
  auto writer = SafetensorsWriter::create(path, plan);
  HALFTONE_CHECK(writer.ok());
  for (const RawTensor& tensor : tensors) HALFTONE_CHECK(writer->write(bytes_of_text(tensor.bytes)).ok());
  HALFTONE_CHECK(writer->finish().ok());
}

std::string payload(DType type, const std::vector<float>& values) { return TestTensor{"", type, {}, values}.payload(); }

std::string text_of_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

constexpr std::string_view kModule = "model.layers.0.self_attn.q_proj";

class OpenMlx : public ::testing::Test {
 protected:
  // A folder with one packed matrix; `rows` times the same row.
  void write(const Json& config, const std::string& weight, DType scale_type, std::string scales, std::string biases,
             int64_t rows = 1) {
    const std::string module(kModule);
    const auto words = static_cast<int64_t>(weight.size()) / 4;
    const auto groups = static_cast<int64_t>(scales.size()) / bytes_of(scale_type);
    std::vector<RawTensor> tensors = {{module + ".weight", DType::u32, {rows, words}, repeat(weight, rows)},
                                      {module + ".scales", scale_type, {rows, groups}, repeat(scales, rows)}};
    if (!biases.empty()) tensors.push_back({module + ".biases", scale_type, {rows, groups}, repeat(biases, rows)});
    tensors.push_back({"model.norm.weight", DType::bf16, {8}, payload(DType::bf16, std::vector<float>(8, 1.5f))});
    write_text(folder_ / "config.json", config.dump());
    write_raw(folder_ / "model.safetensors", tensors);
  }
  static std::string repeat(const std::string& text, int64_t times) {
    std::string all;
    for (int64_t i = 0; i < times; ++i) all += text;
    return all;
  }
  static Json config_of(int bits, int64_t group, int64_t hidden = 128) {
    return {{"model_type", "llama"},
            {"hidden_size", hidden},
            {"tie_word_embeddings", true},
            {"quantization", {{"bits", bits}, {"group_size", group}}}};
  }
  Result<ModelFile> open() { return open_model_file(folder_.path()); }
  ModelFile opened() {
    auto model = open();
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model.ok() ? *std::move(model) : ModelFile();
  }
  std::string message() {
    const auto model = open();
    return model.ok() ? "opened" : std::string(model.status().message());
  }
  static const TensorLabel& label_of(const ModelFile& model) {
    for (const TensorLabel& label : model.import->labels)
      if (label.name.starts_with(kModule)) return label;
    HALFTONE_CHECK(false);
    return model.import->labels.front();
  }
  static std::vector<float> row_of(const ModelFile& model, int64_t row = 0) {
    const StoredTensor* tensor = model.find(std::string(kModule) + ".weight");
    HALFTONE_CHECK(tensor != nullptr);
    std::vector<float> values(static_cast<size_t>(tensor->shape.back()));
    decode_row(tensor->view(), row, values.data());
    return values;
  }

  TestCache cache_;
  TempFolder folder_;
};

TEST_F(OpenMlx, EveryWidthKeepsEveryNumber) {
  const auto golden = read_json_file(fs::path(HALFTONE_SOURCE_DIR) / "tests/golden/quantized_blocks.json");
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  for (const auto& row : (*golden)["mlx"]) {
    const int bits = row["bits"].get<int>();
    for (const DType type : {DType::bf16, DType::f16, DType::f32}) {
      write(config_of(bits, row["group"].get<int64_t>()), text_of_hex(row["weight"]), type,
            payload(type, row["scales"].get<std::vector<float>>()),
            payload(type, row["biases"].get<std::vector<float>>()), 3);
      const ModelFile model = opened();
      ASSERT_TRUE(model.import);
      EXPECT_EQ(model.container, "mlx");
      EXPECT_EQ(row_of(model, 2), row["values"].get<std::vector<float>>()) << bits;
      EXPECT_EQ(label_of(model).fidelity, Fidelity::bit_exact);
      EXPECT_EQ(label_of(model).layout, fmt::format("uint{}_affine{}", bits, row["group"].get<int64_t>()));
      EXPECT_FALSE(model.config.contains("quantization"));
      EXPECT_EQ(model.find("model.norm.weight")->layout->id, LayoutId::bf16);
    }
  }
}

TEST_F(OpenMlx, FourBitFloatsKeepEveryNumber) {
  Json config = config_of(4, 32, 64);
  config["quantization"]["mode"] = "mxfp4";
  std::string weight;
  for (int i = 0; i < 32; ++i) weight.push_back(static_cast<char>((i * 2 % 16) | (i * 2 + 1) % 16 << 4));
  write(config, weight, DType::u8, std::string("\x7f\x7c", 2), "");
  const ModelFile model = opened();
  const std::vector<float> row = row_of(model);
  const std::vector<float> first = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
  for (size_t k = 0; k < 64; ++k) EXPECT_EQ(row[k], first[k % 16] * (k < 32 ? 1.0f : 0.125f)) << k;
  EXPECT_EQ(label_of(model).fidelity, Fidelity::bit_exact);
  EXPECT_EQ(label_of(model).stored_type, "mxfp4");
  // Five bits hold the doubled numbers; a power beyond f16 is named.
  EXPECT_EQ(label_of(model).layout, "int5_block32");
  write(config, weight, DType::u8, std::string("\x8f\x7c", 2), "");
  EXPECT_EQ(row_of(opened())[7], 6 * 0x1p16f);
  write(config, weight, DType::u8, std::string("\xa0\x7c", 2), "");
  EXPECT_TRUE(contains(message(), "scales that fit f16, got 2^33 at row 0, group 0")) << message();
}

TEST_F(OpenMlx, ScalesOutsideOfF16AreSaidToBeRounded) {
  const std::string weight(64, '\x21');  // 128 codes of 4 bits
  write(config_of(4, 64), weight, DType::bf16, payload(DType::bf16, {1.5e-7f, 0.5f}),
        payload(DType::bf16, {-1e-6f, 0.0f}));
  ModelFile model = opened();
  EXPECT_EQ(label_of(model).fidelity, Fidelity::rounding);
  EXPECT_GT(label_of(model).max_relative_error, 0.001);
  EXPECT_LT(label_of(model).max_relative_error, 0.2);
  // mlx gives groups of equal weights a tiny scale; where no code uses it, nothing is lost.
  write(config_of(4, 64), std::string(64, '\0'), DType::f32, payload(DType::f32, {1e-7f, 1e-7f}),
        payload(DType::f32, {0.25f, 0.0f}));
  model = opened();
  EXPECT_EQ(label_of(model).fidelity, Fidelity::bit_exact);
  write(config_of(4, 64), weight, DType::bf16, payload(DType::bf16, {1e6f, 1}), payload(DType::bf16, {0, 0}));
  EXPECT_TRUE(contains(message(), "q_proj.scales': expected finite scales that fit f16, got")) << message();
  write(config_of(4, 64), weight, DType::f16, payload(DType::f16, {1, 1}), payload(DType::f16, {0, NAN}));
  EXPECT_TRUE(contains(message(), "expected finite biases")) << message();
  EXPECT_TRUE(contains(message(), "row 0, group 1")) << message();
}

TEST_F(OpenMlx, TensorsAreRightWhereTheConfigIsNot) {
  const std::string weight(64, '\x21');
  const std::string scales = payload(DType::f16, {1, 1}), biases = payload(DType::f16, {0, 0});
  write(config_of(8, 32), weight, DType::f16, scales, biases);  // 64 bytes of 128 columns are 4 bits
  ModelFile model = opened();
  EXPECT_EQ(label_of(model).layout, "uint4_affine64");
  ASSERT_EQ(model.import->notes.size(), 1u);
  EXPECT_TRUE(contains(model.import->notes[0], "affine 8 bits, groups of 32")) << model.import->notes[0];
  // An entry of its own wins over the common one.
  Json config = config_of(8, 64);
  config["quantization"][std::string(kModule)] = {{"bits", 4}, {"group_size", 64}};
  write(config, weight, DType::f16, scales, biases);
  EXPECT_TRUE(opened().import->notes.empty());
  // Without any word in the config, shapes and the model's width are enough.
  config.erase("quantization");
  write(config, weight, DType::f16, scales, biases);
  EXPECT_EQ(label_of(opened()).layout, "uint4_affine64");
  // 4 bits in groups of 64 look like 8 in groups of 32 when the width is unknown.
  config.erase("hidden_size");
  write(config, weight, DType::f16, scales, biases);
  EXPECT_TRUE(contains(message(), "packings fit; correct \"quantization\"")) << message();
  write(config_of(4, 64), weight + "abcd", DType::f16, scales, biases);
  EXPECT_TRUE(contains(message(), "expected bits and group size that fit its shape (1, 17)")) << message();
}

TEST_F(OpenMlx, WhatCannotBeReadIsNamed) {
  const std::string weight(64, '\x21');
  const std::string scales = payload(DType::f16, {1, 1}), biases = payload(DType::f16, {0, 0});
  Json config = config_of(4, 64);
  config["quantization"]["mode"] = "nvfp4";
  write(config, weight, DType::f16, scales, biases);
  EXPECT_TRUE(contains(message(), "quantization.mode: expected affine or mxfp4, got \"nvfp4\"")) << message();
  config = config_of(4, 64);
  config["quantization"]["bits"] = 17;
  write(config, weight, DType::f16, scales, biases);
  EXPECT_TRUE(contains(message(), "quantization.bits: expected 2, 3, 4, 5, 6 or 8, got 17")) << message();
  write(config_of(4, 64), weight, DType::f16, scales, "");
  EXPECT_TRUE(contains(message(), "float scales and biases, or bytes as scales")) << message();
  write_raw(folder_ / "model.safetensors", {{"a.weight", DType::u32, {1, 16}, weight}});
  EXPECT_TRUE(contains(message(), "expected a.scales beside packed weights")) << message();
}

TEST_F(OpenMlx, TheUsersTokenizerIsUsedEvenWhenItChangedSince) {
  const std::string weight(64, '\x21');
  const std::string scales = payload(DType::f16, {1, 1}), biases = payload(DType::f16, {0, 0});
  write(config_of(4, 64), weight, DType::f16, scales, biases);
  EXPECT_TRUE(opened().side_files.empty());
  write_text(folder_ / "tokenizer.json", "{}");
  const ModelFile model = opened();
  EXPECT_EQ(model.side_files.at("tokenizer.json"), folder_ / "tokenizer.json");
  EXPECT_EQ(model.import->seconds, 0);
}

}  // namespace
}  // namespace halftone
