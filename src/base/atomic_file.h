// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/file_handle.h"
#include "halftone/status.h"

namespace halftone {

// A file that appears complete or not at all: it is written to a hidden sibling, which commit() renames. Destroyed
// without commit: nothing stays. An existing `target` is replaced only by commit(), and only when `replace` is true;
// otherwise create() fails and says so. Missing parent folders are made; what a killed process left is removed. Short
// texts: write_file_atomic.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& target, bool replace);
  AtomicFile(AtomicFile&& other) noexcept { swap(other); }
  AtomicFile& operator=(AtomicFile&& other) noexcept {
    AtomicFile old(std::move(other));
    swap(old);
    return *this;
  }
  ~AtomicFile();
  const std::filesystem::path& path() const { return staging_; }  // exists, empty: write here
  Status commit();

 private:
  AtomicFile(std::filesystem::path staging, std::filesystem::path target, bool replace, FileHandle lock)
      : staging_(std::move(staging)), target_(std::move(target)), replace_(replace), lock_(std::move(lock)) {}
  void swap(AtomicFile& other) noexcept;
  std::filesystem::path staging_, target_;  // staging_ is empty once committed
  bool replace_ = false;
  FileHandle lock_;  // held while we live, so that others know our file from a leftover
};

}  // namespace halftone
