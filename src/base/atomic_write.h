// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file_handle.h"
#include "halftone/status.h"

namespace halftone {

// Sequential writer with errors as values (a full disk is an error of the call that met it, and of every later one).
// Only close() tells that everything arrived: a writer destroyed without it drops what it still holds.
class FileWriter {
 public:
  static Result<FileWriter> create(const std::filesystem::path& path);
  FileWriter(FileWriter&&) noexcept;
  FileWriter& operator=(FileWriter&&) noexcept;
  ~FileWriter();
  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text);
  Status pad_to(int64_t alignment);  // zeros up to the next multiple
  int64_t position() const;
  Status close();  // flushes; an error here is a lost write

 private:
  struct State;
  explicit FileWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A folder that appears complete or not at all: files are written to a hidden sibling, which commit() renames.
// Destroyed without commit: everything written is removed. An existing `target` is replaced only by commit(),
// and only when `replace` is true; otherwise create() fails and says so. Missing parent folders are made.
// What a killed process left beside `target` is removed by the next create().
class AtomicFolder {
 public:
  static Result<AtomicFolder> create(const std::filesystem::path& target, bool replace);
  AtomicFolder(AtomicFolder&&) noexcept;
  AtomicFolder& operator=(AtomicFolder&&) noexcept;
  ~AtomicFolder();
  const std::filesystem::path& path() const { return staging_; }  // write here
  // The folder will appear beside the target, by another name: one that follows from what was written.
  void rename_target(const std::string& name) { target_.replace_filename(name); }
  Status commit();

 private:
  AtomicFolder(std::filesystem::path staging, std::filesystem::path target, bool replace, FileHandle lock);
  void swap(AtomicFolder& other) noexcept;
  std::filesystem::path staging_, target_;  // staging_ is empty once committed
  bool replace_ = false;
  FileHandle lock_;  // held while we live, so that others know our staging folder from a leftover
};

// One file, written to a sibling and renamed; devices and pipes are written directly.
Status write_file_atomic(const std::filesystem::path& path, std::string_view content);
Result<std::string> read_text_file(const std::filesystem::path& path, int64_t max_bytes = int64_t{1} << 30);

}  // namespace halftone
