// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/blocks.h"

#include <cmath>
#include <cstring>

#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr int8_t kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

int byte_at(const std::byte* at, int64_t index) { return static_cast<int>(at[index]); }

// 16 bytes hold element j in their low nibble and element j + 16 in the high one; `code(nibble, j)`.
template <class Code>
void for_nibbles(const std::byte* bytes, int8_t* codes, const Code& code) {
  for (int j = 0; j < 16; ++j) {
    codes[j] = static_cast<int8_t>(code(byte_at(bytes, j) & 15, j));
    codes[j + 16] = static_cast<int8_t>(code(byte_at(bytes, j) >> 4, j + 16));
  }
}

// Bit j of four little-endian bytes, as the fifth bit of a code.
int fifth_bit(const std::byte* bits, int j) { return (byte_at(bits, j / 8) >> (j % 8) & 1) << 4; }

// The 6-bit scales and minima of q4_k and q5_k: 12 bytes.
void read_six_bits(const std::byte* packed, KBlock& out) {
  for (int j = 0; j < 4; ++j) {
    out.scales[j] = static_cast<int8_t>(byte_at(packed, j) & 63);
    out.minima[j] = static_cast<uint8_t>(byte_at(packed, j + 4) & 63);
    out.scales[j + 4] = static_cast<int8_t>((byte_at(packed, j + 8) & 15) | (byte_at(packed, j) >> 6) << 4);
    out.minima[j + 4] = static_cast<uint8_t>(byte_at(packed, j + 8) >> 4 | (byte_at(packed, j + 4) >> 6) << 4);
  }
}

void read_scale(const std::byte* at, KBlock& out) {
  out.scale_bits = half_bits_at(at);
  out.scale = f16_to_f32(out.scale_bits);
}

void read_minimum(const std::byte* at, KBlock& out) {
  out.minimum_bits = half_bits_at(at);
  out.minimum = f16_to_f32(out.minimum_bits);
}

// weight = (code - zero) * scale - minimum; every product fits a float, the difference is rounded once.
template <auto kRead, int kGroups, int kZero>
void k_values(const std::byte* block, float* out) {
  KBlock parts;
  kRead(block, parts);
  constexpr int64_t kWidth = kGgmlSuperBlock / kGroups;
  for (int64_t k = 0; k < kGgmlSuperBlock; ++k) {
    const int64_t group = k / kWidth;
    const float step = parts.scale * static_cast<float>(parts.scales[group]);
    const float least = parts.minimum * static_cast<float>(parts.minima[group]);
    out[k] = std::fma(static_cast<float>(parts.codes[k] - kZero), step, -least);
  }
}

}  // namespace

void q4_0_codes(const std::byte* block, int8_t* codes) {
  for_nibbles(block + 2, codes, [](int nibble, int) { return nibble - 8; });
}

void q4_1_codes(const std::byte* block, int8_t* codes) {
  for_nibbles(block + 4, codes, [](int nibble, int) { return nibble - 8; });
}

void q5_0_codes(const std::byte* block, int8_t* codes) {
  for_nibbles(block + 6, codes, [&](int nibble, int j) { return (nibble | fifth_bit(block + 2, j)) - 16; });
}

void q5_1_codes(const std::byte* block, int8_t* codes) {
  for_nibbles(block + 8, codes, [&](int nibble, int j) { return (nibble | fifth_bit(block + 4, j)) - 16; });
}

void q8_0_codes(const std::byte* block, int8_t* codes) { std::memcpy(codes, block + 2, 32); }

void iq4_nl_codes(const std::byte* block, int8_t* codes) {
  for_nibbles(block + 2, codes, [](int nibble, int) { return kIq4Values[nibble]; });
}

void mxfp4_codes(const std::byte* block, int8_t* codes) {
  for_nibbles(block + 1, codes, [](int nibble, int) { return kMxfp4Values[nibble]; });
}

