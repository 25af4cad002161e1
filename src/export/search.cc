// SPDX-License-Identifier: Apache-2.0
#include "export/search.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int kMostCount = 128;
constexpr int kSteps = 21;  // candidate steps per group, from a range one code narrower to one code wider
constexpr double kTiny = 1e-30;

struct Line {
  double scale = 0, base = 0;
};

double code_of(double value, const Line& line, int most) {
  if (line.scale == 0) return 0;
  return std::clamp(std::nearbyint((value - line.base) / line.scale), 0.0, static_cast<double>(most));
}

double error_of(const float* values, const double* weights, int count, const Line& line, int most) {
  double error = 0;
  for (int k = 0; k < count; ++k) {
    const auto value = static_cast<double>(values[k]);
    const double difference = code_of(value, line, most) * line.scale + line.base - value;
    error += weights[k] * difference * difference;
  }
  return error;
}

// The line of least weighted squares through (code, weight) pairs. With base_at_most_zero a positive base becomes zero.
Line fitted(const float* values, const double* weights, int count, const Line& from, int most, bool base_at_most_zero) {
  double w = 0, wu = 0, wuu = 0, wx = 0, wux = 0;
  for (int k = 0; k < count; ++k) {
    const auto value = static_cast<double>(values[k]);
    const double u = code_of(value, from, most);
    w += weights[k];
    wu += weights[k] * u;
    wuu += weights[k] * u * u;
    wx += weights[k] * value;
    wux += weights[k] * u * value;
  }
  const double determinant = w * wuu - wu * wu;
  if (determinant <= kTiny) return from;
  Line line{(w * wux - wu * wx) / determinant, (wuu * wx - wu * wux) / determinant};
  if (base_at_most_zero && line.base > 0) {
    line.base = 0;
    line.scale = wuu > 0 ? wux / wuu : 0;
  }
  return line.scale > 0 ? line : from;
}

// The best line for a group; all weights equal (or all zero) have scale 0.
Line best_line(const float* values, const double* weights, int count, int most, bool base_at_most_zero) {
  double low = static_cast<double>(*std::min_element(values, values + count));
  const auto high = static_cast<double>(*std::max_element(values, values + count));
  if (base_at_most_zero) low = std::min(low, 0.0);
  if (!(high > low)) return {0, low};
  Line best{(high - low) / most, low};
  double least = error_of(values, weights, count, best, most);
  for (int step = 0; step < kSteps; ++step) {
    const double codes = most - 1 + 2.0 * step / (kSteps - 1);
    const Line line = fitted(values, weights, count, {(high - low) / codes, low}, most, base_at_most_zero);
    const double error = error_of(values, weights, count, line, most);
    if (error >= least) continue;
    least = error;
    best = line;
  }
  return best;
}

uint16_t half_of(double value) { return f32_to_f16(static_cast<float>(value)); }
double number_of(uint16_t half) { return static_cast<double>(f16_to_f32(half)); }

// Large weights count more: they meet large activations as often as small ones, and carry more of the sum.
void importance(const float* values, int count, double* weights) {
  double squares = 0;
  for (int k = 0; k < count; ++k) squares += static_cast<double>(values[k]) * static_cast<double>(values[k]);
  const double deviation = std::sqrt(squares / count);
  for (int k = 0; k < count; ++k) weights[k] = deviation + std::fabs(static_cast<double>(values[k]));
}

// q4_k, q5_k: 8 groups of 32 with a scale and a minimum (minus the base) of 6 bits each.
bool search_affine_block(int most, const float* values, KBlock& out) {
  constexpr int kGroups = 8, kWidth = 32;
  Line lines[kGroups];
  double scale = 0, minimum = 0;
  for (int group = 0; group < kGroups; ++group) {
    double weights[kWidth];
    importance(values + group * kWidth, kWidth, weights);
    lines[group] = best_line(values + group * kWidth, weights, kWidth, most, true);
    scale = std::max(scale, lines[group].scale);
    minimum = std::max(minimum, -lines[group].base);
  }
  out.scale_bits = half_of(scale / 63);
  out.minimum_bits = half_of(minimum / 63);
  out.scale = f16_to_f32(out.scale_bits);
  out.minimum = f16_to_f32(out.minimum_bits);
  if (!std::isfinite(out.scale) || !std::isfinite(out.minimum)) return false;
  const auto factor = [](double value, float unit) {
    return unit > 0 ? std::clamp(std::nearbyint(value / static_cast<double>(unit)), 0.0, 63.0) : 0.0;
  };
  for (int group = 0; group < kGroups; ++group) {
    out.scales[group] = static_cast<int8_t>(factor(lines[group].scale, out.scale));
    out.minima[group] = static_cast<uint8_t>(factor(-lines[group].base, out.minimum));
    const Line line{static_cast<double>(out.scale) * out.scales[group],
                    -static_cast<double>(out.minimum) * out.minima[group]};
    for (int k = group * kWidth; k < (group + 1) * kWidth; ++k)
      out.codes[k] = static_cast<uint8_t>(code_of(static_cast<double>(values[k]), line, most));
  }
  return true;
}

