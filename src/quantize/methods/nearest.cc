// SPDX-License-Identifier: Apache-2.0
// Round to nearest: no paper, the baseline of all of them.
// Scales (and bases) are rounded to f16 before codes are chosen, so codes are nearest to what will really be decoded.
// Symmetric groups of up to 6 bits are tried with max|w| at 7 (of 4 bits) and with its extreme at -8 (a negative scale
// when that is positive); the smaller squared error stays. Affine groups span min .. max. Loops run over 16 lanes with
// a fixed tree of sums: compilers can vectorise them, and every machine gets the same codes.
#include <algorithm>
#include <cmath>

#include "quantize/methods/methods.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int kSumLanes = 16;
constexpr float kRoundToInteger = 12582912.0f;  // 1.5 * 2^23: adding and subtracting it rounds to nearest even

struct Scale {
  uint16_t bits;
  float value, inverse;
};

struct Range {
  float low, high;
};

// The f16 nearest to extreme / steps that is not zero and does not push the extreme half a step beyond `steps`; both
// matter only where f16 is subnormal. REQUIRES: extreme > 0.
uint16_t scale_bits(float extreme, float steps) {
  uint16_t bits = f32_to_f16(extreme / steps);
  if (bits == 0) bits = 1;
  if (extreme > f16_to_f32(bits) * (steps + 0.5f)) ++bits;
  return bits;
}

Scale scale_of(uint16_t bits) {
  const float value = f16_to_f32(bits);
  return {bits, value, 1.0f / value};
}

float rounded_code(float weight, float inverse, Range range) {
  float code = weight * inverse;
  code = code > range.low ? code : range.low;
  code = code < range.high ? code : range.high;
  return (code + kRoundToInteger) - kRoundToInteger;
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

float squared_error(const float* values, int64_t count, const Scale& scale, Range range) {
  float sums[kSumLanes] = {};
  const float step = scale.value, inverse = scale.inverse;
  int64_t k = 0;
  for (; k + kSumLanes <= count; k += kSumLanes) {
    for (int lane = 0; lane < kSumLanes; ++lane) {
      const float value = values[k + lane];
      const float error = rounded_code(value, inverse, range) * step - value;
      sums[lane] += error * error;
    }
  }
  for (int lane = 0; k < count; ++k, ++lane) {
    const float error = rounded_code(values[k], inverse, range) * step - values[k];
    sums[lane] += error * error;
  }
  return fold(sums, [](float a, float b) { return a + b; });
}

void write_codes(const float* values, int64_t count, const Scale& scale, Range range, int8_t* codes) {
  const float inverse = scale.inverse;
  for (int64_t k = 0; k < count; ++k)
    codes[k] = static_cast<int8_t>(static_cast<int>(rounded_code(values[k], inverse, range)));
}

// One group that shares a scale. Infinity as scale: it does not fit f16.
uint16_t choose_symmetric(const Layout& layout, const float* values, int64_t count, int8_t* codes) {
  const Range found = extremes(values, count, 0);
  const float largest = std::max(-found.low, found.high);
  if (largest == 0) {
    std::fill(codes, codes + count, int8_t{0});
    return 0;
  }
  Range range{static_cast<float>(layout.q_min), static_cast<float>(layout.q_max)};
  Scale best = scale_of(scale_bits(largest, range.high));
  if (layout.bits <= 6) {  // at 8 bits one code more is nothing
    const Range wide{-static_cast<float>(layout.offset), range.high};
    const uint16_t sign = found.high > -found.low ? 0x8000 : 0;
    const Scale other = scale_of(static_cast<uint16_t>(scale_bits(largest, -wide.low) | sign));
    const bool only_other = std::isinf(best.value) && !std::isinf(other.value);
    if (only_other || squared_error(values, count, other, wide) < squared_error(values, count, best, range)) {
      best = other;
      range = wide;
    }
  }
  write_codes(values, count, best, range, codes);
  return best.bits;
}

struct AffineScale {
  uint16_t scale, base;
};

// One affine group: the base is the least weight, rounded, and the scale reaches from there to the greatest.
AffineScale choose_affine(const Layout& layout, const float* values, int64_t count, int8_t* codes) {
  const Range found = extremes(values, count, values[0]);
  const uint16_t base_bits = f32_to_f16(found.low);
  const float base = f16_to_f32(base_bits), reach = found.high - base;
  const Range range{0, static_cast<float>(2 * layout.offset - 1)};
  if (!(reach > 0)) {
    std::fill(codes, codes + count, static_cast<int8_t>(-layout.offset));
    return {0, base_bits};
  }
  const Scale scale = scale_of(scale_bits(reach, range.high));
  for (int64_t k = 0; k < count; ++k) {
    const auto code = static_cast<int>(rounded_code(values[k] - base, scale.inverse, range));
    codes[k] = static_cast<int8_t>(code - layout.offset);
  }
  return {scale.bits, base_bits};
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
