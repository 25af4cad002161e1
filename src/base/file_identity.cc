// SPDX-License-Identifier: Apache-2.0
#include "base/file_identity.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/os_error.h"

namespace halftone {

Result<FileIdentity> identity_of(const std::filesystem::path& path) {
  constexpr int64_t kNanoseconds = 1'000'000'000;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return os_error("file", path, "inspect", errno);
#ifdef __APPLE__
  const timespec& modified = info.st_mtimespec;
#else
  const timespec& modified = info.st_mtim;
#endif
  return FileIdentity{static_cast<int64_t>(info.st_size),
                      static_cast<int64_t>(modified.tv_sec) * kNanoseconds + static_cast<int64_t>(modified.tv_nsec),
                      static_cast<int64_t>(info.st_ino)};
}

}  // namespace halftone
