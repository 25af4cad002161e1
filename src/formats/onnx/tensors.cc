// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx/tensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/numbers.h"
#include "formats/onnx/types.h"

namespace halftone::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "constants are mapped as the file holds them");

Result<int64_t> elements_in(const TensorMessage& message) {
  int64_t product = 1;
  for (const int64_t size : message.shape)
    if (size < 0 || __builtin_mul_overflow(product, size, &product))
      return invalid_input("expected sizes that are not negative and whose product fits 63 bits, got {}",
                           text_of(message.shape));
  return product;
}

// Integers of 2 and 4 bits: the first in the lowest bits of the first byte.
Tensor unpack_narrow(const ElementType& type, Tensor tensor, std::span<const std::byte> packed) {
  const auto to = tensor.mutable_bytes();
  const auto bits = static_cast<size_t>(type.bits), per_byte = 8 / bits;
  const int sign = type.least < 0 ? 1 << (type.bits - 1) : 0;
  for (size_t i = 0; i < to.size(); ++i) {
    const int code = std::to_integer<int>(packed[i / per_byte]) >> (bits * (i % per_byte)) & ((1 << type.bits) - 1);
    to[i] = static_cast<std::byte>((code ^ sign) - sign);
  }
  return tensor;
}

// How a number of the file's field becomes an element of `type`; f16 and bf16 are written as their bits.
void store(DType type, int64_t number, std::byte* to) {
  const auto put = [&](auto value) { std::memcpy(to, &value, sizeof value); };
  switch (bytes_of(type)) {
    case 1:
      return put(static_cast<uint8_t>(number));
    case 2:
      return put(static_cast<uint16_t>(number));
    case 4:
      return put(static_cast<uint32_t>(number));
    default:
      return put(number);
  }
}

bool is_boolean(std::byte value) { return std::to_integer<int>(value) <= 1; }

}  // namespace

Result<Source> open_source(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(std::shared_ptr<const FileMap> map, FileMap::open(path));
  Source source{path.string(), map->bytes(), nullptr, path.parent_path()};
  if (source.folder.empty()) source.folder = ".";
  source.keep = std::move(map);
  return source;
}

Result<std::shared_ptr<const FileMap>> TensorLoader::external_file(const TensorMessage& message,
                                                                   std::string_view location) {
  if (const auto known = files_.find(location); known != files_.end()) return known->second;
  const std::filesystem::path relative(location);
  if (source_.folder.empty()) return error(message, "its data lie in another file, which must not be read here");
  const bool climbs = std::ranges::any_of(relative, [](const auto& part) { return part == ".."; });
  if (relative.empty() || relative.is_absolute() || climbs)
    return error(message, "its data lie in '{}'; expected a path inside of the model's folder", location);
  std::error_code failed;
  const auto folder = std::filesystem::canonical(source_.folder, failed);
  const auto target = failed ? folder : std::filesystem::canonical(source_.folder / relative, failed);
  if (failed)
    return error(message, "its data lie in '{}', which cannot be opened ({}); keep it beside the model", location,
                 failed.message());
  if (std::mismatch(folder.begin(), folder.end(), target.begin(), target.end()).first != folder.end())
    return error(message, "its data lie in '{}', a link that leaves the model's folder; copy the file there", location);
  HALFTONE_ASSIGN(std::shared_ptr<const FileMap> map, FileMap::open(target));
  files_.emplace(std::string(location), map);
  return map;
}

Result<TensorLoader::Bytes> TensorLoader::external_bytes(const TensorMessage& message, int64_t expected) {
  std::string_view location;
  int64_t offset = 0, length = -1;
  for (const auto& [key, value] : message.external_data) {
    if (key == "location") location = value;
    if (key != "offset" && key != "length") continue;
    const auto number = parse_integer(value);
    if (!number || *number < 0) return error(message, "expected a number of bytes as {}, got '{}'", key, value);
    (key == "offset" ? offset : length) = *number;
  }
  HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> file, external_file(message, location));
  const auto size = static_cast<int64_t>(file->bytes().size());
  if (length < 0) length = expected;
  if (length != expected)
    return error(message, "{} need {} bytes, but '{}' is said to hold {}", text_of(message.shape), expected, location,
                 length);
  if (offset > size || length > size - offset)
    return error(message, "expected {} bytes at offset {} of '{}', got a file of {} bytes; it is truncated", length,
                 offset, location, size);
  return Bytes{file->bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(length)), file};
}