float iq4_xs_codes(const std::byte* block, int group, int8_t* codes) {
  for_nibbles(block + 8 + 16 * group, codes, [](int nibble, int) { return kIq4Values[nibble]; });
  const int low = byte_at(block + 4, group / 2) >> 4 * (group % 2) & 15;
  const int high = half_bits_at(block + 2) >> 2 * group & 3;
  return f16_to_f32(half_bits_at(block)) * static_cast<float>((low | high << 4) - 32);
}

void read_q2_k(const std::byte* block, KBlock& out) {
  for (int group = 0; group < 16; ++group) {
    out.scales[group] = static_cast<int8_t>(byte_at(block, group) & 15);
    out.minima[group] = static_cast<uint8_t>(byte_at(block, group) >> 4);
  }
  for (int k = 0; k < 256; ++k)
    out.codes[k] = static_cast<uint8_t>(byte_at(block, 16 + 32 * (k / 128) + k % 32) >> 2 * (k % 128 / 32) & 3);
  read_scale(block + 80, out);
  read_minimum(block + 82, out);
}

void read_q3_k(const std::byte* block, KBlock& out) {
  const std::byte* packed = block + 96;
  for (int group = 0; group < 16; ++group) {
    const int low = group < 8 ? byte_at(packed, group) & 15 : byte_at(packed, group - 8) >> 4;
    const int high = byte_at(packed, 8 + group % 4) >> 2 * (group / 4) & 3;
    out.scales[group] = static_cast<int8_t>((low | high << 4) - 32);
    out.minima[group] = 0;
  }
  for (int k = 0; k < 256; ++k) {
    const int low = byte_at(block, 32 + 32 * (k / 128) + k % 32) >> 2 * (k % 128 / 32) & 3;
    const int high = byte_at(block, k % 32) >> (k / 32) & 1;
    out.codes[k] = static_cast<uint8_t>(low | high << 2);
  }
  read_scale(block + 108, out);
  out.minimum = 0;
  out.minimum_bits = 0;
}

void read_q4_k(const std::byte* block, KBlock& out) {
  read_scale(block, out);
  read_minimum(block + 2, out);
  read_six_bits(block + 4, out);
  for (int k = 0; k < 256; ++k)
    out.codes[k] = static_cast<uint8_t>(byte_at(block, 16 + 32 * (k / 64) + k % 32) >> 4 * (k % 64 / 32) & 15);
}

void read_q5_k(const std::byte* block, KBlock& out) {
  read_scale(block, out);
  read_minimum(block + 2, out);
  read_six_bits(block + 4, out);
  for (int k = 0; k < 256; ++k) {
    const int low = byte_at(block, 48 + 32 * (k / 64) + k % 32) >> 4 * (k % 64 / 32) & 15;
    const int high = byte_at(block, 16 + k % 32) >> (k / 32) & 1;
    out.codes[k] = static_cast<uint8_t>(low | high << 4);
  }
}

void read_q6_k(const std::byte* block, KBlock& out) {
  for (int k = 0; k < 256; ++k) {
    const int half = k / 128, quarter = k % 128 / 32, l = k % 32;
    const int low = byte_at(block, 64 * half + 32 * (quarter % 2) + l) >> 4 * (quarter / 2) & 15;
    const int high = byte_at(block, 128 + 32 * half + l) >> 2 * quarter & 3;
    out.codes[k] = static_cast<uint8_t>(low | high << 4);
  }
  for (int group = 0; group < 16; ++group) {
    out.scales[group] = static_cast<int8_t>(byte_at(block, 192 + group));
    out.minima[group] = 0;
  }
  read_scale(block + 208, out);
  out.minimum = 0;
  out.minimum_bits = 0;
}

void q2_k_values(const std::byte* block, float* out) { k_values<read_q2_k, 16, 0>(block, out); }
void q3_k_values(const std::byte* block, float* out) { k_values<read_q3_k, 16, 4>(block, out); }
void q4_k_values(const std::byte* block, float* out) { k_values<read_q4_k, 8, 0>(block, out); }
void q5_k_values(const std::byte* block, float* out) { k_values<read_q5_k, 8, 0>(block, out); }
void q6_k_values(const std::byte* block, float* out) { k_values<read_q6_k, 16, 32>(block, out); }

}  // namespace halftone
