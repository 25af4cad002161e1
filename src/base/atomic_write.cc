// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_write.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/numbers.h"
#include "base/os_error.h"

#ifdef __linux__
#include <fcntl.h>
#endif

namespace halftone {
namespace fs = std::filesystem;

namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;
constexpr std::string_view kWho = "write";

fs::path without_trailing_slash(const fs::path& path) {
  const fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

// The hidden sibling number `attempt`, named so that a person sees whose leftover it is.
fs::path sibling(const fs::path& target, std::string_view kind, int attempt) {
  const std::string suffix = attempt == 0 ? "" : fmt::format("-{}", attempt);
  return target.parent_path() / fmt::format(".{}.{}-{}{}", target.filename().string(), kind, ::getpid(), suffix);
}

fs::path file_sibling(const fs::path& target) {
  static std::atomic<int> files = 0;  // two threads may write the same file
  return sibling(target, "partial", files.fetch_add(1));
}

Status sync_path(const fs::path& path) {
  HALFTONE_ASSIGN(FileHandle file, FileHandle::open_to_read(kWho, path));
  if (const int code = file.sync(); code != 0) return os_error(kWho, path, "write", code);
  return {};
}

Status sync_folder(const fs::path& path) {
  HALFTONE_ASSIGN(FileHandle folder, FileHandle::open_folder(kWho, path));
  if (const int code = folder.sync(); code != 0) return os_error(kWho, path, "write", code);
  return {};
}

// After this a crash of the machine leaves either the old folder or the complete new one.
Status sync_files(const fs::path& folder) {
  std::error_code code;
  fs::recursive_directory_iterator entry(folder, code);
  for (; !code && entry != fs::recursive_directory_iterator(); entry.increment(code)) {
    if (entry->is_regular_file()) HALFTONE_TRY(sync_path(entry->path()));
    if (entry->is_directory()) HALFTONE_TRY(sync_folder(entry->path()));
  }
  if (code) return os_error(kWho, folder, "list", code.value());
  return sync_folder(folder);
}

// Removes what killed processes left of earlier tries: their number is gone and nobody holds the lock.
void remove_leftovers(const fs::path& target) {
  const std::string prefix = fmt::format(".{}.partial-", target.filename().string());
  std::error_code ignored;
  fs::directory_iterator entry(target.parent_path(), ignored);
  std::vector<fs::path> leftovers;
  for (; !ignored && entry != fs::directory_iterator(); entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (name.rfind(prefix, 0) != 0) continue;
    const std::string rest = name.substr(prefix.size());
    const auto process = parse_integer(rest.substr(0, rest.find('-')));
    const bool gone = process && *process > 0 && ::kill(static_cast<pid_t>(*process), 0) != 0 && errno == ESRCH;
    if (gone) leftovers.push_back(entry->path());
  }
  for (const fs::path& path : leftovers) {
    const bool folder = fs::is_directory(path, ignored);
    auto leftover = folder ? FileHandle::open_folder(kWho, path) : FileHandle::open_to_read(kWho, path);
    if (leftover.ok() && leftover->try_lock()) fs::remove_all(path, ignored);
  }
}

constexpr int kLockAttempts = 8;
constexpr int kNameAttempts = 1000;
constexpr int kReplaceAttempts = 100;

// The absolute path of what is to be created, in a parent folder that exists.
Result<fs::path> prepare_target(const fs::path& target, bool replace, std::string_view what) {
  std::error_code code;
  const fs::path full = without_trailing_slash(fs::absolute(target, code));
  if (code) return os_error(kWho, target, "resolve", code.value());
  if (!full.has_filename()) {
    return invalid_input("[write] {}: expected the name of a {} to create, got the root", target.string(), what);
  }
  if (!replace && fs::exists(fs::symlink_status(full, code))) {
    return invalid_input("[write] {}: expected a new {}, got one that exists; remove it or choose another name",
                         target.string(), what);
  }
  fs::create_directories(full.parent_path(), code);
  if (code) return os_error(kWho, full.parent_path(), "create", code.value());
  remove_leftovers(full);
  return full;
}

// Swaps two names in one step where the system can; returns an errno value.
int exchange_names([[maybe_unused]] const fs::path& a, [[maybe_unused]] const fs::path& b) {
#if defined(__linux__) && defined(RENAME_EXCHANGE)
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0 ? 0 : errno;
#elif defined(__APPLE__)
  return ::renamex_np(a.c_str(), b.c_str(), RENAME_SWAP) == 0 ? 0 : errno;
#else
  return ENOSYS;
#endif
}

// What rename says of a folder in the way.
bool appeared_meanwhile(int code) { return code == ENOTEMPTY || code == EEXIST; }

// Puts `staging` in the place of the existing `target` and removes what was there.
Status replace_folder(const fs::path& staging, const fs::path& target) {
  if (exchange_names(staging, target) == 0) {
    std::error_code ignored;  // the new folder is in place; a leftover of the old one does not spoil it
    fs::remove_all(staging, ignored);
    return {};
  }
  static std::atomic<int> replaced = 0;  // two threads may replace the same folder
  const fs::path old = sibling(target, "replaced", replaced.fetch_add(1));
  std::error_code ignored;
  for (int attempt = 0;; ++attempt) {
    const bool moved = std::rename(target.c_str(), old.c_str()) == 0;  // else somebody else moved it away just now
    if (!moved && errno != ENOENT) return os_error(kWho, target, "replace", errno);
    if (std::rename(staging.c_str(), target.c_str()) == 0) break;
    const int code = errno;
    if (appeared_meanwhile(code) && attempt < kReplaceAttempts) {
      fs::remove_all(old, ignored);
      continue;
    }
    if (moved && std::rename(old.c_str(), target.c_str()) != 0) return os_error(kWho, old, "move back", errno);
    return os_error(kWho, target, "replace", code);
  }
  fs::remove_all(old, ignored);
  return {};
}

}  // namespace

struct FileWriter::State {
  fs::path path;
  FileHandle file;
  std::vector<std::byte> buffer;
  int64_t position = 0;
  int failed = 0;  // the first errno; every later call repeats it

