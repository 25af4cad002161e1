// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/open.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/error.h"
#include "formats/gguf/names.h"
#include "formats/gguf/unpack.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

// Rows of one tensor, those of queries and keys in the order of Hugging Face.
class GgufRows : public RowSource {
 public:
  GgufRows(const GgufTensor& tensor, std::shared_ptr<const FileMap> map, const GgufUnpack& unpack, int64_t head_dim)
      : name_(tensor.name),
        map_(std::move(map)),
        data_(map_->bytes().data() + tensor.begin),
        unpack_(unpack),
        vector_(tensor.shape.size() == 1),
        columns_(tensor.shape.back()),
        row_bytes_(tensor.type->row_bytes(columns_)),
        head_dim_(head_dim) {}

  Result<double> read(int64_t row, const RowSlot& slot) const override {
    if (vector_ && head_dim_ != 0) {
      const auto width = static_cast<int64_t>(slot.bytes.size()) / columns_;
      for (int64_t i = 0; i < columns_; ++i)
        std::memcpy(slot.bytes.data() + i * width, data_ + neighbour_row(i, head_dim_) * width,
                    static_cast<size_t>(width));
      return 0.0;
    }
    const int64_t from = head_dim_ == 0 ? row : neighbour_row(row, head_dim_);
    const GgufRowResult result = unpack_.row(data_ + from * row_bytes_, columns_, slot);
    if (result.bad_column >= 0)
      return invalid_input(
          "[gguf] {}: tensor '{}': expected a finite {} that fits f16, got {} at row {}, column {}; the file is "
          "damaged",
          map_->path().string(), name_, result.bad_what, result.bad_value, from, result.bad_column);
    return result.relative_error;
  }

 private:
  std::string name_;
  std::shared_ptr<const FileMap> map_;
  const std::byte* data_;
  const GgufUnpack& unpack_;
  bool vector_;
  int64_t columns_, row_bytes_, head_dim_;
};

bool rotates(std::string_view name) {
  return name.find(".attn_q.") != std::string_view::npos || name.find(".attn_k.") != std::string_view::npos;
}

class GgufImporter {
 public:
  explicit GgufImporter(const GgufFiles& files) : files_(files) {}

  Result<ImportSource> build() {
    HALFTONE_ASSIGN(source_.config, gguf_config(files_));
    neighbours_ = files_.first().text("general.architecture") == "llama";
    head_dim_ = source_.config.at("head_dim").get<int64_t>();
    for (size_t i = 0; i < files_.headers.size(); ++i)
      for (const GgufTensor& tensor : files_.headers[i].tensors) HALFTONE_TRY(add(tensor, files_.maps[i]));
    source_.texts["vocabulary.gguf"] = vocabulary();
    source_.maps = files_.maps;
    return std::move(source_);
  }

 private:
  Status add(const GgufTensor& tensor, const std::shared_ptr<const FileMap>& map) {
    if (tensor.name == "rope_freqs.weight" || tensor.name.starts_with("rope_factors_")) return {};  // in the config
    const std::string file = map->path().string();
    ImportTensor import;
    TensorLabel& label = import.label;
    label.name = hugging_face_tensor_name(tensor.name);
    if (label.name.empty())
      return unsupported("[gguf] {}: tensor '{}': expected a tensor of a decoder that is known here, got another", file,
                         tensor.name);
    const GgufUnpack* unpack = find_gguf_unpack(*tensor.type);
    if (unpack == nullptr)
      return unsupported("[gguf] {}: tensor '{}': expected a type that opens ({}), got {}", file, tensor.name,
                         gguf_types_that_open(), tensor.type->name);
    const Layout& layout = layout_of(unpack->layout);
    if (tensor.shape.size() > 2 || (tensor.shape.size() == 1 && !tensor.type->is_float()))
      return unsupported("[gguf] {}: tensor '{}': expected a matrix, or a vector of floats, got {} of {} dimensions",
                         file, tensor.name, tensor.type->name, tensor.shape.size());
    const int64_t head_dim = neighbours_ && rotates(tensor.name) ? head_dim_ : 0;
    const int64_t rows = tensor.shape.front();
    if (head_dim != 0 && rows % head_dim != 0)
      return invalid_input(
          "[gguf] {}: tensor '{}': expected rows in heads of {}, got {}; metadata and tensors disagree", file,
          tensor.name, head_dim, rows);
    import.stored = {label.name, tensor.shape, &layout, layout.is_float() ? Order::rows : Order::panel16};
    label.stored_name = tensor.name;
    label.stored_type = tensor.type->name;
    label.layout = layout.name;
    label.stored_bytes = static_cast<int64_t>(tensor.end - tensor.begin);
    label.note = unpack->note;
    import.rows = std::make_shared<GgufRows>(tensor, map, *unpack, head_dim);
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
  bool neighbours_ = false;
  int64_t head_dim_ = 0;
};

}  // namespace

Result<ImportSource> gguf_import(const GgufFiles& files) { return GgufImporter(files).build(); }

Result<ModelFile> open_gguf(const fs::path& path) {
  HALFTONE_ASSIGN(const std::vector<fs::path> files, gguf_files(path));
  Result<ModelFile> model = open_through_cache(files, "gguf", [&]() -> Result<ImportSource> {
    HALFTONE_ASSIGN(const GgufFiles read, read_gguf_files(files));
    return gguf_import(read);
  });
  if (model.ok()) model->config_name = files.front().string() + " (metadata)";
  return model;
}

}  // namespace halftone
