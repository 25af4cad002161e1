// SPDX-License-Identifier: Apache-2.0
// The folder of imported models: $HALFTONE_CACHE, or $XDG_CACHE_HOME/halftone, or ~/.cache/halftone. Below it, in
// imports-N (N: kImportVersion):
//   CONTAINER-BYTES-SHA256.ht   an artifact, named after the bytes it was made from
//   index/SHA256.json           for the files of one path: size, time of change and inode of each, and their artifact
// Everything in it can be made again: deleting the folder, or any part of it, is always safe. Processes do not wait for
// each other: each writes beside, and whoever is first wins with the same bytes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_identity.h"
#include "formats/source_hash.h"
#include "halftone/status.h"

namespace halftone {

inline constexpr int kImportVersion = 1;  // raised when an import gives other bytes than before

class ImportCache {
 public:
  // Of these files, which exist.
  static Result<ImportCache> open(const std::vector<std::filesystem::path>& files, std::string_view container);

  // The artifact of these files as far as can be told without reading them; empty: none is known.
  std::optional<std::filesystem::path> find() const;
  // Whether an artifact was made of as many bytes, so that hashing them first may save the import.
  bool may_hold_copy() const;
  std::string name_for(const std::vector<SourceFile>& hashes) const;  // of the artifact's folder
  const std::filesystem::path& folder() const { return folder_; }
  // Remembers that `artifact` is made of these files. An error when they changed since open().
  Status remember(const std::string& artifact) const;

 private:
  ImportCache() = default;
  std::filesystem::path index_file() const;
  std::vector<std::filesystem::path> files_;  // absolute
  std::vector<FileIdentity> identities_;
  std::filesystem::path folder_;
  std::string prefix_;  // CONTAINER-BYTES-
};

}  // namespace halftone
