// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

#include "halftone/status.h"

namespace halftone {

// Owns a file descriptor. Interrupted system calls are repeated; errors name `who` and the file.
class FileHandle {
 public:
  FileHandle() = default;
  static Result<FileHandle> open_to_read(std::string_view who, const std::filesystem::path& path);
  static Result<FileHandle> open_to_write(std::string_view who, const std::filesystem::path& path);  // truncates
  static Result<FileHandle> open_folder(std::string_view who, const std::filesystem::path& path);    // to sync or lock
  FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileHandle& operator=(FileHandle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileHandle();

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  // Both return an errno value, 0 when all went well. read fills `into` up to the end of the file.
  int read(std::span<std::byte> into, size_t& got);
  int write(std::span<const std::byte> bytes);
  int sync();
  int close();
  // Takes the lock that the system drops when the last copy of this handle closes, however the process ends.
  bool try_lock();

 private:
  explicit FileHandle(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace halftone
