// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "base/error.h"
#include "base/file_map.h"
#include "export/plan.h"
#include "export/vocabulary.h"

namespace halftone {
namespace {

constexpr int64_t kQuantizationVersion = 2;

// The type of most numbers; a mixed file is named after it.
const GgmlType& main_type(const ExportPlan& plan) {
  std::map<uint32_t, int64_t> elements;
  const GgmlType* best = &ggml_type(GgmlTypeId::f32);
  for (const PlannedTensor& tensor : plan.tensors) {
    int64_t& count = elements[tensor.type->id];
    count += tensor.rows() * tensor.columns();
    if (count > elements[best->id]) best = tensor.type;
  }
  return *best;
}

std::string name_of_model(const LanguageModel& model) {
  std::filesystem::path path = std::filesystem::absolute(model.path).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  return (path.extension() == ".ht" ? path.stem() : path.filename()).string();
}

// Positions that llama.cpp may use: it reads the whole context for these families.
int64_t usable_context(const ModelConfig& config, ExportPlan& plan) {
  if (config.window == 0) return config.context;
  plan.notes.push_back(
      fmt::format("llama.cpp knows no sliding window for this family, so the file says a context of {} instead of {}",
                  config.window, config.context));
  return std::min(config.window, config.context);
}

void write_shape(const ModelConfig& config, ExportPlan& plan, GgufMetadata& metadata) {
  const auto key = [&](std::string_view name) { return fmt::format("{}.{}", plan.architecture, name); };
  metadata.u32(key("vocab_size"), config.vocabulary);
  metadata.u32(key("context_length"), std::min<int64_t>(usable_context(config, plan), INT32_MAX));
  metadata.u32(key("embedding_length"), config.hidden);
  metadata.u32(key("block_count"), config.layers);
  metadata.u32(key("feed_forward_length"), config.intermediate);
  metadata.u32(key("attention.head_count"), config.heads);
  metadata.u32(key("attention.head_count_kv"), config.kv_heads);
  metadata.u32(key("attention.key_length"), config.head_dim);
  metadata.u32(key("attention.value_length"), config.head_dim);
  metadata.f32(key("attention.layer_norm_rms_epsilon"), static_cast<double>(config.norm_epsilon));
  metadata.u32(key("rope.dimension_count"), config.rotary());
  metadata.f32(key("rope.freq_base"), config.rope.theta);
  if (config.rope.scaling == "linear") {
    metadata.text(key("rope.scaling.type"), "linear");
    metadata.f32(key("rope.scaling.factor"), config.rope.factor);
  }
}

// A model that was read from GGUF has its tokenizer in GGUF's terms: the same bytes.
Result<bool> copy_vocabulary(const LanguageModel& model, GgufMetadata& metadata) {
  const auto& files = model.file.side_files;
  const auto found = files.find("vocabulary.gguf");
  if (found == files.end() || files.contains("tokenizer.json") || files.contains("tokenizer.model")) return false;
  HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> map, FileMap::open(found->second));
  HALFTONE_ASSIGN(const GgufHeader header, parse_gguf(map->bytes(), found->second.string()));
  for (const GgufEntry& entry : header.metadata)
    if (entry.key.starts_with("tokenizer.")) metadata.copy(entry);
  return true;
}

}  // namespace

Result<GgufMetadata> gguf_metadata(const LanguageModel& model, const ExportOptions& options, ExportPlan& plan) {
  GgufMetadata metadata;
  const GgmlType& type = main_type(plan);
  metadata.text("general.architecture", plan.architecture);
  metadata.text("general.type", "model");
  metadata.text("general.name", name_of_model(model));
  HALFTONE_CHECK(type.file_type >= 0);
  metadata.u32("general.file_type", type.file_type);
  if (!type.is_float()) metadata.u32("general.quantization_version", kQuantizationVersion);
  write_shape(model.config, plan, metadata);
  if (options.tokenizer == ExportTokenizer::own) {
    HALFTONE_ASSIGN(const bool copied, copy_vocabulary(model, metadata));
    if (copied) return metadata;
  }
  GgufVocabulary vocabulary;
  if (options.tokenizer == ExportTokenizer::own) {
    HALFTONE_ASSIGN(vocabulary, gguf_vocabulary(model));
  } else if (options.tokenizer == ExportTokenizer::stand_in) {
    HALFTONE_ASSIGN(vocabulary, stand_in_vocabulary(model));
  } else {
    vocabulary.model = "no_vocab";
    vocabulary.notes.push_back("no tokenizer, as asked: llama.cpp takes token ids only");
  }
  plan.notes.insert(plan.notes.end(), vocabulary.notes.begin(), vocabulary.notes.end());
  vocabulary.write(metadata);
  return metadata;
}

}  // namespace halftone
