// SPDX-License-Identifier: Apache-2.0
#include "formats/import/import.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/version.h"
#include "formats/import/cache.h"
#include "formats/import/labels.h"
#include "formats/import/regroup.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

// What every import is written under until its bytes are known.
constexpr std::string_view kUnnamed = "import";

Status check_names(const ImportSource& source) {
  std::vector<std::string_view> names;
  for (const ImportTensor& tensor : source.tensors) names.push_back(tensor.stored.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return {};
  return invalid_input("[import] expected every tensor once, got '{}' twice", *twice);
}

// In front of what the system said, why anything is written at all.
Status explain(Status status, const ImportCache& cache) {
  const bool input = status.code() == StatusCode::invalid_input || status.code() == StatusCode::unsupported;
  if (status.ok() || input) return status;
  return io_error(
      "{}\n[import] codes are regrouped once and kept in {}; set HALFTONE_CACHE to another folder, or make "
      "room there (everything in it can be deleted)",
      status.message(), cache.folder().string());
}

Result<ModelFile> open_cached(const fs::path& artifact) {
  HALFTONE_ASSIGN(ModelFile model, open_artifact(artifact));
  HALFTONE_ASSIGN(ImportRecord record, read_import_record(model.provenance, artifact.string()));
  record.cache = artifact;
  model.import = std::move(record);
  return model;
}

// An artifact of these bytes that another path, or a copy, left in the cache.
Result<std::string> find_copy(const ImportSource& source, const ImportCache& cache) {
  if (!cache.may_hold_copy()) return std::string();
  SourceHash hash(source.maps);
  const std::string name = cache.name_for(hash.finish());
  std::error_code error;
  return fs::is_directory(cache.folder() / name, error) ? name : std::string();
}

Result<std::string> write_artifact(ImportSource& source, std::string_view container, const ImportCache& cache) {
  ModelFile head;
  head.config = std::move(source.config);
  head.side_files = std::move(source.side_files);
  std::vector<ArtifactTensor> tensors;
  for (const ImportTensor& tensor : source.tensors) tensors.push_back(tensor.stored);
  HALFTONE_ASSIGN(ArtifactWriter writer,
                  ArtifactWriter::create(cache.folder() / kUnnamed, true, head, std::move(tensors)));
  SourceHash hash(source.maps);
  ThreadPool pool(available_cores());
  HALFTONE_TRY(regroup(source.tensors, writer, hash, pool));
  for (const auto& [name, text] : source.texts) HALFTONE_TRY(writer.add_file(name, text));
  const std::vector<SourceFile> files = hash.finish();
  std::string name = cache.name_for(files);
  nlohmann::ordered_json provenance = {{"halftone", version()}};
  write_import_record(source, container, files, provenance);
  writer.rename_target(name);
  HALFTONE_TRY(writer.finish(std::move(provenance)));
  return name;
}

Result<std::string> find_or_write(ImportSource& source, std::string_view container, const ImportCache& cache) {
  HALFTONE_ASSIGN(std::string name, find_copy(source, cache));
  if (!name.empty() && open_cached(cache.folder() / name).ok()) return name;
  return write_artifact(source, container, cache);
}

}  // namespace

Result<ModelFile> open_through_cache(const std::vector<fs::path>& files, std::string_view container,
                                     const std::function<Result<ImportSource>()>& read) {
  HALFTONE_ASSIGN(const ImportCache cache, ImportCache::open(files, container));
  if (const auto known = cache.find()) {
    auto model = open_cached(*known);
    if (model.ok()) return model;  // else somebody damaged it: make it again
  }
  const auto start = std::chrono::steady_clock::now();
  HALFTONE_ASSIGN(ImportSource source, read());
  HALFTONE_TRY(check_names(source));
  Result<std::string> name = find_or_write(source, container, cache);
  if (!name.ok()) return explain(name.status(), cache);
  HALFTONE_TRY(explain(cache.remember(*name), cache));
  HALFTONE_ASSIGN(ModelFile model, open_cached(cache.folder() / *name));
  model.import->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return model;
}

}  // namespace halftone
