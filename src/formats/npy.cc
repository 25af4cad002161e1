// SPDX-License-Identifier: Apache-2.0
#include "formats/npy.h"

#include <fmt/format.h>

#include "base/atomic_write.h"
#include "base/error.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

std::string_view npy_type(DType type) {
  switch (type) {
    case DType::f64:
      return "<f8";
    case DType::f32:
    case DType::bf16:
      return "<f4";
    case DType::f16:
      return "<f2";
    case DType::i64:
      return "<i8";
    case DType::u64:
      return "<u8";
    case DType::i32:
      return "<i4";
    case DType::u32:
      return "<u4";
    case DType::i16:
      return "<i2";
    case DType::u16:
      return "<u2";
    case DType::i8:
      return "|i1";
    case DType::u8:
      return "|u1";
    case DType::boolean:
      return "|b1";
  }
  return "|V1";
}

}  // namespace

std::string npy_header(std::string_view type, std::span<const int64_t> shape) {
  std::string sizes;
  for (const int64_t size : shape) sizes += fmt::format("{}, ", size);
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);  // a comma stays behind an only size
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, sizes);
  constexpr size_t kBefore = 10;
  text.resize((kBefore + text.size() + 1 + 63) / 64 * 64 - kBefore - 1, ' ');
  text += '\n';
  const auto size = static_cast<unsigned>(text.size());
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(size & 255U) + static_cast<char>(size >> 8U) + text;
}

Status write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  std::string text = npy_header(npy_type(tensor.type()), tensor.shape());
  if (tensor.type() == DType::bf16) {
    for (const uint16_t bits : tensor.values<uint16_t>()) {
      const float value = bf16_to_f32(bits);
      text.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
  } else {
    text.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
  }
  return write_file_atomic(path, text);
}

}  // namespace halftone