// A symmetric group: weight = q * scale, q in -32 .. 31; the sign of the scale is free.
double best_scale(const float* values, int count) {
  constexpr double kMost = 32;
  double extreme = 0, best = 0, most = -1;
  for (int k = 0; k < count; ++k)
    if (const auto value = static_cast<double>(values[k]); std::fabs(value) > std::fabs(extreme)) extreme = value;
  if (extreme == 0) return 0;
  for (int step = -9; step <= 9; ++step) {
    const double inverse = -(kMost + 0.1 * step) / extreme;
    double qx = 0, qq = 0;  // weights are squares of the numbers themselves
    for (int k = 0; k < count; ++k) {
      const auto value = static_cast<double>(values[k]);
      const double q = std::clamp(std::nearbyint(value * inverse), -kMost, kMost - 1), weight = value * value;
      qx += weight * q * value;
      qq += weight * q * q;
    }
    if (qq > 0 && qx * qx / qq > most) {
      most = qx * qx / qq;
      best = qx / qq;
    }
  }
  return best;
}

// q6_k: 16 groups of 16 with a signed scale of 8 bits.
bool search_symmetric_block(const float* values, KBlock& out) {
  constexpr int kGroups = 16, kWidth = 16;
  double scales[kGroups], extreme = 0;
  for (int group = 0; group < kGroups; ++group) {
    scales[group] = best_scale(values + group * kWidth, kWidth);
    if (std::fabs(scales[group]) > std::fabs(extreme)) extreme = scales[group];
  }
  out.scale_bits = half_of(extreme / -128);
  out.scale = f16_to_f32(out.scale_bits);
  out.minimum_bits = 0;
  out.minimum = 0;
  if (!std::isfinite(out.scale)) return false;
  for (int group = 0; group < kGroups; ++group) {
    const double unit = static_cast<double>(out.scale);
    const double factor = unit == 0 ? 0 : std::clamp(std::nearbyint(scales[group] / unit), -128.0, 127.0);
    out.scales[group] = static_cast<int8_t>(factor);
    out.minima[group] = 0;
    const double scale = unit * factor;
    for (int k = group * kWidth; k < (group + 1) * kWidth; ++k) {
      const double q = scale == 0 ? 0 : std::clamp(std::nearbyint(static_cast<double>(values[k]) / scale), -32.0, 31.0);
      out.codes[k] = static_cast<uint8_t>(q + 32);
    }
  }
  return true;
}

}  // namespace

void search_affine(int bits, const float* values, int count, int8_t* codes, uint16_t& scale, uint16_t& base) {
  HALFTONE_CHECK(count <= kMostCount);
  const int most = (1 << bits) - 1, offset = 1 << (bits - 1);
  double equal[kMostCount];
  std::fill_n(equal, count, 1.0);
  const Line best = best_line(values, equal, count, most, false);
  scale = half_of(best.scale);
  base = half_of(best.base);
  const Line kept{number_of(scale), number_of(base)};
  for (int k = 0; k < count; ++k)
    codes[k] = static_cast<int8_t>(code_of(static_cast<double>(values[k]), kept, most) - offset);
}

bool search_super_block(GgmlTypeId type, const float* values, KBlock& out) {
  if (type == GgmlTypeId::q6_k) return search_symmetric_block(values, out);
  return search_affine_block(type == GgmlTypeId::q5_k ? 31 : 15, values, out);
}

}  // namespace halftone
