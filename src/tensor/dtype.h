// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace halftone {

// Element types of files. Packed weights have a Layout instead (layout.h).
enum class DType : uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

int bytes_of(DType type);
std::string_view name_of(DType type);                                // "f32"
std::optional<DType> dtype_from_safetensors(std::string_view name);  // "F32", "BF16", ...
std::string_view safetensors_name(DType type);

// IEEE binary16 and bfloat16, round to nearest even; NaN stays NaN. Exhaustively tested.
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);  // overflow gives infinity
inline float rounded_to_f16(float value) { return f16_to_f32(f32_to_f16(value)); }
float bf16_to_f32(uint16_t bits);
uint16_t f32_to_bf16(float value);

}  // namespace halftone
