// SPDX-License-Identifier: Apache-2.0
// What a format gives to the table in formats.cc. Adding one: docs/adding/format.md.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "formats/import/import.h"
#include "formats/model_file.h"
#include "halftone/status.h"

namespace halftone {

struct Format {
  std::string_view name;   // ModelFile::container
  std::string_view looks;  // what probe() looks for, for the message when no format fits
  bool (*probe)(const std::filesystem::path& path);
  Result<ModelFile> (*open)(const std::filesystem::path& path);
  // What open() regroups, read again from the files; null for formats that are mapped as they are.
  Result<ImportSource> (*import)(const std::filesystem::path& path) = nullptr;
};

std::span<const Format> all_formats();

}  // namespace halftone
