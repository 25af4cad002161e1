// SPDX-License-Identifier: Apache-2.0
#include "export/export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file_map.h"
#include "base/json_schema.h"
#include "export/mlx.h"
#include "export/verify.h"
#include "formats/gguf/gguf.h"
#include "generate/tiny_model.h"
#include "models/synth.h"
#include "models/synth/tiny_tokenizer.h"
#include "quantize/quantize.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// A decoder whose rows all fit blocks of 32.
Json small_config() {
  return {{"model_type", "llama"},
          {"hidden_size", 64},
          {"intermediate_size", 96},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"head_dim", 16},
          {"vocab_size", 96},
          {"max_position_embeddings", 64},
          {"rms_norm_eps", 1e-5},
          {"tie_word_embeddings", true},
          {"bos_token_id", 1},
          {"eos_token_id", {2, 3}}};
}

struct ReadBack {
  std::shared_ptr<const FileMap> map;
  GgufHeader header;
  const GgufTensor& tensor(std::string_view name) const {
    const GgufTensor* found = header.find_tensor(name);
    EXPECT_NE(found, nullptr) << name;
    return *found;
  }
  std::vector<float> row(const GgufTensor& tensor, int64_t row) const {
    std::vector<float> out(static_cast<size_t>(tensor.shape.back()));
    const int64_t at = static_cast<int64_t>(tensor.begin) + row * tensor.type->row_bytes(tensor.shape.back());
    tensor.type->decode_row(map->bytes().data() + at, tensor.shape.back(), out.data());
    return out;
  }
  std::vector<float> row(std::string_view name, int64_t index) const { return row(tensor(name), index); }
  std::string_view bytes(std::string_view name) const {
    const GgufTensor& found = tensor(name);
    return {reinterpret_cast<const char*>(map->bytes().data()) + found.begin, found.end - found.begin};
  }
  uint64_t number(std::string_view key) const { return std::get<uint64_t>(header.find(key)->value); }
  const GgufArray& list(std::string_view key) const { return std::get<GgufArray>(header.find(key)->value); }
};

class Export : public ::testing::Test {
 protected:
  std::shared_ptr<const LanguageModel> load(const fs::path& path) {
    auto model = load_language_model(path);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return *std::move(model);
  }
  std::shared_ptr<const LanguageModel> synthetic(const Json& config, DType type = DType::f16) {
    SynthOptions options;
    options.type = type;
    options.replace = true;
    const auto report = synth_from_config(config, folder_ / "synth", options);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return load(folder_ / "synth");
  }
  std::shared_ptr<const LanguageModel> quantized(const LanguageModel& source, const std::string& preset) {
    return quantized(source, load_recipe(preset).value());
  }
  std::shared_ptr<const LanguageModel> quantized(const LanguageModel& source, const Recipe& recipe) {
    const fs::path path = folder_ / (recipe.name + ".ht");
    const auto report = quantize(source, recipe, path, {true}, pool_, no_progress());
    EXPECT_TRUE(report.ok()) << report.status().message();
    return load(path);
  }
  Result<ExportReport> try_export(const LanguageModel& model, std::string_view type, ExportOptions options = {}) {
    options.replace = true;
    if (type != "stored") options.type = find_ggml_type(type);
    return export_gguf(model, out_, options, pool_);
  }
  ExportReport exported(const LanguageModel& model, std::string_view type, ExportOptions options = {}) {
    auto report = try_export(model, type, options);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return report.ok() ? *std::move(report) : ExportReport();
  }
  std::string refusal(const LanguageModel& model, std::string_view type, ExportOptions options = {}) {
    const auto report = try_export(model, type, options);
    return report.ok() ? "accepted" : std::string(report.status().message());
  }
  ReadBack read_back() const {
    ReadBack read;
    read.map = FileMap::open(out_).value();
    auto header = parse_gguf(read.map->bytes(), "out.gguf");
    EXPECT_TRUE(header.ok()) << header.status().message();
    read.header = *std::move(header);
    return read;
  }
  static std::vector<float> source_row(const LanguageModel& model, std::string_view name, int64_t row) {
    const StoredTensor* tensor = model.file.find(name);
    std::vector<float> out(static_cast<size_t>(tensor->shape.back()));
    decode_row(tensor->view(), row, out.data());
    return out;
  }
  // How many matrices have this label.
  static int count(const ExportReport& report, Fidelity fidelity, std::string_view type) {
    int count = 0;
    for (const ExportedTensor& tensor : report.tensors)
      count += tensor.shape.size() == 2 && tensor.fidelity == fidelity && tensor.type == type ? 1 : 0;
    return count;
  }

