// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/types.h"

#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "formats/gguf/blocks.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

void decode_f32_row(const std::byte* row, int64_t columns, float* out) {
  std::memcpy(out, row, static_cast<size_t>(columns) * sizeof(float));
}

void decode_f16_row(const std::byte* row, int64_t columns, float* out) {
  for (int64_t k = 0; k < columns; ++k) out[k] = f16_to_f32(half_bits_at(row + 2 * k));
}

void decode_bf16_row(const std::byte* row, int64_t columns, float* out) {
  for (int64_t k = 0; k < columns; ++k) out[k] = bf16_to_f32(half_bits_at(row + 2 * k));
}

// Blocks of 32 that begin with an f16 scale, and an f16 base where codes are counted from zero.
template <int64_t kBytes, auto kCodes, int kAffineOffset = 0>
void decode_blocks(const std::byte* row, int64_t columns, float* out) {
  int8_t codes[kGgmlBlock];
  for (int64_t begin = 0; begin < columns; begin += kGgmlBlock, row += kBytes) {
    kCodes(row, codes);
    const float scale = f16_to_f32(half_bits_at(row));
    const float base = kAffineOffset == 0 ? 0.0f : f16_to_f32(half_bits_at(row + 2));
    for (int j = 0; j < kGgmlBlock; ++j) {
      const auto code = static_cast<float>(codes[j] + kAffineOffset);
      out[begin + j] = kAffineOffset == 0 ? code * scale : std::fma(code, scale, base);
    }
  }
}

void decode_mxfp4_row(const std::byte* row, int64_t columns, float* out) {
  int8_t codes[kGgmlBlock];
  for (int64_t begin = 0; begin < columns; begin += kGgmlBlock, row += kMxfp4Bytes) {
    mxfp4_codes(row, codes);
    for (int j = 0; j < kGgmlBlock; ++j)
      out[begin + j] = std::ldexp(static_cast<float>(codes[j]), static_cast<int>(row[0]) - 128);
  }
}

void decode_iq4_xs_row(const std::byte* row, int64_t columns, float* out) {
  int8_t codes[kGgmlBlock];
  for (int64_t begin = 0; begin < columns; begin += kGgmlBlock) {
    const auto group = static_cast<int>(begin % kGgmlSuperBlock / kGgmlBlock);
    const float scale = iq4_xs_codes(row + begin / kGgmlSuperBlock * kIq4XsBytes, group, codes);
    for (int j = 0; j < kGgmlBlock; ++j) out[begin + j] = static_cast<float>(codes[j]) * scale;
  }
}

template <int64_t kBytes, auto kValues>
void decode_super_blocks(const std::byte* row, int64_t columns, float* out) {
  for (int64_t begin = 0; begin < columns; begin += kGgmlSuperBlock, row += kBytes) kValues(row, out + begin);
}

constexpr std::array kTypes = {
    GgmlType{0, "f32", 1, 4, 0, decode_f32_row},
    GgmlType{1, "f16", 1, 2, 1, decode_f16_row},
    GgmlType{2, "q4_0", 32, 18, 2, decode_blocks<18, q4_0_codes>},
    GgmlType{3, "q4_1", 32, 20, 3, decode_blocks<20, q4_1_codes, 8>},
    GgmlType{6, "q5_0", 32, 22, 8, decode_blocks<22, q5_0_codes>},
    GgmlType{7, "q5_1", 32, 24, 9, decode_blocks<24, q5_1_codes, 16>},
    GgmlType{8, "q8_0", 32, 34, 7, decode_blocks<34, q8_0_codes>},
    GgmlType{9, "q8_1", 32, 36, -1, nullptr},
    GgmlType{10, "q2_k", 256, 84, 10, decode_super_blocks<84, q2_k_values>},
    GgmlType{11, "q3_k", 256, 110, 12, decode_super_blocks<110, q3_k_values>},
    GgmlType{12, "q4_k", 256, 144, 15, decode_super_blocks<144, q4_k_values>},
    GgmlType{13, "q5_k", 256, 176, 17, decode_super_blocks<176, q5_k_values>},
    GgmlType{14, "q6_k", 256, 210, 18, decode_super_blocks<210, q6_k_values>},
    GgmlType{15, "q8_k", 256, 292, -1, nullptr},
    GgmlType{16, "iq2_xxs", 256, 66, 19, nullptr},
    GgmlType{17, "iq2_xs", 256, 74, 20, nullptr},
    GgmlType{18, "iq3_xxs", 256, 98, 23, nullptr},
    GgmlType{19, "iq1_s", 256, 50, 24, nullptr},
    GgmlType{20, "iq4_nl", 32, 18, 25, decode_blocks<18, iq4_nl_codes>},
    GgmlType{21, "iq3_s", 256, 110, 26, nullptr},
    GgmlType{22, "iq2_s", 256, 82, 28, nullptr},
    GgmlType{23, "iq4_xs", 256, 136, 30, decode_iq4_xs_row},
    GgmlType{24, "i8", 1, 1, -1, nullptr},
    GgmlType{25, "i16", 1, 2, -1, nullptr},
    GgmlType{26, "i32", 1, 4, -1, nullptr},
    GgmlType{27, "i64", 1, 8, -1, nullptr},
    GgmlType{28, "f64", 1, 8, -1, nullptr},
    GgmlType{29, "iq1_m", 256, 56, 31, nullptr},
    GgmlType{30, "bf16", 1, 2, 32, decode_bf16_row},
    GgmlType{34, "tq1_0", 256, 54, 36, nullptr},
    GgmlType{35, "tq2_0", 256, 66, 37, nullptr},
    GgmlType{39, "mxfp4", 32, 17, 38, decode_mxfp4_row},
    GgmlType{40, "nvfp4", 64, 36, -1, nullptr},
    GgmlType{41, "q1_0", 128, 18, -1, nullptr},
    GgmlType{42, "q2_0", 64, 18, -1, nullptr},
};

