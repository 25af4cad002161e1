// SPDX-License-Identifier: Apache-2.0
// Protobuf fields into plain values. Each take() reads one field from where `reader` stands behind the field's tag, and
// refuses a wire type that the value cannot have.
#pragma once

#include <string_view>
#include <vector>

#include "base/byte_reader.h"

namespace halftone::onnx {

using Wire = ByteReader::Wire;

inline Status expect_wire(const ByteReader& reader, ByteReader::Tag tag, Wire wanted) {
  if (tag.wire == wanted) return {};
  return reader.error(fmt::format("field {}: expected wire type {}, got {}; the file is damaged or no ONNX", tag.field,
                                  static_cast<int>(wanted), static_cast<int>(tag.wire)));
}

inline Status take(ByteReader& reader, ByteReader::Tag tag, std::string_view& into) {
  HALFTONE_TRY(expect_wire(reader, tag, Wire::length));
  HALFTONE_ASSIGN(into, reader.length_text());
  return {};
}

inline Status take(ByteReader& reader, ByteReader::Tag tag, int64_t& into) {
  HALFTONE_TRY(expect_wire(reader, tag, Wire::varint));
  HALFTONE_ASSIGN(const uint64_t bits, reader.varint());
  into = static_cast<int64_t>(bits);
  return {};
}

inline Status take(ByteReader& reader, ByteReader::Tag tag, int32_t& into) {
  int64_t wide = 0;
  HALFTONE_TRY(take(reader, tag, wide));
  into = static_cast<int32_t>(wide);
  return {};
}

inline Status take(ByteReader& reader, ByteReader::Tag tag, float& into) {
  HALFTONE_TRY(expect_wire(reader, tag, Wire::fixed32));
  HALFTONE_ASSIGN(into, reader.f32());
  return {};
}

inline Status take(ByteReader& reader, ByteReader::Tag tag, std::vector<std::string_view>& into) {
  return take(reader, tag, into.emplace_back());
}

inline Result<uint64_t> read_number(ByteReader& reader, uint64_t) { return reader.varint(); }
inline Result<float> read_number(ByteReader& reader, float) { return reader.f32(); }
inline Result<double> read_number(ByteReader& reader, double) { return reader.f64(); }

// Repeated numbers come packed into one field or one by one; at most `limit` are taken.
template <class Stored, class T>
Status take_numbers(ByteReader& reader, ByteReader::Tag tag, Wire single, std::vector<T>& into,
                    uint64_t limit = UINT64_MAX) {
  const auto one = [&](ByteReader& from) -> Status {
    if (into.size() >= limit)
      return from.error(fmt::format("field {}: expected at most {} numbers, got more", tag.field, limit));
    HALFTONE_ASSIGN(const Stored value, read_number(from, Stored{}));
    into.push_back(static_cast<T>(value));
    return {};
  };
  if (tag.wire == single) return one(reader);
  HALFTONE_TRY(expect_wire(reader, tag, Wire::length));
  HALFTONE_ASSIGN(ByteReader packed, reader.message());
  while (!packed.at_end()) HALFTONE_TRY(one(packed));
  return {};
}

inline Status take(ByteReader& reader, ByteReader::Tag tag, std::vector<int64_t>& into) {
  return take_numbers<uint64_t>(reader, tag, Wire::varint, into);
}
inline Status take(ByteReader& reader, ByteReader::Tag tag, std::vector<float>& into) {
  return take_numbers<float>(reader, tag, Wire::fixed32, into);
}

// on_field(reader, tag) for every field of a message, which it must read or skip.
template <class OnField>
Status each_field(ByteReader reader, OnField&& on_field) {
  while (!reader.at_end()) {
    HALFTONE_ASSIGN(const ByteReader::Tag tag, reader.tag());
    HALFTONE_TRY(on_field(reader, tag));
  }
  return {};
}

}  // namespace halftone::onnx