  TempFolder folder_;
  fs::path out_ = folder_ / "out.gguf";
  ThreadPool pool_{2};
};

constexpr int kMatrices = 15;  // embedding and 7 in each of 2 layers

TEST_F(Export, F16IsBitExactFromF16AndRoundedFromF32) {
  const auto half = synthetic(small_config(), DType::f16);
  EXPECT_EQ(count(exported(*half, "f16"), Fidelity::bit_exact, "f16"), kMatrices);
  const auto full = synthetic(small_config(), DType::f32);
  const ExportReport report = exported(*full, "f16");
  EXPECT_EQ(count(report, Fidelity::rounding, "f16"), kMatrices);
  for (const ExportedTensor& tensor : report.tensors) EXPECT_LE(tensor.relative_rms_error, 0x1p-11) << tensor.name;
  EXPECT_EQ(count(exported(*full, "f32"), Fidelity::bit_exact, "f32"), kMatrices);
}

TEST_F(Export, QueriesAndKeysOfLlamaAreInterleavedWithinHeads) {
  Json config = small_config();
  config["attention_bias"] = true;
  const auto model = synthetic(config);
  exported(*model, "f16");
  const ReadBack file = read_back();
  for (const auto& [name, stored] : {std::pair("model.layers.1.self_attn.q_proj", "blk.1.attn_q"),
                                     std::pair("model.layers.1.self_attn.k_proj", "blk.1.attn_k")}) {
    const std::string weight = std::string(name) + ".weight", bias = std::string(name) + ".bias";
    const auto biases = source_row(*model, bias, 0), stored_biases = file.row(std::string(stored) + ".bias", 0);
    for (int64_t head = 0; head < 2; ++head)
      for (int64_t i = 0; i < 8; ++i) {
        const auto first = static_cast<size_t>(16 * head + 2 * i), old = static_cast<size_t>(16 * head + i);
        EXPECT_EQ(file.row(std::string(stored) + ".weight", 16 * head + 2 * i),
                  source_row(*model, weight, 16 * head + i));
        EXPECT_EQ(file.row(std::string(stored) + ".weight", 16 * head + 2 * i + 1),
                  source_row(*model, weight, 16 * head + i + 8));
        EXPECT_EQ(stored_biases[first], biases[old]);
        EXPECT_EQ(stored_biases[first + 1], biases[old + 8]);
      }
  }
  EXPECT_EQ(file.row("blk.1.attn_v.weight", 3), source_row(*model, "model.layers.1.self_attn.v_proj.weight", 3));
}

TEST_F(Export, QwenKeepsItsRowsAndItsNames) {
  Json config = small_config();
  config["model_type"] = "qwen3";
  const auto model = synthetic(config);
  EXPECT_EQ(exported(*model, "f16").architecture, "qwen3");
  const ReadBack file = read_back();
  EXPECT_EQ(file.header.text("general.architecture"), "qwen3");
  EXPECT_EQ(file.number("qwen3.attention.key_length"), 16u);
  EXPECT_EQ(file.row("blk.0.attn_q.weight", 1), source_row(*model, "model.layers.0.self_attn.q_proj.weight", 1));
  EXPECT_EQ(file.row("blk.0.attn_q_norm.weight", 0), source_row(*model, "model.layers.0.self_attn.q_norm.weight", 0));
}