Result<TensorLoader::Bytes> TensorLoader::stored_bytes(const TensorMessage& message, int64_t expected) {
  if (message.external) return external_bytes(message, expected);
  if (static_cast<int64_t>(message.raw.size()) != expected)
    return error(message, "{} need {} bytes, got {}", text_of(message.shape), expected, message.raw.size());
  return Bytes{message.raw, source_.keep};
}

Result<Tensor> TensorLoader::from_numbers(const TensorMessage& message, int64_t elements) {
  const ElementType type = *element_type(message.type);
  const int64_t per_number = type.narrow() ? 8 / type.bits : 1;
  const int64_t expected = (elements + per_number - 1) / per_number;
  HALFTONE_ASSIGN(const TypedNumbers numbers, typed_numbers(message, source_.name, static_cast<uint64_t>(expected)));
  const bool wants_floats = type.type == DType::f32, wants_doubles = type.type == DType::f64;
  const size_t got = wants_floats    ? numbers.floats.size()
                     : wants_doubles ? numbers.doubles.size()
                                     : numbers.integers.size();
  if (got != static_cast<size_t>(expected))
    return error(message, "{} of {} need {} numbers, got {}", text_of(message.shape), element_name(message.type),
                 expected, got);
  HALFTONE_ASSIGN(Tensor tensor, Tensor::make(type.type, message.shape));
  const auto to = tensor.mutable_bytes();
  if (to.empty()) return tensor;
  if (wants_floats) std::memcpy(to.data(), numbers.floats.data(), to.size());
  if (wants_doubles) std::memcpy(to.data(), numbers.doubles.data(), to.size());
  if (wants_floats || wants_doubles) return tensor;
  if (type.narrow()) {
    std::vector<std::byte> packed(numbers.integers.size());
    std::ranges::transform(numbers.integers, packed.begin(), [](int64_t n) { return static_cast<std::byte>(n); });
    return unpack_narrow(type, std::move(tensor), packed);
  }
  const auto width = static_cast<size_t>(bytes_of(type.type));
  for (size_t i = 0; i < numbers.integers.size(); ++i) store(type.type, numbers.integers[i], to.data() + i * width);
  return tensor;
}

Result<Tensor> TensorLoader::load(const TensorMessage& message) {
  const auto type = element_type(message.type);
  if (!type) return unsupported("values of type {}", element_name(message.type));
  const auto elements = elements_in(message);
  if (!elements.ok()) return error(message, "{}", elements.status().message());
  int64_t bits = 0;
  if (__builtin_mul_overflow(*elements, static_cast<int64_t>(type->bits), &bits) ||
      *elements > Tensor::kLimitBytes / bytes_of(type->type))
    return error(message, "{} of {} are more than halftone reads at once ({} bytes)", text_of(message.shape),
                 element_name(message.type), Tensor::kLimitBytes);
  Result<Tensor> tensor = Tensor();
  if (message.external || message.has_raw) {
    HALFTONE_ASSIGN(const Bytes stored, stored_bytes(message, (bits + 7) / 8));
    if (type->narrow()) {
      HALFTONE_ASSIGN(Tensor wide, Tensor::make(type->type, message.shape));
      return unpack_narrow(*type, std::move(wide), stored.bytes);
    }
    tensor = Tensor::map(type->type, message.shape, stored.bytes, stored.keep);
  } else {
    tensor = from_numbers(message, *elements);
  }
  HALFTONE_TRY(tensor.status());
  if (type->type == DType::boolean && !std::ranges::all_of(tensor->bytes(), is_boolean))
    return error(message, "expected 0 or 1 as booleans, got another byte");
  return tensor;
}

Result<Tensor> read_tensor_file(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const Source source, open_source(path));
  HALFTONE_ASSIGN(const TensorMessage message, parse_tensor(source.bytes, source.name));
  return TensorLoader(source).load(message);
}

}  // namespace halftone::onnx
