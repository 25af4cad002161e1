// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "base/error.h"
#include "formats/gguf/blocks.h"

namespace halftone {
namespace {

void put_half(uint16_t bits, std::byte* at) {
  at[0] = static_cast<std::byte>(bits & 0xff);
  at[1] = static_cast<std::byte>(bits >> 8);
}

unsigned stored(int code, int offset, unsigned limit) {
  const int value = code + offset;
  HALFTONE_CHECK(value >= 0 && value < static_cast<int>(limit));
  return static_cast<unsigned>(value);
}

// Element j in the low nibble of byte j, element j + 16 in its high one.
void put_nibbles(const int8_t* codes, int offset, unsigned limit, std::byte* bytes) {
  for (int j = 0; j < 16; ++j)
    bytes[j] = static_cast<std::byte>((stored(codes[j], offset, limit) & 15) |
                                      (stored(codes[j + 16], offset, limit) & 15) << 4);
}

void put_fifth_bits(const int8_t* codes, std::byte* bits) {
  std::memset(bits, 0, 4);
  for (int j = 0; j < 32; ++j) bits[j / 8] |= static_cast<std::byte>((stored(codes[j], 16, 32) >> 4) << (j % 8));
}

// The scales and minima of q4_k and q5_k, 6 bits each, in 12 bytes.
void put_six_bits(const KBlock& parts, std::byte* packed) {
  unsigned scales[8], minima[8];
  for (int j = 0; j < 8; ++j) {
    scales[j] = stored(parts.scales[j], 0, 64);
    minima[j] = stored(parts.minima[j], 0, 64);
  }
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<std::byte>(scales[j] | scales[j + 4] >> 4 << 6);
    packed[j + 4] = static_cast<std::byte>(minima[j] | minima[j + 4] >> 4 << 6);
    packed[j + 8] = static_cast<std::byte>((scales[j + 4] & 15) | (minima[j + 4] & 15) << 4);
  }
}

void put_low_nibbles(const KBlock& parts, unsigned limit, std::byte* bytes) {
  for (int k = 0; k < 256; k += 64)
    for (int l = 0; l < 32; ++l)
      bytes[k / 2 + l] = static_cast<std::byte>((stored(parts.codes[k + l], 0, limit) & 15) |
                                                (stored(parts.codes[k + l + 32], 0, limit) & 15) << 4);
}

}  // namespace

void pack_q4_0(const int8_t* codes, uint16_t scale, uint16_t, std::byte* block) {
  put_half(scale, block);
  put_nibbles(codes, 8, 16, block + 2);
}

void pack_q4_1(const int8_t* codes, uint16_t scale, uint16_t base, std::byte* block) {
  put_half(scale, block);
  put_half(base, block + 2);
  put_nibbles(codes, 8, 16, block + 4);
}

void pack_q5_0(const int8_t* codes, uint16_t scale, uint16_t, std::byte* block) {
  put_half(scale, block);
  put_fifth_bits(codes, block + 2);
  put_nibbles(codes, 16, 32, block + 6);
}

void pack_q5_1(const int8_t* codes, uint16_t scale, uint16_t base, std::byte* block) {
  put_half(scale, block);
  put_half(base, block + 2);
  put_fifth_bits(codes, block + 4);
  put_nibbles(codes, 16, 32, block + 8);
}

void pack_q8_0(const int8_t* codes, uint16_t scale, uint16_t, std::byte* block) {
  put_half(scale, block);
  std::memcpy(block + 2, codes, kGgmlBlock);
}

void pack_q4_k(const KBlock& parts, std::byte* block) {
  put_half(parts.scale_bits, block);
  put_half(parts.minimum_bits, block + 2);
  put_six_bits(parts, block + 4);
  put_low_nibbles(parts, 16, block + 16);
}

void pack_q5_k(const KBlock& parts, std::byte* block) {
  put_half(parts.scale_bits, block);
  put_half(parts.minimum_bits, block + 2);
  put_six_bits(parts, block + 4);
  std::memset(block + 16, 0, 32);
  for (int k = 0; k < 256; ++k)
    block[16 + k % 32] |= static_cast<std::byte>((stored(parts.codes[k], 0, 32) >> 4) << (k / 32));
  put_low_nibbles(parts, 32, block + 48);
}

void pack_q6_k(const KBlock& parts, std::byte* block) {
  std::memset(block, 0, 192);
  for (int k = 0; k < 256; ++k) {
    const int half = k / 128, quarter = k % 128 / 32, l = k % 32;
    const unsigned code = stored(parts.codes[k], 0, 64);
    block[64 * half + 32 * (quarter % 2) + l] |= static_cast<std::byte>((code & 15) << 4 * (quarter / 2));
    block[128 + 32 * half + l] |= static_cast<std::byte>(code >> 4 << 2 * quarter);
  }
  for (int group = 0; group < 16; ++group) block[192 + group] = static_cast<std::byte>(parts.scales[group]);
  put_half(parts.scale_bits, block + 208);
}

}  // namespace halftone
