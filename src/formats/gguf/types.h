// SPDX-License-Identifier: Apache-2.0
// The element types of GGUF tensors: how many numbers a block holds and how many bytes it takes. Byte layouts of those
// that are written here: FORMAT.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace halftone {

enum class GgmlTypeId : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  iq4_nl = 20,
  iq4_xs = 23,
  bf16 = 30,
  mxfp4 = 39,
};

struct GgmlType {
  uint32_t id;            // in the file
  std::string_view name;  // "q4_0"
  int64_t block;          // numbers of one block
  int64_t bytes;          // of one block
  int32_t file_type;      // general.file_type of a model that is mostly of this type; -1: there is none
  // One row decoded to (columns) floats. Null where only the sizes are known.
  void (*decode_row)(const std::byte* row, int64_t columns, float* out);

  bool is_float() const { return block == 1; }
  // REQUIRES: columns is a multiple of block.
  int64_t row_bytes(int64_t columns) const { return columns / block * bytes; }
};

std::span<const GgmlType> all_ggml_types();
const GgmlType* find_ggml_type(uint32_t id);            // null when unknown
const GgmlType* find_ggml_type(std::string_view name);  // hyphen equals underscore; null when unknown
const GgmlType& ggml_type(GgmlTypeId id);
// What is known of a number that is no type here: "IQ4_KS of ik_llama.cpp", "a type that was removed"; else "unknown".
std::string_view describe_foreign_ggml_type(uint32_t id);

inline constexpr int64_t kGgmlBlock = 32;        // of q4_0 to q8_0, iq4_nl and mxfp4
inline constexpr int64_t kGgmlSuperBlock = 256;  // of the K types and iq4_xs

}  // namespace halftone
