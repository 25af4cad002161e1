// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>

#include "halftone/status.h"

namespace halftone {

// What tells that a file is still the one that was read, without reading it again.
struct FileIdentity {
  int64_t bytes = 0, modified_ns = 0, inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

Result<FileIdentity> identity_of(const std::filesystem::path& path);

}  // namespace halftone
