// SPDX-License-Identifier: Apache-2.0
// The container of llama.cpp: metadata and tensors in one file. Byte layout and what is checked: FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/atomic_write.h"
#include "formats/gguf/types.h"
#include "halftone/status.h"

namespace halftone {

inline constexpr uint64_t kGgufAlignment = 32;   // of tensors, unless general.alignment says otherwise
inline constexpr size_t kMaxGgufNameBytes = 63;  // of a tensor; ggml keeps names in 64 bytes
inline constexpr uint32_t kMaxGgufDimensions = 4;

enum class GgufValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };
std::string_view name_of(GgufValueType type);
int64_t bytes_of(GgufValueType type);  // 0 for text and array

// Borrowed from the file's bytes.
struct GgufArray {
  GgufValueType element;
  uint64_t count;
  std::span<const std::byte> numbers;   // little-endian elements, for numbers and booleans
  std::vector<std::string_view> texts;  // for texts
};
struct GgufEntry {
  std::string_view key;
  GgufValueType type;
  std::variant<uint64_t, int64_t, double, bool, std::string_view, GgufArray> value;
};

struct GgufTensor {
  std::string_view name;
  std::vector<int64_t> shape;  // rows first, as everywhere here; the file has them the other way round
  const GgmlType* type = nullptr;
  uint64_t begin = 0, end = 0;  // bytes from the start of the file
};

struct GgufHeader {
  uint32_t version = 0;
  uint64_t alignment = kGgufAlignment;
  std::vector<GgufEntry> metadata;  // in file order
  std::vector<GgufTensor> tensors;  // in file order, which is the order of their data

  const GgufEntry* find(std::string_view key) const;
  std::string_view text(std::string_view key) const;  // empty when there is none or it is no text
  const GgufTensor* find_tensor(std::string_view name) const;
};

// Reads versions 2 and 3 and validates everything: counts against the bytes that are there before anything is
// allocated, every key and name once, known types, sizes that match shapes, data in order, aligned and inside the file.
// The header borrows `file`; `name` stands for the file in messages.
Result<GgufHeader> parse_gguf(std::span<const std::byte> file, std::string_view name);

// Metadata to be written, in the order of the calls. REQUIRES: each key once, of 1 to 65,535 bytes.
class GgufMetadata {
 public:
  void text(std::string_view key, std::string_view value);
  void u32(std::string_view key, int64_t value);  // REQUIRES: fits
  void f32(std::string_view key, double value);
  void boolean(std::string_view key, bool value);
  void texts(std::string_view key, std::span<const std::string> values);
  void f32s(std::string_view key, std::span<const float> values);
  void i32s(std::string_view key, std::span<const int32_t> values);
  // As it was read from another file: the same bytes.
  void copy(const GgufEntry& entry);

  uint64_t count() const { return keys_.size(); }
  const std::string& bytes() const { return bytes_; }

 private:
  void begin(std::string_view key, GgufValueType type);
  void begin_array(std::string_view key, GgufValueType element, size_t count);
  std::set<std::string, std::less<>> keys_;
  std::string bytes_;
};

// Streams a file: declare everything first (sizes follow from shapes), then write payloads in that order.
struct GgufPlan {
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;  // rows first
    const GgmlType* type;
    int64_t bytes() const;
  };
  GgufMetadata metadata;
  std::vector<Tensor> tensors;
};

// The bytes before the first payload, version 3. Errors: what ggml would not load (a name too long or twice, more than
// 4 dimensions, columns that are no multiple of the type's block).
Result<std::string> gguf_head(const GgufPlan& plan, std::string_view name);

class GgufWriter {
 public:
  static Result<GgufWriter> create(const std::filesystem::path& path, GgufPlan plan);
  // Appends to the payload of the next unfinished tensor. REQUIRES: not more than was declared.
  Status write(std::span<const std::byte> bytes);
  // REQUIRES: every payload is complete.
  Status finish();
  int64_t position() const { return file_.position(); }

 private:
  GgufWriter(FileWriter file, GgufPlan plan) : file_(std::move(file)), plan_(std::move(plan)) {}
  FileWriter file_;
  GgufPlan plan_;
  size_t tensor_ = 0;
  int64_t written_ = 0;  // of the current tensor
};

}  // namespace halftone
