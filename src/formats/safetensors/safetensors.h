// SPDX-License-Identifier: Apache-2.0
// The container of the Hugging Face library: 8 bytes header length, JSON header, payloads. Byte layout: FORMAT.md.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_write.h"
#include "base/file_map.h"
#include "halftone/status.h"
#include "tensor/dtype.h"

namespace halftone {

struct SafetensorsEntry {
  std::string name;
  DType type;
  std::vector<int64_t> shape;
  uint64_t begin, end;  // bytes from the start of the file
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in file order of payloads
  std::map<std::string, std::string> metadata;
};

// Validates everything: header length inside the file, JSON of the right form, known types, sizes that match shapes,
// payloads inside the file that neither overlap nor leave holes, every name once. `name` stands for the file in
// messages.
Result<SafetensorsHeader> parse_safetensors(std::span<const std::byte> file, std::string_view name);

// Streams a file: declare everything first (sizes follow from shapes), then write payloads in that order.
struct SafetensorsPlan {
  struct Tensor {
    std::string name;
    DType type;
    std::vector<int64_t> shape;
    int64_t bytes;  // elements * size of one: readers accept nothing else, so a padded payload is U8 [bytes]
  };
  std::vector<Tensor> tensors;
  std::map<std::string, std::string> metadata;
  int64_t alignment = 8;  // of the header's end and so of the first payload
};

int64_t safetensors_head_bytes(const SafetensorsPlan& plan);  // length and header

class SafetensorsWriter {
 public:
  static Result<SafetensorsWriter> create(const std::filesystem::path& path, SafetensorsPlan plan);
  // Appends to the payload of the next unfinished tensor; more bytes than declared is an error.
  Status write(std::span<const std::byte> bytes);
  // Every payload must be complete.
  Status finish();
  // What create() put before the first payload: length and header.
  const std::string& head() const { return head_; }

 private:
  SafetensorsWriter(FileWriter file, SafetensorsPlan plan, std::string head)
      : file_(std::move(file)), plan_(std::move(plan)), head_(std::move(head)) {}
  FileWriter file_;
  SafetensorsPlan plan_;
  std::string head_;
  size_t tensor_ = 0;
  int64_t written_ = 0;  // of the current tensor
};

}  // namespace halftone
