// SPDX-License-Identifier: Apache-2.0
#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/rng.h"

namespace halftone {
namespace {

// Independent of the bit code: the value a half's fields stand for, in double arithmetic.
double half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

bool is_nan16(uint16_t bits, int mantissa_bits) {
  const int exponent_mask = 0x7fff >> mantissa_bits << mantissa_bits;
  return (bits & 0x7fff) > exponent_mask;
}

uint32_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }

TEST(DType, EveryHalfDecodesAndComesBack) {
  for (uint32_t code = 0; code < 65536; ++code) {
    const auto half = static_cast<uint16_t>(code);
    const float value = f16_to_f32(half);
    if (is_nan16(half, 10)) {
      EXPECT_TRUE(std::isnan(value)) << code;
      EXPECT_EQ(f32_to_f16(value), half | 0x200) << code;
      continue;
    }
    if ((half & 0x7fff) == 0x7c00) {
      EXPECT_TRUE(std::isinf(value)) << code;
    } else {
      EXPECT_EQ(value, half_value(half)) << code;
    }
    EXPECT_EQ(std::signbit(value), (half & 0x8000) != 0) << code;
    EXPECT_EQ(f32_to_f16(value), half) << code;
  }
}

TEST(DType, EveryBfloatDecodesAndComesBack) {
  for (uint32_t code = 0; code < 65536; ++code) {
    const auto bfloat = static_cast<uint16_t>(code);
    const float value = bf16_to_f32(bfloat);
    EXPECT_EQ(bits_of(value), code << 16);
    EXPECT_EQ(f32_to_bf16(value), is_nan16(bfloat, 7) ? bfloat | 0x40 : bfloat) << code;
  }
}

// Between every pair of neighbours: the midpoint goes to the even one, anything nearer goes to the nearer one.
template <class Decode, class Encode>
void check_rounding(uint16_t last_finite, const Decode& decode, const Encode& encode) {
  for (uint16_t code = 0; code < last_finite; ++code) {
    const auto next = static_cast<uint16_t>(code + 1);
    const double below = decode(code), above = decode(next);
    const auto middle = static_cast<float>((below + above) / 2);  // one more bit than the type has: exact in a float
    ASSERT_EQ(static_cast<double>(middle), (below + above) / 2);
    const uint16_t even = code % 2 == 0 ? code : next;
    EXPECT_EQ(encode(middle), even) << code;
    EXPECT_EQ(encode(std::nextafterf(middle, 0.0f)), code) << code;
    EXPECT_EQ(encode(std::nextafterf(middle, std::numeric_limits<float>::infinity())), next) << code;
    EXPECT_EQ(encode(-middle), even | 0x8000) << code;
  }
}

TEST(DType, HalfRoundsToNearestEven) {
  check_rounding(0x7bff, f16_to_f32, f32_to_f16);
  EXPECT_EQ(f32_to_f16(65519.996f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(-1e30f), 0xfc00);
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0);  // half of the smallest subnormal: to even
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0);
}

TEST(DType, BfloatRoundsToNearestEven) {
  check_rounding(0x7f7f, bf16_to_f32, f32_to_bf16);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(f32_to_bf16(-std::numeric_limits<float>::infinity()), 0xff80);
}

TEST(DType, RandomFloatsGoToTheNearestHalf) {
  const uint64_t seed = 20;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  for (int i = 0; i < 200000; ++i) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(rng.next()));
    if (!(std::abs(value) < 65520.0f)) continue;
    const uint16_t half = f32_to_f16(value);
    const double error = std::abs(half_value(half) - value);
    const auto farther = static_cast<uint16_t>(half + 1);
    EXPECT_LE(error, std::abs(half_value(farther) - value)) << value;
    if ((half & 0x7fff) != 0) {
      EXPECT_LE(error, std::abs(half_value(static_cast<uint16_t>(half - 1)) - value)) << value;
    }
  }
}

TEST(DType, NamesAndSizes) {
  EXPECT_EQ(name_of(DType::bf16), "bf16");
  EXPECT_EQ(bytes_of(DType::f64), 8);
  EXPECT_EQ(bytes_of(DType::boolean), 1);
  int found = 0;
  for (int i = 0; i <= static_cast<int>(DType::boolean); ++i) {
    const auto type = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_safetensors(safetensors_name(type)), type);
    ++found;
  }
  EXPECT_EQ(found, 13);
  EXPECT_FALSE(dtype_from_safetensors("f32").has_value());
  EXPECT_FALSE(dtype_from_safetensors("F8_E4M3").has_value());
}

}  // namespace
}  // namespace halftone
