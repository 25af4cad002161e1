// SPDX-License-Identifier: Apache-2.0
#include "tensor/dtype.h"

#include <bit>
#include <string_view>

namespace halftone {
namespace {

struct DTypeRow {
  DType type;
  int bytes;
  std::string_view name, safetensors_name;
};

constexpr DTypeRow kRows[] = {
    {DType::f64, 8, "f64", "F64"},          {DType::f32, 4, "f32", "F32"}, {DType::f16, 2, "f16", "F16"},
    {DType::bf16, 2, "bf16", "BF16"},       {DType::i64, 8, "i64", "I64"}, {DType::i32, 4, "i32", "I32"},
    {DType::i16, 2, "i16", "I16"},          {DType::i8, 1, "i8", "I8"},    {DType::u64, 8, "u64", "U64"},
    {DType::u32, 4, "u32", "U32"},          {DType::u16, 2, "u16", "U16"}, {DType::u8, 1, "u8", "U8"},
    {DType::boolean, 1, "boolean", "BOOL"},
};

constexpr bool rows_follow_the_enum() {
  int index = 0;
  for (const DTypeRow& row : kRows) {
    if (static_cast<int>(row.type) != index++) return false;
  }
  return true;
}
static_assert(rows_follow_the_enum());

const DTypeRow& row_of(DType type) { return kRows[static_cast<int>(type)]; }

}  // namespace

int bytes_of(DType type) { return row_of(type).bytes; }
std::string_view name_of(DType type) { return row_of(type).name; }
std::string_view safetensors_name(DType type) { return row_of(type).safetensors_name; }

std::optional<DType> dtype_from_safetensors(std::string_view name) {
  for (const DTypeRow& row : kRows) {
    if (row.safetensors_name == name) return row.type;
  }
  return std::nullopt;
}

float f16_to_f32(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 31;
  const uint32_t mantissa = bits & 0x3ff;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // exact: zero and subnormals
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  if (exponent == 31) {
    const uint32_t quiet = mantissa != 0 ? 0x00400000u : 0;  // as conversion instructions do
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | mantissa << 13);
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00);  // 65520 and above round to infinity
  if (magnitude < 0x38800000u) {
    // Below 2^-14: the spacing of floats in [0.5, 1) is that of half subnormals, so the addition rounds for us.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000u) >> 13);
}

float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace halftone