  Status put(std::span<const std::byte> bytes) {
    if (failed == 0) failed = file.write(bytes);
    return failed == 0 ? Status() : os_error(kWho, path, "write", failed);
  }
  Status flush() {
    Status status = put(buffer);
    buffer.clear();
    return status;
  }
};

Result<FileWriter> FileWriter::create(const fs::path& path) {
  HALFTONE_ASSIGN(FileHandle file, FileHandle::open_to_write(kWho, path));
  auto state = std::make_unique<State>();
  state->path = path;
  state->file = std::move(file);
  state->buffer.reserve(kBufferBytes);
  return FileWriter(std::move(state));
}

FileWriter::FileWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileWriter::FileWriter(FileWriter&&) noexcept = default;
FileWriter& FileWriter::operator=(FileWriter&&) noexcept = default;
FileWriter::~FileWriter() = default;

Status FileWriter::write(std::span<const std::byte> bytes) {
  HALFTONE_CHECK(state_ != nullptr && state_->file.is_open());
  if (bytes.empty()) return {};
  if (state_->buffer.size() + bytes.size() > kBufferBytes) HALFTONE_TRY(state_->flush());
  if (bytes.size() >= kBufferBytes) {
    HALFTONE_TRY(state_->put(bytes));
  } else {
    state_->buffer.insert(state_->buffer.end(), bytes.begin(), bytes.end());
  }
  state_->position += static_cast<int64_t>(bytes.size());
  return {};
}

Status FileWriter::write(std::string_view text) { return write(std::as_bytes(std::span(text.data(), text.size()))); }

Status FileWriter::pad_to(int64_t alignment) {
  HALFTONE_CHECK(alignment > 0);
  static constexpr std::byte kZeros[256] = {};
  int64_t missing = (alignment - position() % alignment) % alignment;
  while (missing > 0) {
    const int64_t n = std::min<int64_t>(missing, sizeof(kZeros));
    HALFTONE_TRY(write(std::span(kZeros, static_cast<size_t>(n))));
    missing -= n;
  }
  return {};
}

int64_t FileWriter::position() const { return state_ ? state_->position : 0; }

Status FileWriter::close() {
  HALFTONE_CHECK(state_ != nullptr);
  if (!state_->file.is_open()) return {};
  Status status = state_->flush();
  const int code = state_->file.close();
  if (status.ok() && code != 0) return os_error(kWho, state_->path, "write", code);
  return status;
}

AtomicFolder::AtomicFolder(fs::path staging, fs::path target, bool replace, FileHandle lock)
    : staging_(std::move(staging)), target_(std::move(target)), replace_(replace), lock_(std::move(lock)) {}
AtomicFolder::AtomicFolder(AtomicFolder&& other) noexcept { swap(other); }
AtomicFolder& AtomicFolder::operator=(AtomicFolder&& other) noexcept {
  swap(other);
  return *this;
}
void AtomicFolder::swap(AtomicFolder& other) noexcept {
  staging_.swap(other.staging_);
  target_.swap(other.target_);
  std::swap(replace_, other.replace_);
  std::swap(lock_, other.lock_);
}

AtomicFolder::~AtomicFolder() {
  if (staging_.empty()) return;
  std::error_code ignored;  // a destructor has nobody to tell
  fs::remove_all(staging_, ignored);
}

Result<AtomicFolder> AtomicFolder::create(const fs::path& target, bool replace) {
  HALFTONE_ASSIGN(const fs::path full, prepare_target(target, replace, "folder"));
  std::error_code code;
  int refused = 0;
  for (int attempt = 0;; ++attempt) {  // other folders may hold the first names
    const fs::path staging = sibling(full, "partial", attempt);
    if (fs::create_directory(staging, code)) {
      // Between the folder and its lock, remove_leftovers of somebody else may take it for a leftover: then another
      // name. Some file systems have no locks; nothing is removed there.
      auto lock = FileHandle::open_folder(kWho, staging);
      const bool locked = lock.ok() && lock->try_lock();
      const bool kept = lock.ok() && fs::exists(staging, code);
      if (kept && (locked || refused == kLockAttempts)) return AtomicFolder(staging, full, replace, std::move(*lock));
      fs::remove(staging, code);
      if (refused++ < kLockAttempts) continue;
      return lock.ok() ? os_error(kWho, staging, "keep", ENOENT) : lock.status();
    }
    // A name in use is no error by itself, but is one here if its folder vanishes while it is looked at.
    if (code && code != std::errc::file_exists) return os_error(kWho, staging, "create", code.value());
    if (attempt == kNameAttempts) return os_error(kWho, staging, "create", EEXIST);
  }
}

Status AtomicFolder::commit() {
  HALFTONE_CHECK(!staging_.empty());
  HALFTONE_TRY(sync_files(staging_));
  std::error_code code;
  const bool exists = fs::exists(fs::symlink_status(target_, code));
  if (exists && !replace_) {
    return invalid_input(
        "[write] {}: expected a new folder, got one that appeared meanwhile; remove it or choose another name",
        target_.string());
  }
  const int failure = exists || std::rename(staging_.c_str(), target_.c_str()) == 0 ? 0 : errno;
  if (exists || (appeared_meanwhile(failure) && replace_)) {
    HALFTONE_TRY(replace_folder(staging_, target_));
  } else if (failure != 0) {
    return os_error(kWho, target_, "create", failure);
  }
  staging_.clear();
  lock_ = FileHandle();
  (void)sync_folder(target_.parent_path());  // the folder is complete and in place; its parent may be unreadable
  return {};
}

void AtomicFile::swap(AtomicFile& other) noexcept {
  std::swap(staging_, other.staging_);
  std::swap(target_, other.target_);
  std::swap(replace_, other.replace_);
  std::swap(lock_, other.lock_);
}

AtomicFile::~AtomicFile() {
  if (!staging_.empty()) ::unlink(staging_.c_str());
}

Result<AtomicFile> AtomicFile::create(const fs::path& target, bool replace) {
  HALFTONE_ASSIGN(const fs::path full, prepare_target(target, replace, "file"));
  std::error_code code;
  const fs::file_status existing = fs::status(full, code);
  if (fs::exists(existing) && !fs::is_regular_file(existing)) {
    return invalid_input("[write] {}: expected the name of a file, got something else that exists; choose another name",
                         target.string());
  }
  const fs::path staging = file_sibling(full);
  HALFTONE_ASSIGN(FileHandle lock, FileHandle::open_to_write(kWho, staging));
  (void)lock.try_lock();  // as for folders
  return AtomicFile(staging, full, replace, std::move(lock));
}

Status AtomicFile::commit() {
  HALFTONE_CHECK(!staging_.empty());
  HALFTONE_TRY(sync_path(staging_));
  std::error_code code;
  if (!replace_ && fs::exists(fs::symlink_status(target_, code))) {
    return invalid_input(
        "[write] {}: expected a new file, got one that appeared meanwhile; remove it or choose another name",
        target_.string());
  }
  if (std::rename(staging_.c_str(), target_.c_str()) != 0) return os_error(kWho, target_, "create", errno);
  staging_.clear();
  lock_ = FileHandle();
  (void)sync_folder(target_.parent_path());
  return {};
}

Status write_file_atomic(const fs::path& path, std::string_view content) {
  std::error_code code;
  const fs::file_status existing = fs::status(path, code);
  const bool is_device = fs::exists(existing) && !fs::is_regular_file(existing) && !fs::is_directory(existing);
  // A link keeps pointing where it does: the file behind it is replaced.
  const fs::path target = fs::exists(existing) && !is_device ? fs::canonical(path, code) : path;
  if (code && fs::exists(existing)) return os_error(kWho, path, "resolve", code.value());
  const fs::path written = is_device ? target : file_sibling(target);
  const auto write_all = [&]() -> Status {
    HALFTONE_ASSIGN(FileWriter writer, FileWriter::create(written));
    HALFTONE_TRY(writer.write(content));
    return writer.close();
  };
  Status status = write_all();
  if (is_device) return status;
  if (status.ok()) status = sync_path(written);
  if (status.ok() && std::rename(written.c_str(), target.c_str()) != 0) status = os_error(kWho, path, "create", errno);
  if (!status.ok()) ::unlink(written.c_str());
  return status;
}

Result<std::string> read_text_file(const fs::path& path, int64_t max_bytes) {
  HALFTONE_ASSIGN(FileHandle file, FileHandle::open_to_read("read", path));
  std::string text;
  while (static_cast<int64_t>(text.size()) <= max_bytes) {
    const size_t old_size = text.size();
    text.resize(old_size + kBufferBytes);
    size_t got = 0;
    if (const int code = file.read(std::as_writable_bytes(std::span(text).subspan(old_size)), got); code != 0) {
      return os_error("read", path, "read", code);
    }
    text.resize(old_size + got);
    if (got < kBufferBytes) break;
  }
  if (static_cast<int64_t>(text.size()) > max_bytes) {
    return invalid_input("[read] {}: expected at most {} bytes, got more; is this the right file?", path.string(),
                         max_bytes);
  }
  return text;
}

}  // namespace halftone
