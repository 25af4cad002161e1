// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "formats/huggingface/huggingface.h"
#include "formats/json_text.h"
#include "formats/mlx/mlx.h"
#include "formats/mlx/rows.h"
#include "formats/safetensors/safetensors.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWeightSuffix = ".weight", kScalesSuffix = ".scales", kBiasesSuffix = ".biases";

std::string with_suffix(std::string_view module, std::string_view suffix) {
  return fmt::format("{}{}", module, suffix);
}

bool is_packed(const StoredTensor& tensor) {
  return tensor.element_type == DType::u32 && tensor.layout == nullptr && tensor.name.ends_with(kWeightSuffix);
}

// Columns of the matrices that families here have, by the end of the name; 0: unknown.
int64_t expected_columns(std::string_view module, const nlohmann::json& config) {
  const auto number = [&](const char* key) {
    const auto at = config.find(key);
    const bool good = at != config.end() && at->is_number_unsigned() && at->get<uint64_t>() < (uint64_t{1} << 32);
    return good ? at->get<int64_t>() : int64_t{0};
  };
  const std::string_view name = module.substr(module.rfind('.') + 1);
  const auto one_of = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (one_of({"down_proj", "fc2"})) return number("intermediate_size");
  if (one_of({"o_proj", "dense"}))
    return number("head_dim") > 0 ? number("head_dim") * number("num_attention_heads") : number("hidden_size");
  const bool from_hidden = one_of({"q_proj", "k_proj", "v_proj", "qkv_proj", "gate_proj", "up_proj", "gate_up_proj",
                                   "fc1", "embed_tokens", "lm_head"});
  return from_hidden ? number("hidden_size") : 0;
}

// Every packing that the shapes allow: words * 32 = columns * bits, groups * group = columns.
std::vector<MlxPacking> possible_packings(const MlxTensors& tensors, int64_t columns) {
  const int64_t bits_of_row = tensors.weight->shape.back() * 32, groups = tensors.scales->shape.back();
  std::vector<MlxPacking> packings;
  const auto add = [&](MlxPacking packing) {
    const int64_t wide = groups * packing.group;
    if (wide * packing.bits == bits_of_row && (columns == 0 || wide == columns)) packings.push_back(packing);
  };
  if (tensors.biases == nullptr) {
    add({MlxMode::mxfp4, 4, 32});
    return packings;
  }
  for (const int bits : {4, 8, 2, 3, 5, 6})
    for (const int64_t group : {64, 32, 128}) add({MlxMode::affine, bits, group});
  return packings;
}

class MlxImporter {
 public:
  explicit MlxImporter(const ModelFile& folder)
      : folder_(folder), config_name_((folder.path / "config.json").string()) {}

  Result<ImportSource> build() {
    HALFTONE_ASSIGN(quantization_, parse_mlx_quantization(folder_.config, config_name_));
    for (const StoredTensor& tensor : folder_.tensors) {
      if (is_packed(tensor)) {
        HALFTONE_TRY(add_packed(tensor));
      } else if (!belongs_to_packed(tensor.name)) {
        HALFTONE_TRY(add_floats(tensor));
      }
    }
    make_config();
    source_.side_files = folder_.side_files;
    source_.maps = folder_.maps;
    return std::move(source_);
  }

 private:
  bool belongs_to_packed(std::string_view name) const {
    for (const std::string_view suffix : {kScalesSuffix, kBiasesSuffix}) {
      if (!name.ends_with(suffix)) continue;
      const StoredTensor* weight =
          folder_.find(with_suffix(name.substr(0, name.size() - suffix.size()), kWeightSuffix));
      if (weight != nullptr && is_packed(*weight)) return true;
    }
    return false;
  }

