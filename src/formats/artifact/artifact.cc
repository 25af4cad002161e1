// SPDX-License-Identifier: Apache-2.0
#include "formats/artifact/artifact.h"

#include <algorithm>
#include <atomic>
#include <map>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/hash.h"
#include "formats/artifact/manifest.h"
#include "formats/check.h"
#include "formats/safetensors/safetensors.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

// An opened artifact with what verification needs beside the neutral model.
struct Opened {
  ModelFile model;
  Manifest manifest;
  std::map<std::string, std::span<const std::byte>> stored;  // payloads with padding
};

Result<Manifest> read_manifest(const fs::path& folder) {
  const fs::path path = folder / kManifestFile;
  HALFTONE_ASSIGN(const std::string text, read_text_file(path, kMaxManifestBytes));
  return parse_manifest(text, path.string());
}

// The entry of the weights file must be what model.json promises of it.
Status check_entry(const Manifest::Entry& promised, const SafetensorsEntry& entry, const std::string& file) {
  const int64_t bytes = promised.tensor.bytes();
  if (entry.type != DType::u8 || static_cast<int64_t>(entry.end - entry.begin) != bytes)
    return invalid_input(
        "[artifact] {}: tensor '{}': expected U8 [{}] as model.json says, got {} of {} bytes; the files are of "
        "two artifacts",
        file, entry.name, bytes, safetensors_name(entry.type), entry.end - entry.begin);
  if (entry.begin % kArtifactAlignment != 0)
    return invalid_input(
        "[artifact] {}: tensor '{}': expected its data at a multiple of {} bytes, got offset {}; quantize again", file,
        entry.name, kArtifactAlignment, entry.begin);
  return {};
}

Status bind_tensors(const SafetensorsHeader& header, const std::shared_ptr<const FileMap>& map, Opened& opened) {
  const std::string file = map->path().string();
  std::map<std::string_view, const SafetensorsEntry*> entries;
  for (const SafetensorsEntry& entry : header.entries) entries.emplace(entry.name, &entry);
  for (const Manifest::Entry& promised : opened.manifest.tensors) {
    const auto at = entries.find(promised.tensor.name);
    if (at == entries.end())
      return invalid_input(
          "[artifact] {}: expected tensor '{}' as model.json says, got none; the files are of two artifacts", file,
          promised.tensor.name);
    const SafetensorsEntry& entry = *at->second;
    HALFTONE_TRY(check_entry(promised, entry, file));
    const auto stored = map->bytes().subspan(entry.begin, entry.end - entry.begin);
    StoredTensor tensor;
    tensor.name = promised.tensor.name;
    tensor.shape = promised.tensor.shape;
    tensor.layout = promised.tensor.layout;
    tensor.order = promised.tensor.order;
    tensor.data = stored.first(static_cast<size_t>(promised.tensor.payload_bytes()));
    tensor.file = map->path();
    tensor.input = promised.tensor.input;
    opened.model.tensors.push_back(std::move(tensor));
    opened.stored.emplace(promised.tensor.name, stored);
    entries.erase(at);
  }
  if (!entries.empty())
    return invalid_input(
        "[artifact] {}: expected only tensors of model.json, got '{}' too; the files are of two artifacts", file,
        entries.begin()->first);
  return {};
}

Result<Opened> open_all(const fs::path& path) {
  Opened opened;
  HALFTONE_ASSIGN(opened.manifest, read_manifest(path));
  std::error_code error;
  const fs::path weights = path / kWeightsFile;
  if (!fs::is_regular_file(weights, error))
    return not_found("[artifact] {}: expected {} beside {}, got none; copy the whole folder", path.string(),
                     kWeightsFile, kManifestFile);
  HALFTONE_ASSIGN(std::shared_ptr<const FileMap> map, FileMap::open(weights));
  HALFTONE_ASSIGN(const SafetensorsHeader header, parse_safetensors(map->bytes(), weights.string()));
  const auto format = header.metadata.find("format");
  if (format == header.metadata.end() || format->second != kArtifactFormat)
    return invalid_input("[artifact] {}: expected metadata format {}, got '{}'; the files are of two artifacts",
                         weights.string(), kArtifactFormat, format == header.metadata.end() ? "" : format->second);
  const auto size = static_cast<int64_t>(map->bytes().size());
  if (size != opened.manifest.weights_bytes)
    return invalid_input("[artifact] {}: expected {} bytes as model.json says, got {}; copy the whole folder again",
                         weights.string(), opened.manifest.weights_bytes, size);
  HALFTONE_TRY(bind_tensors(header, map, opened));
  for (const auto& [name, hash] : opened.manifest.files) {
    if (!fs::is_regular_file(path / name, error))
      return not_found("[artifact] {}: expected {} as model.json says, got no such file; copy the whole folder",
                       path.string(), name);
    opened.model.side_files.emplace(name, path / name);
  }
  ModelFile& model = opened.model;
  std::sort(model.tensors.begin(), model.tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) { return a.name < b.name; });
  model.config = opened.manifest.config;
  model.provenance = opened.manifest.provenance;
  model.bytes_on_disk = size;
  model.maps.push_back(std::move(map));
  return opened;
}

// The hash of each tensor, in parallel; the first difference in file order is the error.
Status verify_tensors(const Opened& opened, const fs::path& path, ThreadPool& pool, Progress& progress) {
  const auto& tensors = opened.manifest.tensors;
  std::vector<char> differs(tensors.size(), 0);
  std::atomic<int64_t> hashed{0};  // since thread 0 last told
  pool.parallel_for(static_cast<int64_t>(tensors.size()), 1, [&](int64_t begin, int64_t end, int thread) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const auto stored = opened.stored.at(tensors[i].tensor.name);
      differs[i] = sha256_hex(stored) != tensors[i].sha256;
      hashed += static_cast<int64_t>(stored.size());
      if (thread == 0) progress.advance(hashed.exchange(0));
    }
  });
  for (size_t i = 0; i < tensors.size(); ++i)
    if (differs[i] != 0)
      return invalid_input(
          "[artifact] {}: tensor '{}': expected sha256 {}, got other bytes; the file is damaged, copy or quantize "
          "again",
          (path / kWeightsFile).string(), tensors[i].tensor.name, tensors[i].sha256);
  return {};
}

Status expect_hash(const fs::path& path, const std::string& expected) {
  HALFTONE_ASSIGN(const std::string got, sha256_file(path));
  if (got == expected) return {};
  return invalid_input("[artifact] {}: expected sha256 {}, got {}; the file is damaged, copy or quantize again",
                       path.string(), expected, got);
}

}  // namespace

bool probe_artifact(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path / kManifestFile, error);
}

Result<ModelFile> open_artifact(const fs::path& path) {
  HALFTONE_ASSIGN(Opened opened, open_all(path));
  return std::move(opened.model);
}

Status verify_artifact(const fs::path& path, ThreadPool& pool, Progress& progress) {
  HALFTONE_ASSIGN(const Opened opened, open_all(path));
  progress.begin("verify", opened.manifest.weights_bytes, "bytes");
  Status status = verify_tensors(opened, path, pool, progress);
  if (status.ok()) status = expect_hash(path / kWeightsFile, opened.manifest.weights_sha256);
  for (const auto& [name, hash] : opened.manifest.files)
    if (status.ok()) status = expect_hash(path / name, hash);
  for (const StoredTensor& tensor : opened.model.tensors)
    if (status.ok()) status = check_finite(tensor, pool);
  progress.end();
  return status;
}

}  // namespace halftone
