// SPDX-License-Identifier: Apache-2.0
// A GGUF file, or the parts of a split one, as a model: regrouped through the cache. What becomes of each type:
// FORMAT.md.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "base/file_map.h"
#include "formats/gguf/gguf.h"
#include "formats/import/import.h"
#include "formats/model_file.h"
#include "halftone/status.h"

namespace halftone {

bool probe_gguf(const std::filesystem::path& path);  // a file that begins with GGUF, or a folder with such files only
Result<ModelFile> open_gguf(const std::filesystem::path& path);
Result<ImportSource> import_gguf(const std::filesystem::path& path);

// All parts of a model, mapped and read.
struct GgufFiles {
  std::vector<std::shared_ptr<const FileMap>> maps;
  std::vector<GgufHeader> headers;  // one per map; the first has the metadata

  const GgufHeader& first() const { return headers.front(); }
  const GgufTensor* find_tensor(std::string_view name) const;
};

// The files that belong to `path`: itself, or every part of a split model, in order. Errors: a part that is missing, a
// folder with several models.
Result<std::vector<std::filesystem::path>> gguf_files(const std::filesystem::path& path);
Result<GgufFiles> read_gguf_files(const std::vector<std::filesystem::path>& files);

// What is regrouped, from files that were read: every tensor under its Hugging Face name.
Result<ImportSource> gguf_import(const GgufFiles& files);

// Hugging Face's config.json in the terms of the model's family, from metadata and tensors.
Result<nlohmann::json> gguf_config(const GgufFiles& files);

}  // namespace halftone