  Status check_shapes(const MlxTensors& tensors) const {
    const StoredTensor& weight = *tensors.weight;
    const auto matches = [&](const StoredTensor* other) {
      return other->shape.size() == 2 && other->shape.front() == weight.shape.front() && other->shape.back() > 0;
    };
    const bool float_scales = tensors.scales->layout != nullptr && tensors.biases != nullptr &&
                              tensors.biases->layout != nullptr && tensors.biases->shape == tensors.scales->shape;
    const bool byte_scales =
        tensors.scales->element_type == DType::u8 && tensors.scales->layout == nullptr && tensors.biases == nullptr;
    if (weight.shape.size() == 2 && weight.shape.front() > 0 && weight.shape.back() > 0 && matches(tensors.scales) &&
        (float_scales || byte_scales))
      return {};
    return unsupported(
        "[mlx] {}: tensor '{}': expected a matrix with float scales and biases, or bytes as scales, of as many rows, "
        "got "
        "({}) with scales ({}) of {}",
        weight.file.string(), weight.name, fmt::join(weight.shape, ", "), fmt::join(tensors.scales->shape, ", "),
        name_of(tensors.scales->element_type));
  }

  Result<MlxPacking> packing_of(const MlxTensors& tensors, const std::string& module) {
    const auto own = quantization_.of_path.find(module);
    const std::optional<MlxPacking> said =
        own != quantization_.of_path.end() ? std::optional(own->second) : quantization_.common;
    const int64_t columns = expected_columns(module, folder_.config);
    std::vector<MlxPacking> packings = possible_packings(tensors, columns);
    if (said && std::find(packings.begin(), packings.end(), *said) != packings.end()) return *said;
    if (packings.size() > 1 && said) {  // as few contradictions as the shapes allow
      const auto near = [&](const MlxPacking& packing) {
        return (packing.bits == said->bits ? 1 : 0) + (packing.group == said->group ? 1 : 0);
      };
      std::stable_sort(packings.begin(), packings.end(),
                       [&](const MlxPacking& a, const MlxPacking& b) { return near(a) > near(b); });
      if (near(packings[0]) > near(packings[1])) packings.resize(1);
    }
    if (packings.size() == 1) {
      source_.notes.push_back(fmt::format("{}: config.json says {}, the shapes say {}: the shapes are right", module,
                                          said ? mlx_type_name(*said) : "nothing", mlx_type_name(packings[0])));
      return packings[0];
    }
    return invalid_input(
        "[mlx] {}: tensor '{}': expected bits and group size that fit its shape ({}) and scales ({}), got {}; {} "
        "packings fit; correct \"quantization\" in config.json",
        tensors.weight->file.string(), tensors.weight->name, fmt::join(tensors.weight->shape, ", "),
        fmt::join(tensors.scales->shape, ", "), said ? mlx_type_name(*said) : "none in config.json", packings.size());
  }

  Status add_packed(const StoredTensor& weight) {
    const std::string module = weight.name.substr(0, weight.name.size() - kWeightSuffix.size());
    MlxTensors tensors{&weight, folder_.find(with_suffix(module, kScalesSuffix)),
                       folder_.find(with_suffix(module, kBiasesSuffix))};
    if (tensors.scales == nullptr)
      return unsupported("[mlx] {}: tensor '{}': expected {}.scales beside packed weights, got none",
                         weight.file.string(), weight.name, module);
    HALFTONE_TRY(check_shapes(tensors));
    HALFTONE_ASSIGN(const MlxPacking packing, packing_of(tensors, module));
    const Layout& layout = mlx_layout(packing);
    const int64_t columns = tensors.scales->shape.back() * packing.group;
    ImportTensor import;
    import.stored = {weight.name, {weight.shape.front(), columns}, &layout, Order::panel16};
    import.rows = mlx_rows(tensors, packing, columns);
    import.label.stored_type = mlx_type_name(packing);
    import.label.stored_bytes = static_cast<int64_t>(weight.data.size() + tensors.scales->data.size() +
                                                     (tensors.biases == nullptr ? 0 : tensors.biases->data.size()));
    if (layout.bits != packing.bits)
      import.label.note = fmt::format("its {}-bit codes in {} bits", packing.bits, layout.bits);
    add(std::move(import), weight.name);
    return {};
  }

