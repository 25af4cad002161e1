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

Result<StoredArray> parse_npy(std::span<const std::byte> bytes, const std::string& name) {
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
  StoredArray array;
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

// Row `row` of the first axis, once the sizes are known to be the file's.
Result<StoredArray> row_of(StoredArray array, const std::string& name, int64_t row) {
  if (array.shape.empty() || row >= array.shape[0])
    return invalid_input("{}: expected a row below {}, got {}", name, array.shape.empty() ? 0 : array.shape[0], row);
  const size_t bytes = array.data.size() / static_cast<size_t>(array.shape[0]);
  array.shape.erase(array.shape.begin());
  array.data = array.data.subspan(static_cast<size_t>(row) * bytes, bytes);
  return array;
}

Status check_bytes(const StoredArray& array, const std::string& name) {
  int64_t bytes = bytes_of(array.type);
  for (const int64_t size : array.shape)
    if (__builtin_mul_overflow(bytes, size, &bytes))
      return invalid_input("{}: expected a shape that fits memory, got {}", name, text_of(array.shape));
  if (static_cast<int64_t>(array.data.size()) == bytes) return {};
  return invalid_input("{}: expected {} bytes for {} of {}, got {}", name, bytes, halftone::name_of(array.type),
                       text_of(array.shape), array.data.size());
}

}  // namespace

Result<StoredArray> stored_array(std::span<const std::byte> file, const std::string& name, bool npy,
                                 const ArrayFormat& format, int64_t row) {
  StoredArray array{format.type, format.shape, file};
  if (npy) {
    HALFTONE_ASSIGN(array, parse_npy(file, name));
  } else if (format.shape.empty()) {
    return invalid_input(
        "{}: expected a picture, a .npy file, or `input: {{type, shape}}` in the suite that says what its numbers are",
        name);
  }
  HALFTONE_TRY(check_bytes(array, name));
  if (row >= 0) {
    HALFTONE_ASSIGN(array, row_of(std::move(array), name, row));
  }
  if (!format.shape.empty() && array.shape != format.shape)
    return invalid_input("{}: expected shape {}, got {}", name, text_of(format.shape), text_of(array.shape));
  return array;
}

Result<Tensor> numbers_of(const StoredArray& array, const std::string& name, const ArrayFormat& format) {
  HALFTONE_ASSIGN(Tensor values, Tensor::make(DType::f32, array.shape, kMaxSampleBytes));
  const auto size = static_cast<size_t>(bytes_of(array.type));
  const auto out = values.mutable_values<float>();
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(format.scale * (number_of(array.type, array.data.data() + i * size) - format.zero));
    if (!std::isfinite(out[i])) return invalid_input("{}: expected finite numbers, got NaN or infinity at {}", name, i);
  }
  return values;
}

Result<Tensor> read_array(const std::filesystem::path& path, const ArrayFormat& format) {
  HALFTONE_ASSIGN(const auto map, FileMap::open(path));
  const std::string name = path.string();
  HALFTONE_ASSIGN(const StoredArray array, stored_array(map->bytes(), name, path.extension() == ".npy", format));
  return numbers_of(array, name, format);
}

Result<int64_t> rows_of(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const auto map, FileMap::open(path));
  HALFTONE_ASSIGN(const StoredArray array, stored_array(map->bytes(), path.string(), true, {}));
  if (array.shape.size() < 2)
    return invalid_input("{}: expected samples along the first axis, got {}", path.string(), text_of(array.shape));
  return array.shape[0];
}

}  // namespace halftone
