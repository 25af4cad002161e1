// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
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

bool knows_windows(const ExportPlan& plan) { return plan.architecture == "gemma2" || plan.architecture == "gemma3"; }

// Positions that llama.cpp may use: where it reads the whole context, no more than a window.
int64_t usable_context(const ModelConfig& config, ExportPlan& plan) {
  if (config.window == 0 || knows_windows(plan)) return config.context;
  plan.notes.push_back(
      fmt::format("llama.cpp knows no sliding window for this family, so the file says a context of {} instead of {}",
                  config.window, config.context));
  return std::min(config.window, config.context);
}

class ShapeMetadata {
 public:
  ShapeMetadata(const ModelConfig& config, ExportPlan& plan, GgufMetadata& metadata)
      : config_(config), plan_(plan), metadata_(metadata) {}

  void write() {
    metadata_.u32(key("vocab_size"), config_.vocabulary);
    metadata_.u32(key("context_length"), std::min<int64_t>(usable_context(config_, plan_), INT32_MAX));
    metadata_.u32(key("embedding_length"), config_.hidden);
    metadata_.u32(key("block_count"), config_.layers);
    metadata_.u32(key("feed_forward_length"), config_.intermediate);
    metadata_.u32(key("attention.head_count"), config_.heads);
    metadata_.u32(key("attention.head_count_kv"), config_.kv_heads);
    metadata_.u32(key("attention.key_length"), config_.head_dim);
    metadata_.u32(key("attention.value_length"), config_.head_dim);
    metadata_.f32(
        key(plan_.architecture == "phi2" ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"),
        static_cast<double>(config_.norm_epsilon));
    write_rope();
    write_windows();
    if (config_.attention_soft_cap > 0)
      metadata_.f32(key("attn_logit_softcapping"), static_cast<double>(config_.attention_soft_cap));
    if (config_.logit_soft_cap > 0)
      metadata_.f32(key("final_logit_softcapping"), static_cast<double>(config_.logit_soft_cap));
    note_embedding_scale();
  }

 private:
  std::string key(std::string_view name) const { return fmt::format("{}.{}", plan_.architecture, name); }

  void write_rope() {
    const RopeConfig& rope = config_.rope;
    metadata_.u32(key("rope.dimension_count"), config_.rotary());
    metadata_.f32(key("rope.freq_base"), rope.theta);
    if (config_.window_theta > 0) metadata_.f32(key("rope.freq_base_swa"), config_.window_theta);
    if (rope.scaling == "linear") {
      metadata_.text(key("rope.scaling.type"), "linear");
      metadata_.f32(key("rope.scaling.factor"), rope.factor);
    }
    if (rope.scaling == "longrope" && !rope.same_at_every_length()) {
      metadata_.f32(key("rope.scaling.attn_factor"), rope.magnitude);
      metadata_.u32(key("rope.scaling.original_context_length"), rope.original_context);
      plan_.notes.push_back(
          fmt::format("llama.cpp takes the long rope factors when it is opened for more than {} tokens, whatever the "
                      "text's length; "
                      "open it for {} or less where texts are short",
                      rope.original_context, rope.original_context));
    }
  }

  // 0 is none for phi3; a window that holds the whole context is written as the context.
  void write_windows() {
    if (plan_.architecture == "phi3") metadata_.u32(key("attention.sliding_window"), config_.window);
    if (!knows_windows(plan_)) return;
    const int64_t window = config_.window > 0 ? config_.window : config_.context;
    metadata_.u32(key("attention.sliding_window"), std::min<int64_t>(window, INT32_MAX));
  }

  void note_embedding_scale() {
    const auto root = static_cast<float>(std::sqrt(static_cast<double>(config_.hidden)));
    if (config_.embedding_scale == 1 || config_.embedding_scale == root) return;
    plan_.notes.push_back(
        fmt::format("llama.cpp multiplies embeddings by {}, this model by {}, rounded as its config says", root,
                    config_.embedding_scale));
  }

  const ModelConfig& config_;
  ExportPlan& plan_;
  GgufMetadata& metadata_;
};

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
  ShapeMetadata(model.config, plan, metadata).write();
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
