// SPDX-License-Identifier: Apache-2.0
// Which files are one model: a split one says so in names (NAME-00002-of-00003.gguf) and in metadata.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/numbers.h"
#include "formats/gguf/open.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGgufExtension = ".gguf";
constexpr int64_t kMostParts = 99999;

bool begins_as_gguf(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;
  char magic[4] = {};
  std::ifstream file(path, std::ios::binary);
  return file.read(magic, sizeof(magic)) && std::memcmp(magic, "GGUF", sizeof(magic)) == 0;
}

struct PartName {
  std::string stem;
  int64_t part, parts;
};

// "NAME-00002-of-00003.gguf"
std::optional<PartName> part_of(const fs::path& path) {
  constexpr size_t kDigits = 5, kTail = 1 + kDigits + 4 + kDigits;
  const std::string stem = path.stem().string();
  if (path.extension() != kGgufExtension || stem.size() <= kTail) return {};
  const std::string_view tail = std::string_view(stem).substr(stem.size() - kTail);
  if (tail[0] != '-' || tail.substr(1 + kDigits, 4) != "-of-") return {};
  const auto part = parse_integer(tail.substr(1, kDigits)), parts = parse_integer(tail.substr(1 + kDigits + 4));
  if (!part || !parts || *part < 1 || *part > *parts || *parts > kMostParts) return {};
  return PartName{stem.substr(0, stem.size() - kTail), *part, *parts};
}

// The models of a folder: files, or first parts. Pictures' encoders are no models of their own.
std::vector<fs::path> models_in(const fs::path& folder) {
  std::vector<fs::path> models;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const fs::path& path = entry.path();
    if (path.extension() != kGgufExtension || path.filename().string().starts_with("mmproj")) continue;
    const auto part = part_of(path);
    if (!part || part->part == 1) models.push_back(path);
  }
  std::sort(models.begin(), models.end());
  return models;
}

Result<fs::path> model_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  const std::vector<fs::path> models = models_in(path);
  if (models.size() == 1) return models.front();
  std::string names;
  for (const fs::path& model : models) names += (names.empty() ? "" : ", ") + model.filename().string();
  return invalid_input("[gguf] {}: expected a folder with one model, got {}; give one of its files", path.string(),
                       models.empty() ? "parts without the first" : names);
}

uint64_t number_or(const GgufHeader& header, std::string_view key, uint64_t fallback) {
  const GgufEntry* entry = header.find(key);
  if (entry == nullptr) return fallback;
  if (const auto* natural = std::get_if<uint64_t>(&entry->value)) return *natural;
  const auto* whole = std::get_if<int64_t>(&entry->value);
  return whole != nullptr && *whole >= 0 ? static_cast<uint64_t>(*whole) : fallback;
}

// Each part must be what its name and place say, and together they must have what the first one promises.
Status check_parts(const GgufFiles& files) {
  const uint64_t count = files.headers.size();
  std::set<std::string_view> names;
  uint64_t tensors = 0;
  for (size_t i = 0; i < files.headers.size(); ++i) {
    const GgufHeader& header = files.headers[i];
    const std::string file = files.maps[i]->path().string();
    const uint64_t parts = number_or(header, "split.count", 0), part = number_or(header, "split.no", 0);
    if ((count > 1 || parts > 1) && (parts != count || part != i))
      return invalid_input(
          "[gguf] {}: expected part {} of {} (split.no, split.count), got part {} of {}; keep the names that the parts "
          "were downloaded with, NAME-00001-of-{:05}.gguf",
          file, i + 1, count, part + 1, parts, std::max(parts, count));
    tensors += header.tensors.size();
    for (const GgufTensor& tensor : header.tensors)
      if (!names.insert(tensor.name).second)
        return invalid_input("[gguf] {}: expected tensor '{}' in one part, got it in two; the parts are of two models",
                             file, tensor.name);
  }
  const uint64_t promised = number_or(files.first(), "split.tensors.count", tensors);
  if (count > 1 && promised != tensors)
    return invalid_input("[gguf] {}: expected {} tensors in {} parts, got {}; the parts are of two models",
                         files.maps.front()->path().string(), promised, count, tensors);
  return {};
}

}  // namespace

const GgufTensor* GgufFiles::find_tensor(std::string_view name) const {
  for (const GgufHeader& header : headers)
    if (const GgufTensor* tensor = header.find_tensor(name)) return tensor;
  return nullptr;
}

bool probe_gguf(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path.extension() == kGgufExtension || begins_as_gguf(path);
  return !fs::exists(path / "config.json", error) && !models_in(path).empty();
}

Result<std::vector<fs::path>> gguf_files(const fs::path& path) {
  HALFTONE_ASSIGN(const fs::path model, model_of(path));
  const auto part = part_of(model);
  if (!part) return std::vector<fs::path>{model};
  std::vector<fs::path> files;
  std::error_code error;
  for (int64_t i = 1; i <= part->parts; ++i) {
    files.push_back(model.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", part->stem, i, part->parts));
    if (!fs::is_regular_file(files.back(), error))
      return not_found("[gguf] {}: expected all {} parts beside each other, got no {}; download it", model.string(),
                       part->parts, files.back().filename().string());
  }
  return files;
}

Result<GgufFiles> read_gguf_files(const std::vector<fs::path>& files) {
  GgufFiles read;
  for (const fs::path& file : files) {
    HALFTONE_ASSIGN(std::shared_ptr<const FileMap> map, FileMap::open(file));
    HALFTONE_ASSIGN(GgufHeader header, parse_gguf(map->bytes(), file.string()));
    read.maps.push_back(std::move(map));
    read.headers.push_back(std::move(header));
  }
  HALFTONE_TRY(check_parts(read));
  return read;
}

}  // namespace halftone