  Status add_floats(const StoredTensor& tensor) {
    if (tensor.layout == nullptr || tensor.shape.empty() || tensor.shape.size() > 2 || tensor.elements() == 0)
      return unsupported(
          "[mlx] {}: tensor '{}': expected a vector or matrix of f32, f16 or bf16, or packed weights, got {} ({})",
          tensor.file.string(), tensor.name, name_of(tensor.element_type), fmt::join(tensor.shape, ", "));
    ImportTensor import;
    import.stored = {tensor.name, tensor.shape, tensor.layout, Order::rows};
    import.rows = float_rows(tensor);
    import.label.stored_type = tensor.layout->name;
    import.label.stored_bytes = static_cast<int64_t>(tensor.data.size());
    add(std::move(import), tensor.name);
    return {};
  }

  void add(ImportTensor import, const std::string& name) {
    import.label.name = import.label.stored_name = name;
    import.label.layout = import.stored.layout->name;
    source_.tensors.push_back(std::move(import));
  }

  void make_config() {
    source_.config = folder_.config;
    source_.config.erase("quantization");
    source_.config.erase("quantization_config");
    const auto has = [&](std::string_view name) { return folder_.find(name) != nullptr; };
    if (has("lm_head.weight") || has("model.lm_head.weight") || source_.config.contains("tie_word_embeddings")) return;
    source_.config["tie_word_embeddings"] = true;  // what mlx-lm takes for granted
    source_.notes.push_back(
        "config.json does not say tie_word_embeddings and there is no lm_head: the embedding is the output");
  }

  const ModelFile& folder_;
  std::string config_name_;
  MlxQuantization quantization_;
  ImportSource source_;
};

// Tensors tell where config.json does not. Other tools that pack words call them otherwise ("qweight").
bool has_packed_weights(const fs::path& folder) {
  std::vector<fs::path> shards;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".safetensors") shards.push_back(entry.path());
  if (shards.empty()) return false;
  const auto map = FileMap::open(*std::min_element(shards.begin(), shards.end()));
  if (!map.ok()) return false;
  const auto header = parse_safetensors((*map)->bytes(), "");
  return header.ok() && std::any_of(header->entries.begin(), header->entries.end(), [](const SafetensorsEntry& entry) {
           return entry.type == DType::u32 && entry.name.ends_with(kWeightSuffix);
         });
}

}  // namespace

bool probe_mlx(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path / "config.json", error)) return false;
  const auto config = read_json_file(path / "config.json");
  if (!config.ok() || !config->is_object()) return false;  // the reader of plain folders says what is wrong
  if (config->contains("quantization") && (*config)["quantization"].is_object()) return true;
  return has_packed_weights(path);
}

Result<ImportSource> mlx_import(const ModelFile& folder) { return MlxImporter(folder).build(); }

Result<ImportSource> import_mlx(const fs::path& path) {
  HALFTONE_ASSIGN(ModelFile opened, open_huggingface(path));
  opened.path = path;
  const auto folder = std::make_shared<const ModelFile>(std::move(opened));
  HALFTONE_ASSIGN(ImportSource source, mlx_import(*folder));
  source.keep = folder;
  return source;
}

Result<ModelFile> open_mlx(const fs::path& path) {
  HALFTONE_ASSIGN(ModelFile folder, open_huggingface(path));
  folder.path = path;
  HALFTONE_ASSIGN(std::shared_ptr<const FileMap> config, FileMap::open(path / "config.json"));
  folder.maps.push_back(std::move(config));
  std::vector<fs::path> files;
  for (const auto& map : folder.maps) files.push_back(map->path());
  HALFTONE_ASSIGN(ModelFile model, open_through_cache(files, "mlx", [&] { return mlx_import(folder); }));
  model.side_files = std::move(folder.side_files);  // the user's own: they may have changed since
  return model;
}

}  // namespace halftone
