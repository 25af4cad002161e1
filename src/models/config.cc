// SPDX-License-Identifier: Apache-2.0
#include "models/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "models/families/family.h"
#include "models/json_reader.h"

namespace halftone {
namespace {

constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxLayers = 1 << 12;
constexpr int64_t kMaxVocabulary = 1 << 24;
constexpr int64_t kMaxContext = int64_t{1} << 32;

Result<const Family*> family_of(JsonReader& reader) {
  if (reader.has("text_config")) {
    return unsupported(
        "[config] {}: text_config: expected a model of text alone, got one of text and images; halftone reads the text "
        "model where it is published on its own (model_type gemma3_text)",
        reader.file());
  }
  const std::string model_type = reader.text("model_type", "");
  HALFTONE_TRY(reader.status());
  std::vector<std::string_view> known;
  for (const ModelType& row : all_model_types()) {
    if (row.name == model_type) return row.family;
    known.push_back(row.name);
  }
  return unsupported(
      "[config] {}: model_type: expected a known family ({}), got \"{}\"; add it as docs/adding/family.md shows",
      reader.file(), fmt::join(known, ", "), model_type);
}

void check_stored_as_floats(JsonReader& reader) {
  for (const char* key : {"quantization_config", "quantization", "compression_config"}) {
    if (!reader.has(key)) continue;
    reader.fail(unsupported(
        "[config] {}: {}: expected weights stored as f32, f16 or bf16, got a model that is already quantized; "
        "start from its float original",
        reader.file(), key));
  }
}

void read_sizes(JsonReader& reader, const CommonKeys& keys, ModelConfig& config) {
  config.hidden = reader.integer("hidden_size", 1, kMaxWidth);
  config.intermediate = reader.integer("intermediate_size", 1, kMaxWidth);
  config.layers = reader.integer("num_hidden_layers", 1, kMaxLayers);
  config.heads = reader.integer("num_attention_heads", 1, kMaxWidth);
  config.kv_heads = reader.integer("num_key_value_heads", 1, kMaxWidth, config.heads);
  config.vocabulary = reader.integer("vocab_size", 1, kMaxVocabulary);
  config.context = reader.integer("max_position_embeddings", 1, kMaxContext);
  config.norm_epsilon = static_cast<float>(reader.number(keys.norm_epsilon, 0, 1));
  if (reader.status().ok() && !reader.has("head_dim") && keys.head_dim == 0 && config.hidden % config.heads != 0) {
    reader.fail("hidden_size", fmt::format("a multiple of num_attention_heads {}", config.heads),
                fmt::to_string(config.hidden));
  }
  config.head_dim =
      reader.integer("head_dim", 2, kMaxWidth, keys.head_dim > 0 ? keys.head_dim : config.hidden / config.heads);
  if (!reader.status().ok()) return;
  if (config.heads % config.kv_heads != 0) {
    reader.fail("num_attention_heads", fmt::format("a multiple of num_key_value_heads {}", config.kv_heads),
                fmt::to_string(config.heads));
  }
  if (config.head_dim % 2 != 0) reader.fail("head_dim", "an even number", fmt::to_string(config.head_dim));
  if (config.heads * config.head_dim > kMaxWidth) {
    reader.fail("head_dim", fmt::format("at most {} columns in {} heads", kMaxWidth, config.heads),
                fmt::to_string(config.head_dim));
  }
}

// Phi-3's long contexts. `reader`: the whole file.
void read_longrope(JsonReader& reader, JsonReader& scaling, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  for (const char* key : {"short_mscale", "long_mscale"}) {
    if (scaling.has(key)) scaling.fail(key, "no scale apart from attention_factor", "a number");
  }
  rope.original_context =  // 1 has no logarithm to divide by
      scaling.integer("original_max_position_embeddings", 2, kMaxContext,
                      reader.integer("original_max_position_embeddings", 2, kMaxContext, config.context));
  rope.short_factors = scaling.numbers("short_factor", 1e-6, 1e6);
  rope.long_factors = scaling.numbers("long_factor", 1e-6, 1e6);
  const auto pairs = static_cast<size_t>(config.rotary() / 2);
  for (const auto& [key, factors] :
       {std::pair("short_factor", &rope.short_factors), {"long_factor", &rope.long_factors}}) {
    if (!scaling.status().ok() || factors->size() == pairs) continue;
    scaling.fail(key, fmt::format("{} numbers, one per pair of rotating columns", pairs),
                 fmt::to_string(factors->size()));
  }
  const double stretch = static_cast<double>(config.context) / static_cast<double>(rope.original_context);
  const double magnitude =
      stretch <= 1 ? 1 : std::sqrt(1 + std::log(stretch) / std::log(static_cast<double>(rope.original_context)));
  rope.magnitude = scaling.number("attention_factor", 1e-3, 1e3, magnitude);
}

void read_rope_scaling(JsonReader& reader, JsonReader& scaling, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  // "type" is what transformers wrote before 4.43.
  rope.scaling = scaling.text("rope_type", scaling.text("type", "default"));
  // What the first Phi-3 files called "su" and "yarn" is longrope.
  if (rope.scaling == "su" || (rope.scaling == "yarn" && scaling.has("short_factor"))) rope.scaling = "longrope";
  if (rope.scaling == "default") {
    rope.scaling.clear();
  } else if (rope.scaling == "longrope") {
    read_longrope(reader, scaling, config);
  } else if (rope.scaling == "linear") {
    rope.factor = scaling.number("factor", 1, 1e6);
  } else if (rope.scaling == "llama3") {
    rope.factor = scaling.number("factor", 1, 1e6);
    rope.low_frequency_factor = scaling.number("low_freq_factor", 1e-6, 1e6);
    rope.high_frequency_factor = scaling.number("high_freq_factor", 1e-6, 1e6);
    rope.original_context = scaling.integer("original_max_position_embeddings", 1, kMaxContext);
    if (scaling.status().ok() && rope.high_frequency_factor <= rope.low_frequency_factor) {
      scaling.fail("high_freq_factor", fmt::format("more than low_freq_factor {}", rope.low_frequency_factor),
                   fmt::to_string(rope.high_frequency_factor));
    }
  } else {
    scaling.fail(
        unsupported("[config] {}: rope_scaling: expected rope_type default, linear, llama3 or longrope, got \"{}\"",
                    scaling.file(), rope.scaling));
  }
}

// `rope`: the object of theta and scaling, which is the whole file where transformers is older than 5.
void read_rope_object(JsonReader& reader, const CommonKeys& keys, JsonReader rope, bool scales, ModelConfig& config) {
  config.rope.theta = rope.number("rope_theta", 1, 1e12, reader.number("rope_theta", 1, 1e12, 10000));
  config.rope.partial =
      rope.number("partial_rotary_factor", 0, 1, reader.number("partial_rotary_factor", 0, 1, keys.partial_rotary));
  reader.absorb(rope);
  if (reader.status().ok() && (config.rotary() < 2 || config.rotary() % 2 != 0)) {
    reader.fail("partial_rotary_factor", fmt::format("an even part of head_dim {}", config.head_dim),
                fmt::to_string(config.rope.partial));
  }
  if (scales && reader.status().ok()) read_rope_scaling(reader, rope, config);
  reader.absorb(rope);
}

void read_rope(JsonReader& reader, const CommonKeys& keys, ModelConfig& config) {
  // transformers 5 moved theta and scaling into one object, or into one for each kind of layer.
  const char* key = reader.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  JsonReader object = reader.object(key);
  reader.absorb(object);
  if (!object.has("full_attention")) return read_rope_object(reader, keys, object, reader.has(key), config);
  if (config.family != "gemma3") {
    return reader.fail(unsupported(
        "[config] {}: {}: expected one object for all layers, got one for each kind of layer", reader.file(), key));
  }
  read_rope_object(reader, keys, object.object("full_attention"), true, config);
  JsonReader windowed = object.object("sliding_attention");
  if (windowed.text("rope_type", "default") != "default") {
    windowed.fail("rope_type", "default on layers with a window", windowed.text("rope_type", ""));
  }
  config.window_theta = windowed.number("rope_theta", 1, 1e12, 10000);
  reader.absorb(windowed);
}

void read_activation(JsonReader& reader, const CommonKeys& keys, ModelConfig& config) {
  config.activation = keys.activation;
  const char* key = reader.has("hidden_activation") ? "hidden_activation" : "hidden_act";
  const std::string name = reader.text(key, keys.activation_names[0]);
  const auto& names = keys.activation_names;
  if (!name.empty() && std::find(names.begin(), names.end(), name) != names.end()) return;
  reader.fail(unsupported("[config] {}: {}: expected {}, got \"{}\"", reader.file(), key, names[0], name));
}

void read_tokens(JsonReader& reader, ModelConfig& config) {
  const int64_t last = config.vocabulary - 1;
  const std::vector<int64_t> bos = reader.integers("bos_token_id", 0, last);
  if (!bos.empty()) config.bos = bos.front();
  config.eos = reader.integers("eos_token_id", 0, last);
}

}  // namespace

Result<ModelConfig> parse_config(const nlohmann::json& json, std::string_view file) {
  JsonReader reader(json, "config", std::string(file));
  HALFTONE_TRY(reader.status());
  HALFTONE_ASSIGN(const Family* family, family_of(reader));
  ModelConfig config;
  config.family = family->name;
  config.model_type = reader.text("model_type", "");
  check_stored_as_floats(reader);
  read_activation(reader, family->keys, config);
  read_sizes(reader, family->keys, config);
  HALFTONE_TRY(reader.status());
  read_rope(reader, family->keys, config);
  read_tokens(reader, config);
  config.tied_embedding = reader.boolean("tie_word_embeddings", family->keys.tied_embedding);
  family->configure(reader, config);
  HALFTONE_TRY(reader.status());
  return config;
}

std::vector<float> rope_frequencies(const RopeConfig& rope, int64_t rotary, bool beyond) {
  constexpr double kTwoPi = 6.283185307179586476925;
  std::vector<float> frequencies;
  for (int64_t i = 0; i < rotary / 2; ++i) {
    double frequency = std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotary));
    if (rope.scaling == "linear") frequency /= rope.factor;
    if (rope.scaling == "longrope")
      frequency /= (beyond ? rope.long_factors : rope.short_factors)[static_cast<size_t>(i)];
    if (rope.scaling == "llama3") {
      // Turns of this pair over the original context: many stay as they are, few are stretched, between is a blend.
      const double turns = static_cast<double>(rope.original_context) * frequency / kTwoPi;
      const double span = rope.high_frequency_factor - rope.low_frequency_factor;
      const double keep = std::min(1.0, std::max(0.0, (turns - rope.low_frequency_factor) / span));
      frequency = (1 - keep) * frequency / rope.factor + keep * frequency;
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

}  // namespace halftone
