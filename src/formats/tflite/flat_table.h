// SPDX-License-Identifier: Apache-2.0
// Tables of a flatbuffer whose bytes nobody trusts: each field is verified when it is read.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace halftone::tflite {

class FlatTable;

// The verifier of one buffer, and the first thing found wrong. A damaged field reads as absent, so that a reader checks
// status() once per table rather than once per field.
class FlatBuffer {
 public:
  // `name` stands for the file in messages; both are borrowed. REQUIRES: fewer than 2 GiB.
  FlatBuffer(std::span<const std::byte> bytes, std::string_view name);

  FlatTable root();
  bool has_identifier(const char* identifier) const;
  const Status& status() const { return status_; }
  std::string_view name() const { return name_; }

 private:
  friend class FlatTable;
  const uint8_t* begin() const { return reinterpret_cast<const uint8_t*>(bytes_.data()); }
  void damaged(std::string_view what, const uint8_t* at);
  // Where the offset stored at `at` leads, or null.
  const uint8_t* follow(const uint8_t* at, std::string_view what);

  std::span<const std::byte> bytes_;
  std::string name_;
  flatbuffers::Verifier verifier_;
  Status status_;
};

// Fields are numbered as the schema declares them, from 0 (a union takes two numbers: its type, its table). An absent
// table has no fields. Borrows the buffer.
class FlatTable {
 public:
  FlatTable() = default;

  bool present() const { return table_ != nullptr; }
  template <class T>
  T scalar(int field, T fallback) const {
    const uint8_t* at = locate(field);
    if (at == nullptr) return fallback;
    if (!buffer_->verifier_.VerifyFromPointer(at, sizeof(T))) {
      buffer_->damaged("a number", at);
      return fallback;
    }
    T value;
    std::memcpy(&value, at, sizeof(T));
    return flatbuffers::EndianScalar(value);
  }
  template <class T>
  std::vector<T> list(int field) const {
    const std::span<const std::byte> raw = vector(field, sizeof(T));
    std::vector<T> values(raw.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  }
  std::span<const std::byte> bytes(int field) const { return vector(field, 1); }
  std::string_view text(int field) const;
  FlatTable table(int field) const;
  std::vector<FlatTable> tables(int field) const;

 private:
  friend class FlatBuffer;
  FlatTable(FlatBuffer* buffer, const uint8_t* at);
  const uint8_t* locate(int field) const;  // null: absent
  std::span<const std::byte> vector(int field, size_t element) const;

  FlatBuffer* buffer_ = nullptr;
  const flatbuffers::Table* table_ = nullptr;
};

}  // namespace halftone::tflite
