// SPDX-License-Identifier: Apache-2.0
#include "ship/work_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "base/error.h"

namespace halftone {

namespace fs = std::filesystem;

Result<WorkFolder> WorkFolder::create(const fs::path& output) {
  std::error_code error;
  const fs::path parent = output.has_parent_path() ? output.parent_path() : fs::path(".");
  fs::create_directories(parent, error);
  const fs::path path = parent / fmt::format(".{}.work-{}", output.filename().string(), ::getpid());
  if (!error) fs::remove_all(path, error);
  if (!error) fs::create_directory(path, error);
  if (error)
    return io_error(
        "[ship] {}: expected to make a work folder beside the output, got: {}; choose an output where you may write",
        path.string(), error.message());
  return WorkFolder(path);
}

WorkFolder::~WorkFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace halftone
