// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <bit>
#include <limits>
#include <map>

#include "base/byte_reader.h"
#include "base/error.h"
#include "formats/gguf/gguf.h"

namespace halftone {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kLeastEntryBytes = 8 + 1 + 4 + 1, kLeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;
constexpr uint64_t kMaxKeyBytes = 65535, kMaxAlignment = uint64_t{1} << 24;

class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> file, std::string_view name)
      : file_(file), who_(fmt::format("gguf {}", name)), reader_(file, who_) {}

  Result<GgufHeader> read() {
    HALFTONE_TRY(read_version());
    HALFTONE_ASSIGN(const uint64_t tensors, read_count("tensors", kLeastTensorBytes));
    HALFTONE_ASSIGN(const uint64_t entries, read_count("metadata entries", kLeastEntryBytes));
    HALFTONE_TRY(read_metadata(entries));
    HALFTONE_TRY(read_alignment());
    HALFTONE_TRY(read_tensors(tensors));
    HALFTONE_TRY(place_tensors());
    return std::move(header_);
  }

 private:
  Status read_version() {
    HALFTONE_ASSIGN(const uint32_t magic, reader_.u32());
    if (magic != kMagic) return reader_.error(fmt::format("expected the letters GGUF first, got {:#010x}", magic));
    HALFTONE_ASSIGN(header_.version, reader_.u32());
    if (header_.version == 2 || header_.version == 3) return {};
    if (header_.version == 1) return reader_.error("expected GGUF version 2 or 3, got 1; convert the model again");
    if (header_.version == 0x02000000 || header_.version == 0x03000000)
      return reader_.error("expected a little-endian file, got a big-endian one; convert the model again");
    return reader_.error(fmt::format("expected GGUF version 2 or 3, got {}", header_.version));
  }

  // A count that the rest of the file could hold.
  Result<uint64_t> read_count(std::string_view what, uint64_t least_bytes) {
    HALFTONE_ASSIGN(const uint64_t count, reader_.u64());
    if (count > reader_.remaining() / least_bytes)
      return reader_.error(fmt::format("expected at most {} {} in {} bytes, got {}; the file is truncated or damaged",
                                       reader_.remaining() / least_bytes, what, reader_.remaining(), count));
    return count;
  }

  Result<std::string_view> read_text() {
    HALFTONE_ASSIGN(const uint64_t length, reader_.u64());
    return reader_.text(length);
  }

  Result<GgufValueType> read_value_type() {
    HALFTONE_ASSIGN(const uint32_t type, reader_.u32());
    if (type > static_cast<uint32_t>(GgufValueType::f64))
      return reader_.error(fmt::format("expected a value type from 0 to 12, got {}", type));
    return static_cast<GgufValueType>(type);
  }

  Status read_metadata(uint64_t count) {
    std::set<std::string_view> keys;
    for (uint64_t i = 0; i < count; ++i) {
      GgufEntry entry;
      HALFTONE_ASSIGN(entry.key, read_text());
      if (entry.key.empty() || entry.key.size() > kMaxKeyBytes)
        return reader_.error(fmt::format("expected a key of 1 to {} bytes, got {}", kMaxKeyBytes, entry.key.size()));
      if (!keys.insert(entry.key).second)
        return reader_.error(fmt::format("expected every key once, got '{}' twice", entry.key));
      HALFTONE_ASSIGN(entry.type, read_value_type());
      HALFTONE_TRY(read_value(entry));
      header_.metadata.push_back(std::move(entry));
    }
    return {};
  }

  template <class Unsigned, class Signed>
  Result<int64_t> read_signed() {
    HALFTONE_ASSIGN(const auto part, reader_.bytes(sizeof(Unsigned)));
    Unsigned bits = 0;
    for (size_t i = 0; i < sizeof(Unsigned); ++i)
      bits = static_cast<Unsigned>(bits | static_cast<Unsigned>(static_cast<Unsigned>(part[i]) << (8 * i)));
    return static_cast<int64_t>(std::bit_cast<Signed>(bits));
  }

  template <class Read>
  Status put_unsigned(GgufEntry& entry, Read read) {
    HALFTONE_ASSIGN(const uint64_t value, read());
    entry.value = value;
    return {};
  }
  Status put_signed(GgufEntry& entry, Result<int64_t> value) {
    HALFTONE_TRY(value.status());
    entry.value = *value;
    return {};
  }

  Status read_value(GgufEntry& entry) {
    switch (entry.type) {
      case GgufValueType::u8:
        return put_unsigned(entry, [&] { return reader_.u8(); });
      case GgufValueType::u16:
        return put_unsigned(entry, [&] { return reader_.u16(); });
      case GgufValueType::u32:
        return put_unsigned(entry, [&] { return reader_.u32(); });
      case GgufValueType::u64:
        return put_unsigned(entry, [&] { return reader_.u64(); });
      case GgufValueType::i8:
        return put_signed(entry, read_signed<uint8_t, int8_t>());
      case GgufValueType::i16:
        return put_signed(entry, read_signed<uint16_t, int16_t>());
      case GgufValueType::i32:
        return put_signed(entry, read_signed<uint32_t, int32_t>());
      case GgufValueType::i64:
        return put_signed(entry, read_signed<uint64_t, int64_t>());
      case GgufValueType::f32: {
        HALFTONE_ASSIGN(const float value, reader_.f32());
        entry.value = static_cast<double>(value);
        return {};
      }
      case GgufValueType::f64: {
        HALFTONE_ASSIGN(entry.value, reader_.f64());
        return {};
      }
      case GgufValueType::boolean: {
        HALFTONE_ASSIGN(const uint8_t value, reader_.u8());
        if (value > 1) return reader_.error(fmt::format("'{}': expected a boolean 0 or 1, got {}", entry.key, value));
        entry.value = value == 1;
        return {};
      }
      case GgufValueType::text: {
        HALFTONE_ASSIGN(entry.value, read_text());
        return {};
      }
      case GgufValueType::array:
        return read_array(entry);
    }
    return reader_.error("expected a known value type");
  }

  Status read_array(GgufEntry& entry) {
    GgufArray array;
    HALFTONE_ASSIGN(array.element, read_value_type());
    if (array.element == GgufValueType::array)
      return reader_.error(fmt::format("'{}': expected a list of numbers or texts, got a list of lists", entry.key));
    const bool texts = array.element == GgufValueType::text;
    const uint64_t least = texts ? 8 : static_cast<uint64_t>(bytes_of(array.element));
    HALFTONE_ASSIGN(array.count, read_count(fmt::format("elements of '{}'", entry.key), least));
    if (texts) {
      array.texts.reserve(static_cast<size_t>(array.count));
      for (uint64_t i = 0; i < array.count; ++i) {
        HALFTONE_ASSIGN(const std::string_view text, read_text());
        array.texts.push_back(text);
      }
    } else {
      HALFTONE_ASSIGN(array.numbers, reader_.bytes(array.count * least));
    }
    entry.value = std::move(array);
    return {};
  }

  Status read_alignment() {
    const GgufEntry* entry = header_.find("general.alignment");
    if (entry == nullptr) return {};
    const uint64_t* value = std::get_if<uint64_t>(&entry->value);
    if (entry->type != GgufValueType::u32 || !std::has_single_bit(*value) || *value > kMaxAlignment)
      return reader_.error(fmt::format("expected general.alignment as u32, a power of two up to {}, got {}",
                                       kMaxAlignment, value == nullptr ? "no number" : fmt::to_string(*value)));
    header_.alignment = *value;
    return {};
  }

  Status read_tensors(uint64_t count) {
    std::set<std::string_view> names;
    for (uint64_t i = 0; i < count; ++i) {
      GgufTensor tensor;
      HALFTONE_ASSIGN(tensor.name, read_text());
      if (tensor.name.empty() || tensor.name.size() > kMaxGgufNameBytes)
        return reader_.error(fmt::format("expected a tensor name of 1 to {} bytes, got one of {}", kMaxGgufNameBytes,
                                         tensor.name.size()));
      if (!names.insert(tensor.name).second)
        return reader_.error(fmt::format("expected every tensor once, got '{}' twice", tensor.name));
      HALFTONE_TRY(read_shape(tensor));
      HALFTONE_TRY(read_type(tensor));
      HALFTONE_ASSIGN(tensor.begin, reader_.u64());
      header_.tensors.push_back(std::move(tensor));
    }
    return {};
  }

  Status read_shape(GgufTensor& tensor) {
    HALFTONE_ASSIGN(const uint32_t dimensions, reader_.u32());
    if (dimensions < 1 || dimensions > kMaxGgufDimensions)
      return reader_.error(
          fmt::format("tensor '{}': expected 1 to {} dimensions, got {}", tensor.name, kMaxGgufDimensions, dimensions));
    // 16 bytes is the most that one number takes, so every size below fits 63 bits.
    uint64_t product = 16;
    for (uint32_t i = 0; i < dimensions; ++i) {
      HALFTONE_ASSIGN(const uint64_t size, reader_.u64());
      if (size < 1 || size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / product)
        return reader_.error(
            fmt::format("tensor '{}': expected sizes from 1 whose product fits 63 bits, got {}", tensor.name, size));
      product *= size;
      tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(size));
    }
    return {};
  }

  Status read_type(GgufTensor& tensor) {
    HALFTONE_ASSIGN(const uint32_t type, reader_.u32());
    tensor.type = find_ggml_type(type);
    if (tensor.type == nullptr)
      return unsupported("[{}] offset {}: tensor '{}': expected a type of llama.cpp, got number {} ({})", who_,
                         reader_.offset(), tensor.name, type, describe_foreign_ggml_type(type));
    if (tensor.shape.back() % tensor.type->block != 0)
      return reader_.error(fmt::format("tensor '{}': expected rows of a multiple of {} numbers for {}, got {}",
                                       tensor.name, tensor.type->block, tensor.type->name, tensor.shape.back()));
    return {};
  }

  // Offsets in the file are relative and must be what ggml computes itself: each tensor where the one before it ends,
  // aligned.
  Status place_tensors() {
    const uint64_t mask = header_.alignment - 1;
    const uint64_t data_begin = (reader_.offset() + mask) & ~mask;
    if (!header_.tensors.empty() && data_begin > file_.size())
      return reader_.error("expected tensor data behind the header, got the end; the file is truncated");
    uint64_t expected = 0;
    for (GgufTensor& tensor : header_.tensors) {
      if (tensor.begin != expected)
        return reader_.error(
            fmt::format("tensor '{}': expected its data at {}, right behind the tensor before it, got {}; the file is "
                        "damaged",
                        tensor.name, expected, tensor.begin));
      uint64_t blocks = 1;
      for (const int64_t size : tensor.shape) blocks *= static_cast<uint64_t>(size);
      blocks /= static_cast<uint64_t>(tensor.type->block);
      const uint64_t bytes = blocks * static_cast<uint64_t>(tensor.type->bytes), room = file_.size() - data_begin;
      if (expected > room || bytes > room - expected)
        return reader_.error(fmt::format(
            "tensor '{}': expected {} bytes at {} of the data, got {} bytes of data; the file is truncated, "
            "download it again",
            tensor.name, bytes, expected, room));
      tensor.begin = data_begin + expected;
      tensor.end = tensor.begin + bytes;
      expected = (expected + bytes + mask) & ~mask;
    }
    return {};
  }

  std::span<const std::byte> file_;
  std::string who_;
  ByteReader reader_;
  GgufHeader header_;
};

}  // namespace

std::string_view name_of(GgufValueType type) {
  static constexpr std::string_view kNames[] = {"u8",   "i8",   "u16",   "i16", "u32", "i32", "f32",
                                                "bool", "text", "array", "u64", "i64", "f64"};
  return kNames[static_cast<uint32_t>(type)];
}

int64_t bytes_of(GgufValueType type) {
  static constexpr int64_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kBytes[static_cast<uint32_t>(type)];
}

const GgufEntry* GgufHeader::find(std::string_view key) const {
  for (const GgufEntry& entry : metadata)
    if (entry.key == key) return &entry;
  return nullptr;
}

std::string_view GgufHeader::text(std::string_view key) const {
  const GgufEntry* entry = find(key);
  const auto* value = entry == nullptr ? nullptr : std::get_if<std::string_view>(&entry->value);
  return value == nullptr ? std::string_view() : *value;
}

const GgufTensor* GgufHeader::find_tensor(std::string_view name) const {
  for (const GgufTensor& tensor : tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

Result<GgufHeader> parse_gguf(std::span<const std::byte> file, std::string_view name) {
  return HeaderReader(file, name).read();
}

}  // namespace halftone
