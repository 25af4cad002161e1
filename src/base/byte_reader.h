// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace halftone {

// Reads little-endian values and protobuf records from untrusted bytes. Never reads beyond the end; every error names
// the source and the offset. Bytes and `name` are borrowed.
class ByteReader {
 public:
  // `origin` is where bytes[0] lies in the file, so that a part of a file reports the file's offsets.
  ByteReader(std::span<const std::byte> bytes, std::string_view name, uint64_t origin = 0)
      : bytes_(bytes), name_(name), origin_(origin) {}

  size_t remaining() const { return bytes_.size() - at_; }
  bool at_end() const { return at_ == bytes_.size(); }
  uint64_t offset() const { return origin_ + at_; }

  Result<std::span<const std::byte>> bytes(uint64_t count);
  Result<std::string_view> text(uint64_t count);
  Status skip(uint64_t count);
  Result<uint8_t> u8() { return little<uint8_t>(); }
  Result<uint16_t> u16() { return little<uint16_t>(); }
  Result<uint32_t> u32() { return little<uint32_t>(); }
  Result<uint64_t> u64() { return little<uint64_t>(); }
  Result<float> f32();
  Result<double> f64();

  // Protobuf: base-128 numbers, tags, and length-delimited fields.
  enum class Wire : uint8_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };
  struct Tag {
    uint32_t field;
    Wire wire;
  };
  Result<uint64_t> varint();
  Result<Tag> tag();
  Result<ByteReader> message();  // a length and that many bytes, as a reader of its own
  Result<std::string_view> length_text();
  Status skip_field(Wire wire);

  // "[name] offset N: problem"
  Status error(std::string_view problem) const;

 private:
  template <class T>
  Result<T> little();
  std::span<const std::byte> bytes_;
  std::string_view name_;
  uint64_t origin_;
  size_t at_ = 0;
};

template <class T>
Result<T> ByteReader::little() {
  HALFTONE_ASSIGN(const auto raw, bytes(sizeof(T)));
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value | static_cast<T>(raw[i]) << (8 * i));
  return value;
}

}  // namespace halftone