TEST_F(Export, CodesAndScalesOfAnArtifactAreCarriedOver) {
  const auto model = synthetic(small_config());
  for (const auto& [recipe, type] :
       {std::pair("int4", "q4_0"), std::pair("int8-block", "q8_0"), std::pair("int4-channel", "q4_0"),
        std::pair("int8", "q8_0"), std::pair("int4-block64", "q4_0"), std::pair("int4-block128", "q4_0"),
        std::pair("int3", "q4_0"), std::pair("int6", "q8_0")}) {
    const auto artifact = quantized(*model, recipe);
    const ExportReport report = exported(*artifact, "stored");
    EXPECT_EQ(count(report, Fidelity::bit_exact, type), kMatrices) << recipe;
    const ReadBack file = read_back();
    for (const int64_t row : {0, 17, 63})
      EXPECT_EQ(file.row("blk.0.ffn_down.weight", row),
                source_row(*artifact, "model.layers.0.mlp.down_proj.weight", row));
    EXPECT_EQ(count(exported(*artifact, "q8_0"), Fidelity::bit_exact, "q8_0"), kMatrices) << recipe;
    EXPECT_EQ(count(exported(*artifact, "f32"), Fidelity::bit_exact, "f32"), kMatrices) << recipe;
    EXPECT_EQ(count(exported(*artifact, "f16"), Fidelity::rounding, "f16"), kMatrices) << recipe;
  }
}

TEST_F(Export, JsonFollowsItsSchema) {
  const auto model = synthetic(small_config());
  JsonSchema schema(fs::path(HALFTONE_SOURCE_DIR) / "docs/schema/export.json");
  for (const char* type : {"f32", "bf16", "q4_0"})
    for (const std::string& problem : schema.problems_of(exported(*model, type).to_json())) ADD_FAILURE() << problem;
}

TEST_F(Export, AFloatModelGetsTheCodesThatSearchChooses) {
  const auto model = synthetic(small_config());
  const std::pair<const char*, const char*> types[] = {
      {"q4_0", "int4_block32"}, {"q4_1", "uint4_affine32"}, {"q8_0", "int8_block32"}};
  for (const auto& [type, layout] : types) {
    EXPECT_EQ(count(exported(*model, type), Fidelity::quantized, type), kMatrices);
    const ReadBack from_float = read_back();
    const std::string direct(from_float.bytes("blk.1.attn_k.weight"));
    const auto recipe = parse_recipe(fmt::format("rules: [{{layout: {}, method: search}}]", layout), "searched");
    ASSERT_TRUE(recipe.ok()) << recipe.status().message();
    exported(*quantized(*model, *recipe), type);
    EXPECT_EQ(read_back().bytes("blk.1.attn_k.weight"), direct) << type;
  }
}

TEST_F(Export, ASecondLossNeedsPermission) {
  const auto artifact = quantized(*synthetic(small_config()), "int8");
  const std::string message = refusal(*artifact, "q4_0");
  EXPECT_TRUE(contains(message,
                       "tensor 'model.embed_tokens.weight': expected weights that q4_0 holds as they are, got "
                       "int8_channel"))
      << message;
  EXPECT_TRUE(contains(message, "--allow-requantize"));
  EXPECT_FALSE(fs::exists(out_));
  ExportOptions allowed;
  allowed.allow_requantize = true;
  EXPECT_EQ(count(exported(*artifact, "q4_0", allowed), Fidelity::requantized, "q4_0"), kMatrices);
}

TEST_F(Export, PalettesAreRefusedByName) {
  const auto artifact = quantized(*synthetic(small_config()), "lut4");
  EXPECT_TRUE(contains(refusal(*artifact, "stored"), "holds as it is, got lut4_group16, a palette; choose --type f16"));
  EXPECT_TRUE(contains(refusal(*artifact, "q4_0"), "expected weights that q4_0 holds as they are, got lut4_group16"));
  EXPECT_EQ(count(exported(*artifact, "f16"), Fidelity::bit_exact, "f16"), kMatrices);  // what entries are
  const auto mlx = export_mlx(*artifact, folder_ / "mlx", {}, pool_);
  ASSERT_FALSE(mlx.ok());
  EXPECT_TRUE(contains(mlx.status().message(), "expected a layout that MLX has")) << mlx.status().message();
  EXPECT_TRUE(contains(mlx.status().message(), "got lut4_group16, a palette;"));
  const Recipe pairs = parse_recipe("rules: [{layout: lut6v2_tensor}]", "r").value();
  EXPECT_TRUE(contains(refusal(*quantized(*synthetic(small_config()), pairs), "stored"), "got lut6v2_tensor, a pal"));
}

