// SPDX-License-Identifier: Apache-2.0
#include "base/file_handle.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/os_error.h"

namespace halftone {
namespace {

constexpr size_t kLargestTransfer = size_t{1} << 30;  // some systems refuse more in one call

int open_repeating(const char* path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path, flags | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

}  // namespace

Result<FileHandle> FileHandle::open_to_read(std::string_view who, const std::filesystem::path& path) {
  const int fd = open_repeating(path.c_str(), O_RDONLY);
  if (fd < 0) return os_error(who, path, "open", errno);
  FileHandle handle(fd);
  struct stat info {};
  if (::fstat(fd, &info) != 0) return os_error(who, path, "inspect", errno);
  if (S_ISDIR(info.st_mode)) return os_error(who, path, "read as a file", EISDIR);
  return handle;
}

Result<FileHandle> FileHandle::open_to_write(std::string_view who, const std::filesystem::path& path) {
  const int fd = open_repeating(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC);
  if (fd < 0) return os_error(who, path, "create", errno);
  return FileHandle(fd);
}

Result<FileHandle> FileHandle::open_folder(std::string_view who, const std::filesystem::path& path) {
  const int fd = open_repeating(path.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0) return os_error(who, path, "open", errno);
  return FileHandle(fd);
}

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

int FileHandle::read(std::span<std::byte> into, size_t& got) {
  got = 0;
  while (got < into.size()) {
    const ssize_t n = ::read(fd_, into.data() + got, std::min(into.size() - got, kLargestTransfer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return 0;
    got += static_cast<size_t>(n);
  }
  return 0;
}

int FileHandle::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), std::min(bytes.size(), kLargestTransfer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return 0;
}

int FileHandle::sync() {
  if (::fsync(fd_) == 0) return 0;
  // Pipes and devices cannot be synced; their writes are done when write() returns.
  return errno == EINVAL || errno == ENOTSUP || errno == EROFS ? 0 : errno;
}

int FileHandle::close() {
  const int fd = std::exchange(fd_, -1);
  // After EINTR the descriptor is gone on Linux and macOS; a second close could hit another thread's file.
  return fd < 0 || ::close(fd) == 0 || errno == EINTR ? 0 : errno;
}

bool FileHandle::try_lock() { return ::flock(fd_, LOCK_EX | LOCK_NB) == 0; }

}  // namespace halftone
