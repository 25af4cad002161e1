// SPDX-License-Identifier: Apache-2.0
#include "formats/import/cache.h"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/hash.h"
#include "formats/json_text.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<fs::path> cache_root() {
  if (const std::string own = variable("HALFTONE_CACHE"); !own.empty()) return fs::path(own);
  if (const std::string shared = variable("XDG_CACHE_HOME"); !shared.empty()) return fs::path(shared) / "halftone";
  if (const std::string home = variable("HOME"); !home.empty()) return fs::path(home) / ".cache" / "halftone";
  return not_found("[import] expected a place for imported models, got none: set HALFTONE_CACHE to a folder");
}

nlohmann::json json_of(const FileIdentity& identity) {
  return {{"bytes", identity.bytes}, {"modified_ns", identity.modified_ns}, {"inode", identity.inode}};
}

}  // namespace

Result<ImportCache> ImportCache::open(const std::vector<fs::path>& files, std::string_view container) {
  ImportCache cache;
  int64_t bytes = 0;
  for (const fs::path& file : files) {
    std::error_code error;
    cache.files_.push_back(fs::absolute(file, error).lexically_normal());
    HALFTONE_ASSIGN(const FileIdentity identity, identity_of(file));
    cache.identities_.push_back(identity);
    bytes += identity.bytes;
  }
  HALFTONE_ASSIGN(const fs::path root, cache_root());
  cache.folder_ = root / fmt::format("imports-{}", kImportVersion);
  cache.prefix_ = fmt::format("{}-{}-", container, bytes);
  return cache;
}

fs::path ImportCache::index_file() const {
  std::string paths;
  for (const fs::path& file : files_) paths += file.string() + '\n';
  return folder_ / "index" / (sha256_hex(std::string_view(paths)) + ".json");
}

std::optional<fs::path> ImportCache::find() const {
  std::error_code error;
  const fs::path file = index_file();
  if (!fs::is_regular_file(file, error)) return {};
  const auto index = read_json_file(file);
  if (!index.ok() || !index->is_object()) return {};  // half a disk's worth of trouble: import again
  nlohmann::json identities = nlohmann::json::array();
  for (const FileIdentity& identity : identities_) identities.push_back(json_of(identity));
  const auto known = index->find("files");
  const auto artifact = index->find("artifact");
  if (known == index->end() || *known != identities || artifact == index->end() || !artifact->is_string()) return {};
  const auto name = artifact->get<std::string>();
  if (!name.starts_with(prefix_) || name.find('/') != std::string::npos) return {};
  if (!fs::is_directory(folder_ / name, error)) return {};
  return folder_ / name;
}

bool ImportCache::may_hold_copy() const {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error))
    if (entry.path().filename().string().starts_with(prefix_)) return true;
  return false;
}

std::string ImportCache::name_for(const std::vector<SourceFile>& hashes) const {
  std::string key;
  for (const SourceFile& file : hashes) key += fmt::format("{} {}\n", file.sha256, file.bytes);
  return fmt::format("{}{}.ht", prefix_,
                     hashes.size() == 1 ? hashes.front().sha256 : sha256_hex(std::string_view(key)));
}

Status ImportCache::remember(const std::string& artifact) const {
  nlohmann::json index = {
      {"paths", nlohmann::json::array()}, {"files", nlohmann::json::array()}, {"artifact", artifact}};
  for (size_t i = 0; i < files_.size(); ++i) {
    HALFTONE_ASSIGN(const FileIdentity now, identity_of(files_[i]));
    if (now != identities_[i])
      return io_error("[import] {}: expected the file to stay as it is while it is read, got a change; open it again",
                      files_[i].string());
    index["paths"].push_back(files_[i].string());
    index["files"].push_back(json_of(now));
  }
  const fs::path file = index_file();
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (error) return io_error("[import] {}: cannot create: {}", file.parent_path().string(), error.message());
  return write_file_atomic(file, index.dump(1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace halftone
