// SPDX-License-Identifier: Apache-2.0
#include "validate/array_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/byte_reader.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/numbers.h"

namespace halftone {
namespace {

constexpr int64_t kMaxSampleBytes = int64_t{1} << 30;

struct Array {
  DType type;
  Shape shape;
  std::span<const std::byte> data;
};

// The text between `open` and `close` after `key` in the header of a .npy file, which is a Python dictionary.
std::string_view between(std::string_view header, std::string_view key, char open, char close) {
  const size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  const size_t begin = header.find(open, at + key.size());
  if (begin == std::string_view::npos) return {};
  const size_t end = header.find(close, begin + 1);
  return end == std::string_view::npos ? std::string_view() : header.substr(begin + 1, end - begin - 1);
}

std::optional<DType> numpy_type(std::string_view name) {
  struct Row {
    std::string_view name;
    DType type;
  };
  static constexpr Row kTypes[] = {{"<f4", DType::f32}, {"<f2", DType::f16}, {"<f8", DType::f64}, {"|i1", DType::i8},
                                   {"|u1", DType::u8},  {"<i2", DType::i16}, {"<i4", DType::i32}};
  for (const Row& row : kTypes)
    if (row.name == name) return row.type;
  return std::nullopt;
}

Result<Array> parse_npy(std::span<const std::byte> bytes, const std::string& name) {
  ByteReader reader(bytes, name);
  HALFTONE_ASSIGN(const std::string_view magic, reader.text(6));
  if (magic != "\x93NUMPY") return reader.error("expected a .npy file, got another beginning");
  HALFTONE_ASSIGN(const uint8_t version, reader.u8());
  HALFTONE_TRY(reader.skip(1));
  uint32_t length = 0;
  if (version == 1) {
    HALFTONE_ASSIGN(length, reader.u16());
  } else {
    HALFTONE_ASSIGN(length, reader.u32());
  }
  HALFTONE_ASSIGN(const std::string_view header, reader.text(length));
  Array array;
  const std::string_view type = between(header, "'descr':", '\'', '\'');
  const auto known = numpy_type(type);
  if (!known)
    return reader.error(fmt::format("expected f2, f4, f8, i1, u1, i2 or i4, little-endian, got \"{}\"", type));
  array.type = *known;
  if (header.find("'fortran_order': False") == std::string_view::npos)
    return reader.error("expected rows first, got columns first; save a C-ordered copy");
  std::string_view sizes = between(header, "'shape':", '(', ')');
  while (!sizes.empty()) {
    const size_t comma = std::min(sizes.find(','), sizes.size());
    std::string_view word = sizes.substr(0, comma);
    while (word.starts_with(' ')) word.remove_prefix(1);
    sizes.remove_prefix(std::min(comma + 1, sizes.size()));
    if (word.empty()) continue;
    const auto size = parse_integer(word);
    if (!size || *size < 0) return reader.error(fmt::format("expected a shape, got \"{}\"", word));
    array.shape.push_back(*size);
  }
  array.data = bytes.subspan(bytes.size() - reader.remaining());
  return array;
}

template <class T>
double number_at(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return static_cast<double>(value);
}

double number_of(DType type, const std::byte* at) {
  switch (type) {
    case DType::f64:
      return number_at<double>(at);
    case DType::f16: {
      uint16_t bits = 0;
      std::memcpy(&bits, at, sizeof(bits));
      return static_cast<double>(f16_to_f32(bits));
    }
    case DType::i8:
      return number_at<int8_t>(at);
    case DType::u8:
      return number_at<uint8_t>(at);
    case DType::i16:
      return number_at<int16_t>(at);
    case DType::i32:
      return number_at<int32_t>(at);
    default:
      return number_at<float>(at);
  }
}

}  // namespace

Result<Tensor> read_array(const std::filesystem::path& path, const ArrayFormat& format) {
  HALFTONE_ASSIGN(const auto map, FileMap::open(path));
  const std::string name = path.string();
  Array array{format.type, format.shape, map->bytes()};
  const bool own = path.extension() == ".npy";
  if (own) {
    HALFTONE_ASSIGN(array, parse_npy(map->bytes(), name));
    if (!format.shape.empty() && array.shape != format.shape)
      return invalid_input("{}: expected shape {}, got {}", name, text_of(format.shape), text_of(array.shape));
  } else if (format.shape.empty()) {
    return invalid_input(
        "{}: expected a .npy file, or `input: {{type, shape}}` in the suite that says what its numbers are", name);
  }
  HALFTONE_ASSIGN(Tensor values, Tensor::make(DType::f32, array.shape, kMaxSampleBytes));
  const auto size = static_cast<size_t>(bytes_of(array.type));
  const auto out = values.mutable_values<float>();
  if (array.data.size() != out.size() * size)
    return invalid_input("{}: expected {} bytes for {} of {}, got {}", name, out.size() * size,
                         halftone::name_of(array.type), text_of(array.shape), array.data.size());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(format.scale * (number_of(array.type, array.data.data() + i * size) - format.zero));
    if (!std::isfinite(out[i])) return invalid_input("{}: expected finite numbers, got NaN or infinity at {}", name, i);
  }
  return values;
}

}  // namespace halftone