struct Foreign {
  uint32_t first, last;
  std::string_view what;
};

constexpr std::array kForeign = {
    Foreign{4, 5, "a type that was removed (Q4_2, Q4_3)"},
    Foreign{31, 33, "a type that was removed (Q4_0 interleaved for ARM); convert the model again"},
    Foreign{36, 36, "I2_S of ik_llama.cpp"},
    Foreign{37, 38, "a type that was removed (IQ4_NL interleaved for ARM); convert the model again"},
    Foreign{97, 99, "Q8_x_X4 of ik_llama.cpp"},
    Foreign{133, 133, "Q6_0 of ik_llama.cpp"},
    Foreign{134, 134, "IQ1_BN of ik_llama.cpp"},
    Foreign{135, 135, "IQ2_BN of ik_llama.cpp"},
    Foreign{137, 137, "IQ2_K of ik_llama.cpp"},
    Foreign{138, 138, "IQ3_K of ik_llama.cpp"},
    Foreign{139, 139, "IQ4_K of ik_llama.cpp"},
    Foreign{140, 140, "IQ5_K of ik_llama.cpp"},
    Foreign{141, 141, "IQ6_K of ik_llama.cpp"},
    Foreign{144, 144, "IQ4_KS of ik_llama.cpp"},
    Foreign{145, 145, "IQ2_KS of ik_llama.cpp"},
    Foreign{146, 146, "IQ4_KSS of ik_llama.cpp"},
    Foreign{151, 151, "Q8_KV of ik_llama.cpp"},
    Foreign{152, 152, "IQ5_KS of ik_llama.cpp"},
    Foreign{153, 155, "IQ2_KT to IQ4_KT of ik_llama.cpp"},
    Foreign{156, 156, "IQ3_KS of ik_llama.cpp"},
    Foreign{157, 157, "IQ2_KL of ik_llama.cpp"},
    Foreign{158, 158, "IQ1_KT of ik_llama.cpp"},
    Foreign{200, 399, "a row-interleaved type of ik_llama.cpp; convert the model without repacking"},
};

}  // namespace

std::span<const GgmlType> all_ggml_types() { return kTypes; }

const GgmlType* find_ggml_type(uint32_t id) {
  for (const GgmlType& type : kTypes)
    if (type.id == id) return &type;
  return nullptr;
}

const GgmlType* find_ggml_type(std::string_view name) {
  for (const GgmlType& type : kTypes) {
    bool same = type.name.size() == name.size();
    for (size_t i = 0; same && i < name.size(); ++i) same = type.name[i] == (name[i] == '-' ? '_' : name[i]);
    if (same) return &type;
  }
  return nullptr;
}

const GgmlType& ggml_type(GgmlTypeId id) {
  const GgmlType* type = find_ggml_type(static_cast<uint32_t>(id));
  HALFTONE_CHECK(type != nullptr);
  return *type;
}

std::string_view describe_foreign_ggml_type(uint32_t id) {
  for (const Foreign& row : kForeign)
    if (id >= row.first && id <= row.last) return row.what;
  return "unknown";
}

}  // namespace halftone
