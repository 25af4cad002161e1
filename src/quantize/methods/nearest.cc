// SPDX-License-Identifier: Apache-2.0
// Round to nearest: no paper, the baseline of all of them, which is what the formats' own tools do, bit for bit.
//   symmetric blocks up to 6 bits   the extreme, with its sign, is the lowest code (GGUF's Q4_0, Q5_0)
//   int8_block32                    max|w| is 127, halves round away from zero (Q8_0)
//   rows that share a scale         max|w| is the highest code
//   affine                          the end of larger magnitude is exact, zero nearly so (MLX)
// The tools choose codes with scales that are not yet rounded to f16; only rows do it the other way. Loops run over 16
// lanes with a fixed tree: compilers can vectorise them, and every machine gets the same codes.
#include <algorithm>
#include <cmath>

#include "quantize/methods/methods.h"
#include "quantize/methods/plain_line.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int kSumLanes = 16;
constexpr float kRoundToInteger = 12582912.0f;  // 1.5 * 2^23: adding and subtracting it rounds to nearest even
constexpr float kScaleTolerance = 1 / 64.0f;    // f16 holds any scale that is not deep among its subnormals better

struct Range {
  float low, high;
};

float to_even(float code) { return (code + kRoundToInteger) - kRoundToInteger; }

// As truncating after adding 1/2 would, were the sum exact. REQUIRES: |code| < 2^31.
float away_from_zero(float code) {
  const auto whole = static_cast<float>(static_cast<int32_t>(code));
  const float rest = code - whole;
  return whole + (rest >= 0.5f ? 1.0f : 0.0f) - (rest <= -0.5f ? 1.0f : 0.0f);
}

float clamped(float code, Range range) {
  code = code > range.low ? code : range.low;
  return code < range.high ? code : range.high;
}

constexpr auto smaller = [](float a, float b) { return b < a ? b : a; };
constexpr auto larger = [](float a, float b) { return b > a ? b : a; };

// Lanes to one value, always in the same tree; the halves are constants so that each step is whole vectors.
template <int kHalf = kSumLanes / 2, class Combine>
float fold(float* lanes, Combine combine) {
  for (int lane = 0; lane < kHalf; ++lane) lanes[lane] = combine(lanes[lane], lanes[lane + kHalf]);
  if constexpr (kHalf > 1) return fold<kHalf / 2>(lanes, combine);
  return lanes[0];
}

// Least and greatest, and `seed`.
Range extremes(const float* values, int64_t count, float seed) {
  float low[kSumLanes], high[kSumLanes];
  std::fill_n(low, kSumLanes, seed);
  std::fill_n(high, kSumLanes, seed);
  int64_t k = 0;
  for (; k + kSumLanes <= count; k += kSumLanes) {
    for (int lane = 0; lane < kSumLanes; ++lane) {
      low[lane] = smaller(low[lane], values[k + lane]);
      high[lane] = larger(high[lane], values[k + lane]);
    }
  }
  for (int lane = 0; k < count; ++k, ++lane) {
    low[lane] = smaller(low[lane], values[k]);
    high[lane] = larger(high[lane], values[k]);
  }
  return {fold(low, smaller), fold(high, larger)};
}

template <class Round>
void write_codes(const float* values, int64_t count, int8_t* codes, Round round) {
  for (int64_t k = 0; k < count; ++k) codes[k] = static_cast<int8_t>(static_cast<int>(round(values[k])));
}

// The f16 nearest to extreme / steps that is not zero and does not push the extreme half a step beyond `steps`; both
// matter only where f16 is subnormal. REQUIRES: extreme > 0.
uint16_t scale_bits(float extreme, float steps) {
  uint16_t bits = f32_to_f16(extreme / steps);
  if (bits == 0) bits = 1;
  if (extreme > f16_to_f32(bits) * (steps + 0.5f)) ++bits;
  return bits;
}

