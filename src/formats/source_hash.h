// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/file_map.h"
#include "base/hash.h"

namespace halftone {

struct SourceFile {
  std::string name;  // without its folder
  int64_t bytes = 0;
  std::string sha256;  // of the whole file: agrees with sha256sum
};

// Hashes the source's files a slab at a time, so that the work can run beside the packing of tiles.
class SourceHash {
 public:
  explicit SourceHash(const std::vector<std::shared_ptr<const FileMap>>& maps) : maps_(maps) {}
  void advance(int64_t bytes);  // hashes so many more, or what is left
  std::vector<SourceFile> finish();
  int64_t total_bytes() const;

 private:
  const std::vector<std::shared_ptr<const FileMap>>& maps_;
  std::vector<SourceFile> done_;
  Sha256 hash_;
  size_t at_ = 0;  // in the current file
};

}  // namespace halftone
