// SPDX-License-Identifier: Apache-2.0
// GGUF's metadata in the words of Hugging Face. What the graph needs and the file does not say is an error; what the
// file says and nobody here knows must not change numbers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "formats/gguf/open.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

using ConfigJson = nlohmann::json;

constexpr uint64_t kMostNumber = uint64_t{1} << 30;  // products of two fit 63 bits

struct ModelTypeOf {
  std::string_view architecture, model_type, activation;
};

constexpr std::array kModelTypes = {
    ModelTypeOf{"llama", "llama", "silu"},
    ModelTypeOf{"qwen2", "qwen2", "silu"},
    ModelTypeOf{"qwen3", "qwen3", "silu"},
    ModelTypeOf{"phi2", "phi", "gelu_new"},
    ModelTypeOf{"phi3", "phi3", "silu"},
    ModelTypeOf{"gemma", "gemma", "gelu_pytorch_tanh"},
    ModelTypeOf{"gemma2", "gemma2", "gelu_pytorch_tanh"},
    ModelTypeOf{"gemma3", "gemma3_text", "gelu_pytorch_tanh"},
};

// The largest models of two families scale queries by another width; the metadata does not say so.
constexpr int64_t kLayersOfGemma2_27B = 46, kLayersOfGemma3_27B = 62, kGemma3Pattern = 6;

class GgufConfig {
 public:
  explicit GgufConfig(const GgufFiles& files)
      : files_(files), header_(files.first()), file_(files.maps.front()->path().string()) {}

  Result<ConfigJson> build() {
    HALFTONE_TRY(read_architecture());
    HALFTONE_TRY(read_sizes());
    HALFTONE_TRY(read_norm());
    HALFTONE_TRY(read_rope());
    HALFTONE_TRY(read_windows());
    HALFTONE_TRY(read_caps());
    HALFTONE_TRY(read_tokens());
    return std::move(config_);
  }

 private:
  std::string key(std::string_view name) const { return fmt::format("{}.{}", architecture_, name); }

  template <class... Args>
  Status error(fmt::format_string<Args...> format, Args&&... args) const {
    return invalid_input("[gguf] {}: {}", file_, fmt::format(format, std::forward<Args>(args)...));
  }

