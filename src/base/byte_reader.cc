// SPDX-License-Identifier: Apache-2.0
#include "base/byte_reader.h"

namespace halftone {

Status ByteReader::error(std::string_view problem) const {
  return invalid_input("[{}] offset {}: {}", name_, offset(), problem);
}

Result<std::span<const std::byte>> ByteReader::bytes(uint64_t count) {
  if (count > remaining()) {
    return error(fmt::format("expected {} more bytes, got {}; the file is truncated or damaged", count, remaining()));
  }
  const auto part = bytes_.subspan(at_, static_cast<size_t>(count));
  at_ += part.size();
  return part;
}

Result<std::string_view> ByteReader::text(uint64_t count) {
  HALFTONE_ASSIGN(const auto part, bytes(count));
  return std::string_view(reinterpret_cast<const char*>(part.data()), part.size());
}

Status ByteReader::skip(uint64_t count) { return bytes(count).status(); }

Result<float> ByteReader::f32() {
  HALFTONE_ASSIGN(const uint32_t bits, u32());
  return std::bit_cast<float>(bits);
}

Result<double> ByteReader::f64() {
  HALFTONE_ASSIGN(const uint64_t bits, u64());
  return std::bit_cast<double>(bits);
}

Result<uint64_t> ByteReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    HALFTONE_ASSIGN(const uint8_t byte, u8());
    const uint64_t part = byte & 0x7fu;
    if (shift == 63 && part > 1) break;
    value |= part << shift;
    if ((byte & 0x80u) == 0) return value;
  }
  return error("expected a number of at most 64 bits, got a longer one; the file is damaged");
}

Result<ByteReader::Tag> ByteReader::tag() {
  HALFTONE_ASSIGN(const uint64_t value, varint());
  const uint64_t field = value >> 3, wire = value & 7;
  if (field == 0 || field >= uint64_t{1} << 29 || wire > 5 || wire == 3 || wire == 4) {
    return error(
        fmt::format("expected a protobuf field, got number {} of wire type {}; the file is damaged", field, wire));
  }
  return Tag{static_cast<uint32_t>(field), static_cast<Wire>(wire)};
}

Result<ByteReader> ByteReader::message() {
  HALFTONE_ASSIGN(const uint64_t length, varint());
  const uint64_t begin = offset();
  HALFTONE_ASSIGN(const auto part, bytes(length));
  return ByteReader(part, name_, begin);
}

Result<std::string_view> ByteReader::length_text() {
  HALFTONE_ASSIGN(const uint64_t length, varint());
  return text(length);
}

Status ByteReader::skip_field(Wire wire) {
  switch (wire) {
    case Wire::varint:
      return varint().status();
    case Wire::fixed64:
      return skip(8);
    case Wire::fixed32:
      return skip(4);
    case Wire::length:
      return message().status();
  }
  return error("expected a known wire type");
}

}  // namespace halftone
