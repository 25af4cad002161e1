// SPDX-License-Identifier: Apache-2.0
#include "base/file_map.h"

#include <sys/mman.h>

#include <cerrno>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/os_error.h"

namespace halftone {

Result<std::shared_ptr<const FileMap>> FileMap::open(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const FileHandle file, FileHandle::open_to_read("file", path));
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) return os_error("file", path, "inspect", errno);
  if (!S_ISREG(info.st_mode)) {
    return invalid_input("[file] {}: expected a regular file, got a pipe or a device; copy it to a file first",
                         path.string());
  }
  const size_t size = static_cast<size_t>(info.st_size);
  std::span<const std::byte> bytes;
  if (size > 0) {  // an empty mapping is an error of mmap
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd(), 0);
    if (data == MAP_FAILED) return os_error("file", path, "map", errno);
    bytes = {static_cast<const std::byte*>(data), size};
  }
  return std::shared_ptr<const FileMap>(new FileMap(path, bytes));
}

FileMap::~FileMap() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void FileMap::will_need() const {
  if (!bytes_.empty()) ::madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_WILLNEED);
}

}  // namespace halftone