  Status read_architecture() {
    architecture_ = header_.text("general.architecture");
    std::string known;
    for (const ModelTypeOf& row : kModelTypes) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", row.architecture);
      if (row.architecture != architecture_) continue;
      config_["model_type"] = row.model_type;
      config_["hidden_act"] = row.activation;
    }
    if (config_.contains("model_type")) return {};
    return unsupported("[gguf] {}: expected a general.architecture that is known here ({}), got '{}'", file_, known,
                       architecture_);
  }

  // A whole number, or a list of equal ones (per layer); `fallback` < 0: it must be there.
  Result<int64_t> whole(std::string_view name, int64_t fallback) const {
    const GgufEntry* entry = header_.find(key(name));
    if (entry == nullptr && fallback >= 0) return fallback;
    if (entry == nullptr) return error("expected {}, got none; convert the model again", key(name));
    if (const auto* number = std::get_if<uint64_t>(&entry->value); number != nullptr && *number <= kMostNumber)
      return static_cast<int64_t>(*number);
    if (const auto* number = std::get_if<int64_t>(&entry->value);
        number != nullptr && *number >= 0 && static_cast<uint64_t>(*number) <= kMostNumber)
      return *number;
    if (const auto* list = std::get_if<GgufArray>(&entry->value)) return equal_numbers(*entry, *list);
    return error("{}: expected a whole number up to {}, got {}", key(name), kMostNumber, name_of(entry->type));
  }

  Result<int64_t> equal_numbers(const GgufEntry& entry, const GgufArray& list) const {
    const bool words = list.element == GgufValueType::u32 || list.element == GgufValueType::i32;
    if (!words || list.count == 0)
      return error("{}: expected a number, got a list of {} {}", entry.key, list.count, name_of(list.element));
    const auto word = [&](uint64_t i) {
      uint32_t value = 0;
      for (size_t b = 0; b < 4; ++b) value |= static_cast<uint32_t>(list.numbers[i * 4 + b]) << (8 * b);
      return value;
    };
    for (uint64_t i = 1; i < list.count; ++i)
      if (word(i) != word(0))
        return unsupported("[gguf] {}: {}: expected the same number for every layer, got {} and {}", file_, entry.key,
                           word(0), word(i));
    if (word(0) > kMostNumber) return error("{}: expected at most {}, got {}", entry.key, kMostNumber, word(0));
    return static_cast<int64_t>(word(0));
  }

  Result<double> real(std::string_view name, double fallback) const {
    const GgufEntry* entry = header_.find(key(name));
    if (entry == nullptr) return fallback;
    const auto* number = std::get_if<double>(&entry->value);
    if (number == nullptr || !std::isfinite(*number))
      return error("{}: expected a finite number, got {}", key(name), name_of(entry->type));
    return *number;
  }

  Status put_whole(const char* to, std::string_view from, int64_t fallback = -1) {
    HALFTONE_ASSIGN(const int64_t value, whole(from, fallback));
    config_[to] = value;
    return {};
  }

  bool has_tensor(std::string_view name) const { return files_.find_tensor(name) != nullptr; }

  Status read_sizes() {
    HALFTONE_TRY(put_whole("hidden_size", "embedding_length"));
    HALFTONE_TRY(put_whole("intermediate_size", "feed_forward_length"));
    HALFTONE_TRY(put_whole("num_hidden_layers", "block_count"));
    HALFTONE_TRY(put_whole("num_attention_heads", "attention.head_count"));
    const auto heads = config_["num_attention_heads"].get<int64_t>();
    HALFTONE_TRY(put_whole("num_key_value_heads", "attention.head_count_kv", heads));
    HALFTONE_TRY(put_whole("max_position_embeddings", "context_length"));
    if (heads < 1) return error("{}: expected at least 1, got {}", key("attention.head_count"), heads);
    HALFTONE_TRY(put_whole("head_dim", "attention.key_length", config_["hidden_size"].get<int64_t>() / heads));
    HALFTONE_ASSIGN(const int64_t values, whole("attention.value_length", config_["head_dim"].get<int64_t>()));
    if (config_["head_dim"] != values || values < 2 || values % 2 != 0)
      return unsupported(
          "[gguf] {}: expected heads of an even number of columns, as many for keys as for values, got {} and {}",
          file_, config_["head_dim"].get<int64_t>(), values);
    HALFTONE_ASSIGN(const int64_t experts, whole("expert_count", 0));
    if (experts > 0) return unsupported("[gguf] {}: expected a dense model, got {} experts", file_, experts);
    const GgufTensor* embedding = files_.find_tensor("token_embd.weight");
    if (embedding == nullptr || embedding->shape.size() != 2)
      return error("expected a matrix token_embd.weight, got none; a part is missing");
    config_["vocab_size"] = embedding->shape.front();
    config_["tie_word_embeddings"] = !has_tensor("output.weight");
    if (architecture_ == "llama") {
      config_["attention_bias"] = has_tensor("blk.0.attn_q.bias");
      config_["mlp_bias"] = has_tensor("blk.0.ffn_gate.bias");
    }
    return {};
  }

  Status read_norm() {
    const bool layer_norm = architecture_ == "phi2";
    HALFTONE_ASSIGN(const double epsilon,
                    real(layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 1e-5));
    config_[layer_norm ? "layer_norm_eps" : "rms_norm_eps"] = epsilon;
    return {};
  }

  // Which layers have the window is the family's own.
  Status read_windows() {
    if (architecture_ != "phi3" && architecture_ != "gemma2" && architecture_ != "gemma3") return {};
    HALFTONE_ASSIGN(const int64_t window, whole("attention.sliding_window", 0));
    if (window > 0) config_["sliding_window"] = window;
    if (architecture_ != "gemma3") return {};
    config_["sliding_window_pattern"] = kGemma3Pattern;
    HALFTONE_ASSIGN(const double local, real("rope.freq_base_swa", 10000));
    config_["rope_local_base_freq"] = local;
    return {};
  }

  Status read_caps() {
    if (architecture_ != "gemma2" && architecture_ != "gemma3") return {};
    const bool second = architecture_ == "gemma2";
    HALFTONE_ASSIGN(const double attention, real("attn_logit_softcapping", second ? 50 : 0));
    HALFTONE_ASSIGN(const double logits, real("final_logit_softcapping", second ? 30 : 0));
    if (attention > 0) config_["attn_logit_softcapping"] = attention;
    if (logits > 0) config_["final_logit_softcapping"] = logits;
    const bool largest = config_["num_hidden_layers"] == (second ? kLayersOfGemma2_27B : kLayersOfGemma3_27B);
    config_["query_pre_attn_scalar"] =
        largest ? config_["hidden_size"].get<int64_t>() / config_["num_attention_heads"].get<int64_t>()
                : config_["head_dim"].get<int64_t>();
    return {};
  }

  Status read_rope() {
    HALFTONE_ASSIGN(const double theta, real("rope.freq_base", 10000));
    config_["rope_theta"] = theta;
    const auto head_dim = config_["head_dim"].get<int64_t>();
    HALFTONE_ASSIGN(const int64_t rotary, whole("rope.dimension_count", head_dim));
    if (rotary < 2 || rotary % 2 != 0 || rotary > head_dim)
      return error("{}: expected an even number up to {}, got {}", key("rope.dimension_count"), head_dim, rotary);
    if (rotary != head_dim) config_["partial_rotary_factor"] = fraction(rotary, head_dim);
    const std::string_view type = header_.text(key("rope.scaling.type"));
    HALFTONE_ASSIGN(const double old_factor, real("rope.scale_linear", 1));
    HALFTONE_ASSIGN(const double factor, real("rope.scaling.factor", old_factor));
    if ((type.empty() && factor != 1) || type == "linear") {
      config_["rope_scaling"] = {{"rope_type", "linear"}, {"factor", factor}};
    } else if (!type.empty() && type != "none" && type != "longrope") {
      return unsupported("[gguf] {}: {}: expected none or linear, got '{}'", file_, key("rope.scaling.type"), type);
    }
    return read_rope_factors(rotary);
  }

  // The least fraction whose product with `whole` is not below `part`.
  static double fraction(int64_t part, int64_t whole) {
    const double exact = static_cast<double>(part) / static_cast<double>(whole);
    return exact * static_cast<double>(whole) < static_cast<double>(part) ? std::nextafter(exact, 1.0) : exact;
  }

  // A divisor of each frequency, as tensors: Llama 3 has one set, Phi-3 one for short and one for long texts.
  Status read_rope_factors(int64_t rotary) {
    HALFTONE_ASSIGN(ConfigJson factors, floats("rope_freqs.weight", rotary / 2));
    HALFTONE_ASSIGN(ConfigJson long_factors, floats("rope_factors_long.weight", rotary / 2));
    HALFTONE_ASSIGN(ConfigJson short_factors, floats("rope_factors_short.weight", rotary / 2));
    if (factors.empty() && long_factors.empty() && short_factors.empty()) return {};
    const bool pair = !long_factors.empty() && !short_factors.empty();
    if (config_.contains("rope_scaling") || pair == !factors.empty())
      return unsupported(
          "[gguf] {}: expected one kind of rope scaling, got {} and tensors, or an incomplete pair of them", file_,
          key("rope.scaling.type"));
    const auto context = config_["max_position_embeddings"].get<int64_t>();
    HALFTONE_ASSIGN(const int64_t original, whole("rope.scaling.original_context_length", context));
    HALFTONE_ASSIGN(const double magnitude, real("rope.scaling.attn_factor", 1));
    config_["rope_scaling"] = {{"rope_type", "longrope"},
                               {"short_factor", pair ? short_factors : factors},
                               {"long_factor", pair ? long_factors : factors},
                               {"attention_factor", magnitude},
                               {"original_max_position_embeddings", original}};
    return {};
  }

  // A short vector of f32; empty: there is none.
  Result<ConfigJson> floats(std::string_view name, int64_t expected) const {
    ConfigJson values = ConfigJson::array();
    for (size_t i = 0; i < files_.headers.size(); ++i) {
      const GgufTensor* tensor = files_.headers[i].find_tensor(name);
      if (tensor == nullptr) continue;
      if (tensor->type != &ggml_type(GgmlTypeId::f32) || tensor->shape != std::vector<int64_t>{expected})
        return error("tensor '{}': expected {} numbers of f32, got {} {}", name, expected, tensor->shape.back(),
                     tensor->type->name);
      std::vector<float> row(static_cast<size_t>(expected));
      tensor->type->decode_row(files_.maps[i]->bytes().data() + tensor->begin, expected, row.data());
      for (const float value : row) {
        if (!std::isfinite(value) || value <= 0)
          return error("tensor '{}': expected positive numbers, got {}", name, value);
        values.push_back(static_cast<double>(value));
      }
    }
    return values;
  }

  // Ids that end a text: llama.cpp stops at each of the three kinds.
  Status read_tokens() {
    const auto id = [&](std::string_view name) -> int64_t {
      const GgufEntry* entry = header_.find(fmt::format("tokenizer.ggml.{}_token_id", name));
      const auto* value = entry == nullptr ? nullptr : std::get_if<uint64_t>(&entry->value);
      return value == nullptr || *value >= config_["vocab_size"].get<uint64_t>() ? -1 : static_cast<int64_t>(*value);
    };
    if (id("bos") >= 0) config_["bos_token_id"] = id("bos");
    ConfigJson ends = ConfigJson::array();
    for (const std::string_view name : {"eos", "eot", "eom"})
      if (const int64_t end = id(name); end >= 0 && std::find(ends.begin(), ends.end(), end) == ends.end())
        ends.push_back(end);
    if (!ends.empty()) config_["eos_token_id"] = ends;
    return {};
  }

  const GgufFiles& files_;
  const GgufHeader& header_;
  std::string file_, architecture_;
  ConfigJson config_ = ConfigJson::object();
};

}  // namespace

Result<ConfigJson> gguf_config(const GgufFiles& files) { return GgufConfig(files).build(); }

}  // namespace halftone