TEST_F(Export, RowsThatFitNoBlockAreAnErrorOrANamedLine) {
  write_tiny_model(folder_ / "tiny");  // 48 columns in down_proj
  const auto model = load(folder_ / "tiny");
  const std::string message = refusal(*model, "q8_0");
  EXPECT_TRUE(contains(message,
                       "'model.layers.0.mlp.down_proj.weight': expected rows of a multiple of 32 columns for "
                       "q8_0, got 48"))
      << message;
  ExportOptions allowed;
  allowed.allow_float = true;
  const ExportReport report = exported(*model, "q8_0", allowed);
  EXPECT_EQ(count(report, Fidelity::rounding, "f16"), 2);
  ASSERT_GE(report.notes.size(), 2u);
  EXPECT_EQ(report.notes[0], "model.layers.0.mlp.down_proj.weight: 48 columns fit no block of q8_0, so it is f16");
}

TEST_F(Export, RopeFactorsOfLlama3AreATensor) {
  Json config = small_config();
  config["rope_theta"] = 500000.0;
  config["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 32.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 8192}};
  exported(*synthetic(config), "f16");
  const std::vector<float> factors = read_back().row("rope_freqs.weight", 0);
  ASSERT_EQ(factors.size(), 8u);
  EXPECT_EQ(factors.front(), 1.0f);
  EXPECT_EQ(factors.back(), 32.0f);
}

TEST_F(Export, MetadataSaysWhatTheConfigSays) {
  exported(*synthetic(small_config()), "q8_0");
  const ReadBack file = read_back();
  EXPECT_EQ(file.number("general.file_type"), 7u);
  EXPECT_EQ(file.number("general.quantization_version"), 2u);
  EXPECT_EQ(file.number("llama.block_count"), 2u);
  EXPECT_EQ(file.number("llama.embedding_length"), 64u);
  EXPECT_EQ(file.number("llama.feed_forward_length"), 96u);
  EXPECT_EQ(file.number("llama.attention.head_count"), 4u);
  EXPECT_EQ(file.number("llama.attention.head_count_kv"), 2u);
  EXPECT_EQ(file.number("llama.rope.dimension_count"), 16u);
  EXPECT_EQ(file.number("llama.context_length"), 64u);
  EXPECT_EQ(std::get<double>(file.header.find("llama.rope.freq_base")->value), 10000.0);
  EXPECT_EQ(file.header.text("tokenizer.ggml.model"), "no_vocab");
  EXPECT_EQ(file.header.find_tensor("output.weight"), nullptr);  // tied
}

TEST_F(Export, AWindowBecomesTheContextAndANote) {
  Json config = small_config();
  config["model_type"] = "mistral";
  config["sliding_window"] = 32;
  const ExportReport report = exported(*synthetic(config), "f16");
  EXPECT_TRUE(contains(report.notes.front(), "a context of 32 instead of 64")) << report.notes.front();
  EXPECT_EQ(read_back().number("llama.context_length"), 32u);
}

TEST_F(Export, AByteLevelTokenizerIsListedById) {
  Json config = small_config();
  config["vocab_size"] = kTinyTokenizerIds + 2;
  config["bos_token_id"] = kTinyTokenizerIds - 2;
  config["eos_token_id"] = kTinyTokenizerIds - 1;
  synthetic(config);
  write_text(folder_ / "synth/tokenizer.json", tiny_tokenizer_json());
  write_text(folder_ / "synth/tokenizer_config.json",
             R"({"chat_template": "{{ x }}", "eos_token": "<|end_of_text|>"})");
  exported(*load(folder_ / "synth"), "f16");
  const ReadBack file = read_back();
  EXPECT_EQ(file.header.text("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.header.text("tokenizer.ggml.pre"), "llama-bpe");
  EXPECT_EQ(file.header.text("tokenizer.chat_template"), "{{ x }}");
  const GgufArray& tokens = file.list("tokenizer.ggml.tokens");
  ASSERT_EQ(tokens.count, 290u);
  EXPECT_EQ(tokens.texts[286], "<|begin_of_text|>");
  EXPECT_EQ(tokens.texts[289], "[PAD289]");
  const GgufArray& types = file.list("tokenizer.ggml.token_type");
  const auto type_of = [&](size_t id) { return static_cast<int>(types.numbers[4 * id]); };
  EXPECT_EQ(type_of(0), 1);
  EXPECT_EQ(type_of(287), 3);
  EXPECT_EQ(type_of(288), 5);
  EXPECT_EQ(file.list("tokenizer.ggml.merges").texts.front(), "\xC4\xA0 t");
  EXPECT_EQ(file.number("tokenizer.ggml.bos_token_id"), 286u);
  EXPECT_EQ(file.number("tokenizer.ggml.eos_token_id"), 287u);
  EXPECT_TRUE(std::get<bool>(file.header.find("tokenizer.ggml.add_bos_token")->value));
}

TEST_F(Export, ATokenizerThatLlamaCppDoesNotKnowIsAnError) {
  synthetic(small_config());
  Json tokenizer = Json::parse(tiny_tokenizer_json());
  tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "[a-z]+";
  Json config = small_config();
  config["vocab_size"] = kTinyTokenizerIds;
  synthetic(config);
  write_text(folder_ / "synth/tokenizer.json", tokenizer.dump());
  const auto model = load(folder_ / "synth");
  EXPECT_TRUE(contains(refusal(*model, "f16"), "leave it out with --tokenizer none"));
  ExportOptions without;
  without.tokenizer = ExportTokenizer::none;
  exported(*model, "f16", without);
  EXPECT_EQ(read_back().header.text("tokenizer.ggml.model"), "no_vocab");
  without.tokenizer = ExportTokenizer::stand_in;
  exported(*model, "f16", without);
  const ReadBack file = read_back();
  EXPECT_EQ(file.header.text("tokenizer.ggml.model"), "llama");
  EXPECT_EQ(file.list("tokenizer.ggml.tokens").count, static_cast<uint64_t>(kTinyTokenizerIds));
  EXPECT_EQ(file.list("tokenizer.ggml.tokens").texts[3 + 10], "<0x0A>");
  EXPECT_EQ(file.list("tokenizer.ggml.scores").count, static_cast<uint64_t>(kTinyTokenizerIds));
}

TEST_F(Export, WeightsThatOverflowAreNamedAndNothingStays) {
  write_tiny_model(folder_ / "tiny");
  std::string file = read_text(folder_ / "tiny/model.safetensors");
  const float huge = 1e6f;
  std::memcpy(file.data() + file.size() - 4 * 32 - 4 * 5, &huge, 4);  // near the end: the last matrix, before the norm
  write_text(folder_ / "tiny/model.safetensors", file);
  const std::string message = refusal(*load(folder_ / "tiny"), "f16");
  EXPECT_TRUE(contains(message, "'model.layers.1.mlp.down_proj.weight': expected finite weights that fit f16"))
      << message;
  EXPECT_TRUE(contains(message, "got 1000000 at row 31, column 43")) << message;
  EXPECT_FALSE(fs::exists(out_));
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    EXPECT_EQ(entry.path().string().find("partial"), std::string::npos) << entry.path();
}

TEST_F(Export, AnExistingFileStaysUnlessAsked) {
  const auto model = synthetic(small_config());
  write_text(out_, "mine");
  EXPECT_FALSE(export_gguf(*model, out_, {}, pool_).ok());
  EXPECT_EQ(read_text(out_), "mine");
  exported(*model, "f16");
  EXPECT_EQ(read_text(out_).substr(0, 4), "GGUF");
}

// Verification is worth something only when it finds what is wrong.
TEST_F(Export, VerificationFindsAChangedByte) {
  const auto model = synthetic(small_config());
  for (const char* type : {"f16", "q4_0"}) {
    exported(*model, type);
    const auto plan = plan_gguf(*model, {find_ggml_type(type)});
    ASSERT_TRUE(plan.ok());
    ASSERT_TRUE(verify_gguf(out_, *plan, pool_, no_progress()).ok());
    const uint64_t at = read_back().tensor("blk.1.ffn_up.weight").begin + 3 * 64;
    std::string file = read_text(out_);
    file[at] = static_cast<char>(file[at] ^ 1);
    write_text(out_, file);
    const auto found = verify_gguf(out_, *plan, pool_, no_progress());
    ASSERT_FALSE(found.ok()) << type;
    EXPECT_TRUE(contains(found.status().message(), "tensor 'blk.1.ffn_up.weight': expected row"))
        << found.status().message();
  }
}

}  // namespace
}  // namespace halftone
