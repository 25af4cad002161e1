// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/open.h"

#include <fmt/format.h>

#include "base/error.h"
#include "formats/gguf/names.h"
#include "formats/gguf/rows.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

bool rotates(std::string_view name) {
  return name.find(".attn_q.") != std::string_view::npos || name.find(".attn_k.") != std::string_view::npos;
}

class GgufImporter {
 public:
  explicit GgufImporter(const GgufFiles& files) : files_(files) {}

  Result<ImportSource> build() {
    HALFTONE_ASSIGN(source_.config, gguf_config(files_));
    architecture_ = find_gguf_architecture(files_.first().text("general.architecture"));
    HALFTONE_CHECK(architecture_ != nullptr);  // the config knew it
    head_dim_ = source_.config.at("head_dim").get<int64_t>();
    for (size_t i = 0; i < files_.headers.size(); ++i)
      for (const GgufTensor& tensor : files_.headers[i].tensors) HALFTONE_TRY(add(tensor, files_.maps[i]));
    const std::string_view tokenizer = files_.first().text("tokenizer.ggml.model");
    if (!tokenizer.empty() && tokenizer != "no_vocab" && tokenizer != "none")
      source_.texts["vocabulary.gguf"] = vocabulary();
    source_.maps = files_.maps;
    return std::move(source_);
  }

 private:
  Status add(const GgufTensor& tensor, const std::shared_ptr<const FileMap>& map) {
    if (tensor.name == "rope_freqs.weight" || tensor.name.starts_with("rope_factors_")) return {};  // in the config
    GgufPart part{&tensor, map, 0, tensor.shape, 0, 0};
    if (architecture_->name == "phi2" && tensor.name.find(".attn_qkv.") != std::string_view::npos)
      return add_apart(part);
    std::string name = hugging_face_tensor_name(tensor.name, *architecture_);
    if (name.empty())
      return unsupported("[gguf] {}: tensor '{}': expected a tensor of a decoder that is known here, got another",
                         map->path().string(), tensor.name);
    if (architecture_->neighbours && rotates(tensor.name)) part.head_dim = head_dim_;
    if (architecture_->norms_hold_one_more && tensor.name.ends_with("norm.weight")) part.offset = 1;
    return add_part(part, std::move(name));
  }

  // Phi-2 in one matrix (and one bias): queries, keys, values.
  Status add_apart(const GgufPart& whole) {
    const std::string_view stored = whole.tensor->name;
    const size_t layer = stored.find('.') + 1, dot = stored.find('.', layer);
    const std::string_view number = stored.substr(layer, dot - layer), kind = stored.substr(stored.rfind('.') + 1);
    const int64_t queries = head_dim_ * source_.config.at("num_attention_heads").get<int64_t>();
    const int64_t keys = head_dim_ * source_.config.at("num_key_value_heads").get<int64_t>();
    if (whole.shape.front() != queries + 2 * keys)
      return invalid_input("[gguf] {}: tensor '{}': expected {} rows of queries, keys and values, got {}",
                           whole.map->path().string(), stored, queries + 2 * keys, whole.shape.front());
    GgufPart part = whole;
    for (const std::string_view name : {"q_proj", "k_proj", "v_proj"}) {
      part.shape.front() = name == "q_proj" ? queries : keys;
      HALFTONE_TRY(add_part(part, fmt::format("model.layers.{}.self_attn.{}.{}", number, name, kind)));
      part.first += part.shape.front();
    }
    return {};
  }

  Status add_part(const GgufPart& part, std::string name) {
    const GgufTensor& tensor = *part.tensor;
    const std::string file = part.map->path().string();
    const GgufUnpack* unpack = find_gguf_unpack(*tensor.type);
    if (unpack == nullptr)
      return unsupported("[gguf] {}: tensor '{}': expected a type that opens ({}), got {}", file, tensor.name,
                         gguf_types_that_open(), tensor.type->name);
    if (tensor.shape.size() > 2 || (tensor.shape.size() == 1 && !tensor.type->is_float()))
      return unsupported("[gguf] {}: tensor '{}': expected a matrix, or a vector of floats, got {} of {} dimensions",
                         file, tensor.name, tensor.type->name, tensor.shape.size());
    if (part.head_dim != 0 && part.shape.front() % part.head_dim != 0)
      return invalid_input(
          "[gguf] {}: tensor '{}': expected rows in heads of {}, got {}; metadata and tensors disagree", file,
          tensor.name, part.head_dim, part.shape.front());
    const Layout& layout = layout_of(part.offset != 0 ? LayoutId::f32 : unpack->layout);
    ImportTensor import;
    import.stored = {name, part.shape, &layout, layout.is_float() ? Order::rows : Order::panel16};
    TensorLabel& label = import.label;
    label.name = std::move(name);
    label.stored_name = tensor.name;
    label.stored_type = tensor.type->name;
    label.layout = layout.name;
    label.stored_bytes = static_cast<int64_t>(tensor.end - tensor.begin) / tensor.shape.front() * part.shape.front();
    label.note = unpack->note;
    import.rows = gguf_rows(part, *unpack);
    source_.tensors.push_back(std::move(import));
    return {};
  }

  // The file's metadata without its numbers: tokenizer and chat template, for whoever reads text.
  std::string vocabulary() const {
    GgufPlan plan;
    for (const GgufEntry& entry : files_.first().metadata)
      if (entry.key.starts_with("tokenizer.") || entry.key == "general.architecture" || entry.key == "general.name")
        plan.metadata.copy(entry);
    const auto head = gguf_head(plan, "vocabulary.gguf");
    HALFTONE_CHECK(head.ok());
    return *head;
  }

  const GgufFiles& files_;
  ImportSource source_;
  const GgufArchitecture* architecture_ = nullptr;
  int64_t head_dim_ = 0;
};

}  // namespace

Result<ImportSource> gguf_import(const GgufFiles& files) { return GgufImporter(files).build(); }

Result<ImportSource> import_gguf(const fs::path& path) {
  HALFTONE_ASSIGN(const std::vector<fs::path> files, gguf_files(path));
  HALFTONE_ASSIGN(const GgufFiles read, read_gguf_files(files));
  return gguf_import(read);
}

Result<ModelFile> open_gguf(const fs::path& path) {
  HALFTONE_ASSIGN(const std::vector<fs::path> files, gguf_files(path));
  Result<ModelFile> model = open_through_cache(files, "gguf", [&] { return import_gguf(path); });
  if (model.ok()) model->config_name = files.front().string() + " (metadata)";
  return model;
}

}  // namespace halftone
