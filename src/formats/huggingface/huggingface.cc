// SPDX-License-Identifier: Apache-2.0
#include "formats/huggingface/huggingface.h"

#include <algorithm>
#include <array>

#include "base/atomic_write.h"
#include "base/error.h"
#include "formats/json_text.h"
#include "formats/safetensors/safetensors.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWeights = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr int64_t kMaxIndexBytes = 64'000'000;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// Maps one weights file and appends its tensors. Names seen in an earlier shard are an error.
Status read_shard(const fs::path& path, ModelFile& model, std::map<std::string, std::string>& found_in) {
  HALFTONE_ASSIGN(std::shared_ptr<const FileMap> map, FileMap::open(path));
  HALFTONE_ASSIGN(const SafetensorsHeader header, parse_safetensors(map->bytes(), path.string()));
  for (const SafetensorsEntry& entry : header.entries) {
    const auto [at, fresh] = found_in.emplace(entry.name, path.filename().string());
    if (!fresh)
      return invalid_input(
          "[huggingface] {}: expected tensor '{}' in one shard, got it in {} too; the folder mixes two models",
          path.string(), entry.name, at->second);
    StoredTensor tensor;
    tensor.name = entry.name;
    tensor.shape = entry.shape;
    tensor.layout = float_layout_of(entry.type);
    tensor.element_type = entry.type;
    tensor.data = map->bytes().subspan(entry.begin, entry.end - entry.begin);
    tensor.file = path;
    model.tensors.push_back(std::move(tensor));
  }
  model.bytes_on_disk += static_cast<int64_t>(map->bytes().size());
  model.maps.push_back(std::move(map));
  return {};
}

// Every tensor of the index is in its shard, and the other way round.
Status check_index(const fs::path& folder, const ShardIndex& index,
                   const std::map<std::string, std::string>& found_in) {
  const std::string where = (folder / kIndex).string();
  for (const auto& [name, shard] : index.shard_of) {
    const auto at = found_in.find(name);
    if (at == found_in.end())
      return invalid_input(
          "[huggingface] {}: expected tensor '{}' in {}, got a shard without it; download the shard again", where, name,
          shard);
    if (at->second != shard)
      return invalid_input(
          "[huggingface] {}: expected tensor '{}' in {}, got it in {}; index and shards are of two models", where, name,
          shard, at->second);
  }
  for (const auto& [name, shard] : found_in)
    if (!index.shard_of.contains(name))
      return invalid_input(
          "[huggingface] {}: expected every tensor of {} in the index, got '{}' that it does not list; index "
          "and shards are of two models",
          where, shard, name);
  return {};
}

Status read_sharded(const fs::path& folder, ModelFile& model) {
  const fs::path index_path = folder / kIndex;
  HALFTONE_ASSIGN(const std::string text, read_text_file(index_path, kMaxIndexBytes));
  HALFTONE_ASSIGN(const ShardIndex index, parse_shard_index(text, index_path.string()));
  for (const std::string& shard : index.shards)
    if (!is_file(folder / shard))
      return not_found(
          "[huggingface] {}: expected {} shards, got no file {}; download it, or delete the index when {} holds "
          "the whole model",
          index_path.string(), index.shards.size(), shard, kWeights);
  std::map<std::string, std::string> found_in;
  for (const std::string& shard : index.shards) HALFTONE_TRY(read_shard(folder / shard, model, found_in));
  return check_index(folder, index, found_in);
}

Status no_weights(const fs::path& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".bin" || extension == ".pth" || extension == ".pt")
      return unsupported("[huggingface] {}: expected {}, got {}; save the model as safetensors first", folder.string(),
                         kWeights, entry.path().filename().string());
  }
  return not_found("[huggingface] {}: expected {} or {}, got neither; download the weights", folder.string(), kWeights,
                   kIndex);
}

}  // namespace

std::map<std::string, fs::path> find_side_files(const fs::path& folder) {
  static constexpr std::array<std::string_view, 6> kNames = {"tokenizer.json",          "tokenizer.model",
                                                             "tokenizer_config.json",   "generation_config.json",
                                                             "special_tokens_map.json", "chat_template.jinja"};
  std::map<std::string, fs::path> files;
  for (const std::string_view name : kNames)
    if (is_file(folder / name)) files.emplace(name, folder / name);
  return files;
}

Result<ShardIndex> parse_shard_index(std::string_view text, std::string_view name) {
  HALFTONE_ASSIGN(const nlohmann::json index, parse_json(text, name));
  const auto map = index.find("weight_map");
  if (!index.is_object() || map == index.end() || !map->is_object() || map->empty())
    return invalid_input("[huggingface] {}: expected an object 'weight_map' of tensor names and shard files, got none",
                         name);
  ShardIndex result;
  for (const auto& [tensor, shard] : map->items()) {
    const std::string file = shard.is_string() ? shard.get<std::string>() : std::string();
    if (file.empty() || file.find_first_of("/\\") != std::string::npos || file == "." || file == ".." ||
        file.find('\0') != std::string::npos)
      return invalid_input("[huggingface] {}: expected a file name of the same folder for tensor '{}', got {}", name,
                           tensor, shard.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
    result.shard_of.emplace(tensor, file);
    result.shards.push_back(file);
  }
  std::sort(result.shards.begin(), result.shards.end());
  result.shards.erase(std::unique(result.shards.begin(), result.shards.end()), result.shards.end());
  return result;
}

bool probe_huggingface(const fs::path& path) {
  return is_file(path / "config.json") || is_file(path / kWeights) || is_file(path / kIndex);
}

Result<ModelFile> open_huggingface(const fs::path& path) {
  ModelFile model;
  if (!is_file(path / "config.json"))
    return not_found("[huggingface] {}: expected config.json beside the weights, got none; download it", path.string());
  HALFTONE_ASSIGN(model.config, read_json_file(path / "config.json"));
  if (!model.config.is_object())
    return invalid_input("[huggingface] {}: expected a JSON object, got JSON of type {}",
                         (path / "config.json").string(), model.config.type_name());
  if (is_file(path / kIndex)) {
    HALFTONE_TRY(read_sharded(path, model));
  } else if (is_file(path / kWeights)) {
    std::map<std::string, std::string> found_in;
    HALFTONE_TRY(read_shard(path / kWeights, model, found_in));
  } else {
    return no_weights(path);
  }
  std::sort(model.tensors.begin(), model.tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) { return a.name < b.name; });
  model.side_files = find_side_files(path);
  return model;
}

}  // namespace halftone
