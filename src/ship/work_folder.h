// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <utility>

#include "halftone/status.h"

namespace halftone {

// A hidden folder beside the output (the same file system, so that its files can be moved there), removed with
// everything in it.
class WorkFolder {
 public:
  static Result<WorkFolder> create(const std::filesystem::path& output);
  WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit WorkFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace halftone
