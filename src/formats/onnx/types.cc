// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx/types.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace halftone::onnx {
namespace {

struct TypeRow {
  std::string_view name;
  std::optional<ElementType> type;
};

constexpr ElementType whole(DType type, int bits) { return {type, bits, 0, 0}; }

// By the number that files write.
constexpr std::array<TypeRow, 27> kElementTypes = {{
    {"undefined", {}},
    {"float", whole(DType::f32, 32)},
    {"uint8", whole(DType::u8, 8)},
    {"int8", whole(DType::i8, 8)},
    {"uint16", whole(DType::u16, 16)},
    {"int16", whole(DType::i16, 16)},
    {"int32", whole(DType::i32, 32)},
    {"int64", whole(DType::i64, 64)},
    {"string", {}},
    {"bool", whole(DType::boolean, 8)},
    {"float16", whole(DType::f16, 16)},
    {"double", whole(DType::f64, 64)},
    {"uint32", whole(DType::u32, 32)},
    {"uint64", whole(DType::u64, 64)},
    {"complex64", {}},
    {"complex128", {}},
    {"bfloat16", whole(DType::bf16, 16)},
    {"float8e4m3fn", {}},
    {"float8e4m3fnuz", {}},
    {"float8e5m2", {}},
    {"float8e5m2fnuz", {}},
    {"uint4", ElementType{DType::u8, 4, 0, 15}},
    {"int4", ElementType{DType::i8, 4, -8, 7}},
    {"float4e2m1", {}},
    {"float8e8m0", {}},
    {"uint2", ElementType{DType::u8, 2, 0, 3}},
    {"int2", ElementType{DType::i8, 2, -2, 1}},
}};

}  // namespace

std::optional<ElementType> element_type(int64_t number) {
  if (number < 0 || number >= static_cast<int64_t>(kElementTypes.size())) return {};
  return kElementTypes[static_cast<size_t>(number)].type;
}

std::string element_name(int64_t number) {
  if (number < 0 || number >= static_cast<int64_t>(kElementTypes.size())) return fmt::format("type {}", number);
  return std::string(kElementTypes[static_cast<size_t>(number)].name);
}

}  // namespace halftone::onnx