// Codes that belong to the scale as it is stored. steps: the code of max|w|.
uint16_t by_stored_scale(float largest, float steps, bool negative, Range range, const float* values, int64_t count,
                         int8_t* codes) {
  const auto bits = static_cast<uint16_t>(scale_bits(largest, steps) | (negative ? 0x8000 : 0));
  const float inverse = 1 / f16_to_f32(bits);
  write_codes(values, count, codes, [&](float value) { return to_even(clamped(value * inverse, range)); });
  return bits;
}

// One group that shares a scale. Infinity as scale: it does not fit f16.
uint16_t choose_symmetric(const Layout& layout, const float* values, int64_t count, int8_t* codes) {
  const Range found = extremes(values, count, 0);
  const float largest = std::max(-found.low, found.high);
  if (largest == 0) {
    std::fill(codes, codes + count, int8_t{0});
    return layout.bits == 8 || layout.group == 0 ? 0 : 0x8000;  // 0 / -8
  }
  const Range range{static_cast<float>(layout.q_min), static_cast<float>(layout.q_max)};
  if (layout.group == 0) return by_stored_scale(largest, range.high, false, range, values, count, codes);
  const bool eight = layout.bits == 8;
  const auto lowest = static_cast<float>(layout.offset);
  // Of two extremes of one size the tools take the first.
  float extreme = largest;
  for (int64_t k = 0; k < count && !eight; ++k) {
    if (std::fabs(values[k]) != largest) continue;
    extreme = values[k];
    break;
  }
  const float scale = eight ? largest / range.high : extreme / -lowest;
  const uint16_t bits = f32_to_f16(scale);
  if (std::fabs(f16_to_f32(bits) - scale) > kScaleTolerance * std::fabs(scale) && !std::isinf(f16_to_f32(bits)))
    return by_stored_scale(largest, eight ? range.high : lowest, !eight && extreme > 0,
                           eight ? range : Range{-lowest, range.high}, values, count, codes);
  const float inverse = 1 / scale;
  if (eight) {
    write_codes(values, count, codes, [&](float value) { return away_from_zero(value * inverse); });
  } else {
    const float up = lowest + 0.5f, most = 2 * lowest - 1;
    write_codes(values, count, codes, [&](float value) {
      const auto code = static_cast<float>(static_cast<int32_t>(value * inverse + up));
      return (code < most ? code : most) - lowest;
    });
  }
  return bits;
}

struct AffineScale {
  uint16_t scale, base;
};

AffineScale choose_affine(const Layout& layout, const float* values, int64_t count, int8_t* codes) {
  const Range found = extremes(values, count, values[0]);
  const auto most = static_cast<float>(2 * layout.offset - 1), offset = static_cast<float>(layout.offset);
  const auto [scale, base] = plain_affine_line(found.low, found.high, most);
  write_codes(values, count, codes, [&, scale = scale, base = base](float value) {
    return to_even(clamped((value - base) / scale, {0, most})) - offset;
  });
  return {f32_to_f16(scale), f32_to_f16(base)};
}

}  // namespace

void choose_nearest(const Layout& layout, const MethodInput& input, const MethodOutput& output) {
  const int64_t groups = layout.groups(input.columns);
  const int64_t width = layout.group == 0 ? input.columns : layout.group;
  for (int64_t row = 0; row < input.rows; ++row) {
    const float* values = input.values.data() + row * input.columns;
    int8_t* codes = output.codes.data() + row * input.columns;
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t begin = group * width, count = std::min(width, input.columns - begin);
      const auto at = static_cast<size_t>(row * groups + group);
      if (!layout.affine) {
        output.scales[at] = choose_symmetric(layout, values + begin, count, codes + begin);
        continue;
      }
      const AffineScale chosen = choose_affine(layout, values + begin, count, codes + begin);
      output.scales[at] = chosen.scale;
      output.bases[at] = chosen.base;
    }
  }
}

}  // namespace halftone
