// SPDX-License-Identifier: Apache-2.0
// Single blocks of GGUF's quantized types, taken apart and put together. Byte layouts: FORMAT.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "formats/gguf/types.h"

namespace halftone {

inline constexpr int64_t kMxfp4Bytes = 17, kIq4XsBytes = 136;

inline uint16_t half_bits_at(const std::byte* at) {
  return static_cast<uint16_t>(static_cast<unsigned>(at[0]) | static_cast<unsigned>(at[1]) << 8);
}

// 32 signed codes of one block; affine types (q4_1, q5_1) less half their range, as our layouts count.
void q4_0_codes(const std::byte* block, int8_t* codes);
void q4_1_codes(const std::byte* block, int8_t* codes);
void q5_0_codes(const std::byte* block, int8_t* codes);
void q5_1_codes(const std::byte* block, int8_t* codes);
void q8_0_codes(const std::byte* block, int8_t* codes);
void iq4_nl_codes(const std::byte* block, int8_t* codes);
void mxfp4_codes(const std::byte* block, int8_t* codes);  // doubled: 0, 1, 2, 3, 4, 6, 8, 12 and their negatives
// 32 codes of group 0..7 of a super-block; gives their scale.
float iq4_xs_codes(const std::byte* block, int group, int8_t* codes);

// A super-block of the K types: 256 unsigned codes as stored, the small scales (and minima) of its groups.
struct KBlock {
  float scale, minimum;  // of the whole block; minimum 0 where the type has none
  uint16_t scale_bits, minimum_bits;
  uint8_t codes[kGgmlSuperBlock];
  int8_t scales[16];  // signed where the type says so, of 8 or 16 groups
  uint8_t minima[16];
};
void read_q2_k(const std::byte* block, KBlock& out);  // 16 groups, codes 0..3
void read_q3_k(const std::byte* block, KBlock& out);  // 16 groups, codes 0..7 for -4..3, scales less 32
void read_q4_k(const std::byte* block, KBlock& out);  // 8 groups, codes 0..15
void read_q5_k(const std::byte* block, KBlock& out);  // 8 groups, codes 0..31
void read_q6_k(const std::byte* block, KBlock& out);  // 16 groups, codes 0..63 for -32..31

// Their inverses. REQUIRES: codes and small scales in the type's range (checked).
void pack_q4_0(const int8_t* codes, uint16_t scale, uint16_t base,
               std::byte* block);  // bases of types without: ignored
void pack_q4_1(const int8_t* codes, uint16_t scale, uint16_t base, std::byte* block);
void pack_q5_0(const int8_t* codes, uint16_t scale, uint16_t base, std::byte* block);
void pack_q5_1(const int8_t* codes, uint16_t scale, uint16_t base, std::byte* block);
void pack_q8_0(const int8_t* codes, uint16_t scale, uint16_t base, std::byte* block);
void pack_q4_k(const KBlock& parts, std::byte* block);
void pack_q5_k(const KBlock& parts, std::byte* block);
void pack_q6_k(const KBlock& parts, std::byte* block);

// The 256 weights of a super-block.
void q2_k_values(const std::byte* block, float* out);
void q3_k_values(const std::byte* block, float* out);
void q4_k_values(const std::byte* block, float* out);
void q5_k_values(const std::byte* block, float* out);
void q6_k_values(const std::byte* block, float* out);

}  // namespace halftone
