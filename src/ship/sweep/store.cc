// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/store.h"

#include "base/error.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kMostPointBytes = 16 << 20;

}  // namespace

Status check_sweep_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) return {};
  if (!fs::is_directory(folder, error))
    return invalid_input("[sweep] {}: expected a folder, got a file; choose another -o", folder.string());
  const auto entry = fs::directory_iterator(folder, error);
  if (error) return io_error("[sweep] {}: expected to read the folder, got: {}", folder.string(), error.message());
  if (entry == fs::directory_iterator()) return {};
  const auto text = read_text_file(folder / "sweep.json");
  const Json json = text.ok() ? Json::parse(*text, nullptr, false) : Json();
  if (json.is_object() && json.contains("results") && json["results"].is_object() && json["results"].contains("points"))
    return {};
  return invalid_input(
      "[sweep] {}: expected an empty folder, or one with the sweep.json of an earlier sweep, got one with {}; choose "
      "another -o",
      folder.string(), entry->path().filename().string());
}

Result<SweepStore> SweepStore::open(const fs::path& folder, bool keep) {
  std::error_code error;
  fs::create_directories(folder / "points", error);
  if (error) return io_error("[sweep] {}: expected to make the folder, got: {}", folder.string(), error.message());
  HALFTONE_ASSIGN(AtomicFolder work, AtomicFolder::create(folder / "points" / "work", true));
  return SweepStore(folder, keep, std::move(work));
}

Result<std::optional<Json>> SweepStore::read(const std::string& name) const {
  std::error_code error;
  if (!fs::exists(file(name), error)) return std::optional<Json>();
  HALFTONE_ASSIGN(const std::string text, read_text_file(file(name), kMostPointBytes));
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("key"))
    return invalid_input(
        "[sweep] {}: expected what an earlier sweep measured, got no JSON of ours; remove the file to measure it again",
        file(name).string());
  return std::optional<Json>(std::move(json));
}

Result<std::optional<SweepPoint>> SweepStore::find(const std::string& name, const std::string& key) const {
  HALFTONE_ASSIGN(const std::optional<Json> json, read(name));
  if (!json || (*json)["key"] != key) return std::optional<SweepPoint>();
  std::error_code error;
  if (keep_ && !fs::exists(artifact(name), error)) return std::optional<SweepPoint>();
  HALFTONE_ASSIGN(SweepPoint point, parse_point(*json, file(name).string()));
  return std::optional<SweepPoint>(std::move(point));
}

Status SweepStore::save(const SweepPoint& point) const {
  return write_file_atomic(file(point.name), to_json(point).dump(1) + "\n");
}

fs::path SweepStore::artifact(const std::string& name) const {
  return (keep_ ? folder_ / "points" : work_.path()) / (name + ".ht");
}

void SweepStore::discard_artifact(const std::string& name) const {
  std::error_code ignored;  // it goes with the work folder at the latest
  if (!keep_) fs::remove_all(artifact(name), ignored);
}

Result<std::optional<Json>> SweepStore::find_note(const std::string& name, const std::string& key) const {
  HALFTONE_ASSIGN(std::optional<Json> json, read(name));
  if (json && (*json)["key"] != key) json.reset();
  return json;
}

Status SweepStore::save_note(const std::string& name, const Json& note) const {
  return write_file_atomic(file(name), note.dump(1) + "\n");
}

}  // namespace halftone
