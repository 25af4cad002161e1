// SPDX-License-Identifier: Apache-2.0
// Lines by search: for each candidate the codes are rounded, the line through (code, value) of least weighted squares
// replaces it, is rounded as it will be stored, and is measured with the codes that belong to it. The least error wins
// and is fitted again until nothing is gained. The plain rule is the first candidate: nothing is worse than it.
#include "quantize/methods/uniform_grid.h"

#include <algorithm>
#include <cmath>

#include "quantize/methods/plain_line.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr float kToInteger = 12582912.0f;  // 1.5 * 2^23: adding and subtracting it rounds to nearest even
constexpr int kRefits = 8;
constexpr int64_t kRun = 64;  // columns whose sums are added before they meet the others': keeps long sums exact

template <class Body>
inline void each_lane(Body body) {
  for (int lane = 0; lane < kPanelRows; ++lane) body(lane);
}

inline float code_of(float value, float inverse, float base, float low, float high) {
  float code = (value - base) * inverse;
  code = code > low ? code : low;
  code = code < high ? code : high;
  return (code + kToInteger) - kToInteger;
}

}  // namespace

Line Line::of(const Lanes& scale, const Lanes& base) {
  Line line{scale, {}, base};
  each_lane([&](int lane) { line.inverse.at[lane] = scale.at[lane] == 0 ? 0 : 1 / scale.at[lane]; });
  return line;
}

// Infinity says that no candidate fits f16.
UniformGrid::Best UniformGrid::Best::none() {
  Best best = {};
  each_lane([&](int lane) { best.error.at[lane] = best.line.scale.at[lane] = INFINITY; });
  return best;
}

UniformGrid::Group UniformGrid::group_of(int64_t index, const Lanes* values, const float* weights) const {
  const int64_t begin = index * width_;
  return {index, values + begin, weights + begin, std::min(width_, columns_ - begin)};
}

Line UniformGrid::stored(int64_t, const Lanes& scale, const Lanes& base) const {
  Lanes halves, base_halves;
  each_lane([&](int lane) {
    halves.at[lane] = rounded_to_f16(scale.at[lane]);
    base_halves.at[lane] = rounded_to_f16(base.at[lane]);
  });
  return Line::of(halves, base_halves);
}

UniformGrid::UniformGrid(const Layout& layout, int64_t columns)
    : layout_(layout),
      columns_(columns),
      width_(layout.group == 0 ? columns : layout.group),
      low_(layout.affine ? 0 : static_cast<float>(layout.bits == 8 ? layout.q_min : -layout.offset)),
      high_(layout.affine ? static_cast<float>(2 * layout.offset - 1) : static_cast<float>(layout.q_max)),
      lines_(static_cast<size_t>(layout.groups(columns))) {}

// An infinite scale makes an error of NaN or infinity, which is not less.
void UniformGrid::consider(const Group& group, const Line& line, Best& best) const {
  Lanes total = {};
  const float low = low_, high = high_;
  for (int64_t begin = 0; begin < group.count; begin += kRun) {
    Lanes sum = {};
    for (int64_t k = begin; k < std::min(begin + kRun, group.count); ++k) {
      const Lanes& values = group.values[k];
      const float weight = group.weights[k];
      each_lane([&](int lane) {
        const float code = code_of(values.at[lane], line.inverse.at[lane], line.base.at[lane], low, high);
        const float off = code * line.scale.at[lane] + line.base.at[lane] - values.at[lane];
        sum.at[lane] += weight * off * off;
      });
    }
    each_lane([&](int lane) { total.at[lane] += sum.at[lane]; });
  }
  each_lane([&](int lane) {
    if (!(total.at[lane] < best.error.at[lane])) return;
    best.error.at[lane] = total.at[lane];
    best.line.scale.at[lane] = line.scale.at[lane];
    best.line.inverse.at[lane] = line.inverse.at[lane];
    best.line.base.at[lane] = line.base.at[lane];
  });
}

Line UniformGrid::fitted(const Group& group, const Line& line) const {
  Lanes w = {}, u = {}, uu = {}, x = {}, ux = {};
  const float low = low_, high = high_;
  const bool affine = layout_.affine;
  for (int64_t begin = 0; begin < group.count; begin += kRun) {
    Lanes run_w = {}, run_u = {}, run_uu = {}, run_x = {}, run_ux = {};
    for (int64_t k = begin; k < std::min(begin + kRun, group.count); ++k) {
      const Lanes& values = group.values[k];
      const float weight = group.weights[k];
      each_lane([&](int lane) {
        const float value = values.at[lane];
        const float code = code_of(value, line.inverse.at[lane], line.base.at[lane], low, high);
        run_uu.at[lane] += weight * code * code;
        run_ux.at[lane] += weight * code * value;
      });
      if (!affine) continue;
      each_lane([&](int lane) {
        const float value = values.at[lane];
        const float code = code_of(value, line.inverse.at[lane], line.base.at[lane], low, high);
        run_w.at[lane] += weight;
        run_u.at[lane] += weight * code;
        run_x.at[lane] += weight * value;
      });
    }
    each_lane([&](int lane) {
      w.at[lane] += run_w.at[lane];
      u.at[lane] += run_u.at[lane];
      uu.at[lane] += run_uu.at[lane];
      x.at[lane] += run_x.at[lane];
      ux.at[lane] += run_ux.at[lane];
    });
  }
  Lanes scale = {}, base = {};
  each_lane([&](int lane) {
    const double sw = static_cast<double>(w.at[lane]), su = static_cast<double>(u.at[lane]);
    const double suu = static_cast<double>(uu.at[lane]), sx = static_cast<double>(x.at[lane]);
    const double sux = static_cast<double>(ux.at[lane]);
    scale.at[lane] = line.scale.at[lane];
    base.at[lane] = line.base.at[lane];
    if (!affine) {
      if (suu > 0) scale.at[lane] = static_cast<float>(sux / suu);
      return;
    }
    const double determinant = sw * suu - su * su;
    if (!(determinant > 1e-6 * sw * suu)) return;
    scale.at[lane] = static_cast<float>((sw * sux - su * sx) / determinant);
    base.at[lane] = static_cast<float>((suu * sx - su * sux) / determinant);
  });
  return stored(group.index, scale, base);
}

// Candidates: the extreme at codes from somewhat less than the end of the range to far beyond it, which clips; both
// signs, because the range has one code more below zero.
void UniformGrid::try_symmetric(const Group& group, Best& best) const {
  Lanes extreme = {};
  for (int64_t k = 0; k < group.count; ++k) {
    each_lane([&](int lane) {
      const float value = group.values[k].at[lane];
      if (std::fabs(value) > std::fabs(extreme.at[lane])) extreme.at[lane] = value;
    });
  }
  const auto try_code = [&](float code) {
    Lanes scale;
    each_lane([&](int lane) { scale.at[lane] = extreme.at[lane] / code; });
    const Line line = stored(group.index, scale, {});
    consider(group, line, best);
    consider(group, fitted(group, line), best);
  };
  const bool wide = group.count > 128;
  const int steps = wide ? 24 : 10;
  const float ratio = wide ? 1.09f : 1.045f;
  float code = wide ? high_ : high_ * 0.9f;
  try_code(high_);
  if (layout_.bits < 8) try_code(low_);
  for (int step = 0; step < steps; ++step, code *= ratio) {
    try_code(code);
    if (layout_.bits < 8) try_code(-code);
  }
}

// Candidates: the plain rule's line, and the range of the values, somewhat wider or shrunk from both ends, from the low
// one or from the high one.
void UniformGrid::try_affine(const Group& group, Best& best) const {
  Lanes least = group.values[0], most = group.values[0];
  for (int64_t k = 1; k < group.count; ++k) {
    each_lane([&](int lane) {
      least.at[lane] = std::min(least.at[lane], group.values[k].at[lane]);
      most.at[lane] = std::max(most.at[lane], group.values[k].at[lane]);
    });
  }
  const auto try_ends = [&](float from_low, float from_high) {
    Lanes scale, base;
    each_lane([&](int lane) {
      const float range = most.at[lane] - least.at[lane];
      base.at[lane] = least.at[lane] + from_low * range;
      scale.at[lane] = range * (1 - from_low - from_high) / high_;
    });
    const Line line = stored(group.index, scale, base);
    consider(group, line, best);
    consider(group, fitted(group, line), best);
  };
  Lanes plain_scale, plain_base;
  each_lane([&](int lane) {
    const PlainLine plain = plain_affine_line(least.at[lane], most.at[lane], high_);
    plain_scale.at[lane] = plain.scale;
    plain_base.at[lane] = plain.base;
  });
  if (!layout_.is_nested()) consider(group, stored(group.index, plain_scale, plain_base), best);  // may be negative
  try_ends(0, 0);
  const float step = high_ < 8 ? 0.05f : 0.025f;
  for (int i = -1; i <= 6; ++i) {
    if (i == 0) continue;
    const float cut = static_cast<float>(i) * step;
    try_ends(cut, cut);
    try_ends(cut, 0);
    try_ends(0, cut);
  }
}

Line UniformGrid::fit_group(const Group& group) const {
  Best best = Best::none();
  layout_.affine ? try_affine(group, best) : try_symmetric(group, best);
  for (int refit = 0; refit < kRefits; ++refit) {
    const Lanes before = best.error;
    consider(group, fitted(group, best.line), best);
    if (std::equal(before.at, before.at + kPanelRows, best.error.at)) break;
  }
  return best.line;
}

void UniformGrid::fit(const Lanes* values, const float* weights) {
  for (size_t group = 0; group < lines_.size(); ++group)
    lines_[group] = fit_group(group_of(static_cast<int64_t>(group), values, weights));
}

void UniformGrid::quantize(int64_t column, const Lanes& values, Lanes& decoded, Lanes& codes) const {
  const Line& line = lines_[static_cast<size_t>(column / width_)];
  const float low = low_, high = high_;
  each_lane([&](int lane) {
    codes.at[lane] = code_of(values.at[lane], line.inverse.at[lane], line.base.at[lane], low, high);
    decoded.at[lane] = codes.at[lane] * line.scale.at[lane] + line.base.at[lane];
  });
}

void UniformGrid::decode(int64_t column, const Lanes& codes, Lanes& decoded) const {
  const Line& line = lines_[static_cast<size_t>(column / width_)];
  each_lane([&](int lane) { decoded.at[lane] = codes.at[lane] * line.scale.at[lane] + line.base.at[lane]; });
}

bool UniformGrid::refit(int64_t group, const LineMoments& moments) {
  Line& line = lines_[static_cast<size_t>(group)];
  Lanes scale = line.scale, base = line.base;
  const auto one_one = static_cast<double>(moments.one_one);
  each_lane([&](int lane) {
    const auto uu = static_cast<double>(moments.code_code.at[lane]),
               u1 = static_cast<double>(moments.code_one.at[lane]);
    const auto ue = static_cast<double>(moments.code_error.at[lane]), e = static_cast<double>(moments.error.at[lane]);
    const double determinant = uu * one_one - u1 * u1;
    if (layout_.affine && determinant > 1e-6 * uu * one_one) {
      scale.at[lane] += static_cast<float>((ue * one_one - e * u1) / determinant);
      base.at[lane] += static_cast<float>((e * uu - ue * u1) / determinant);
    } else if (!layout_.affine && uu > 0) {
      scale.at[lane] += static_cast<float>(ue / uu);
    }
  });
  const Line moved = stored(group, scale, base);
  bool any = false;
  each_lane([&](int lane) {
    const double ds = static_cast<double>(moved.scale.at[lane]) - static_cast<double>(line.scale.at[lane]);
    const double db = static_cast<double>(moved.base.at[lane]) - static_cast<double>(line.base.at[lane]);
    const double change = ds * ds * static_cast<double>(moments.code_code.at[lane]) +
                          2 * ds * db * static_cast<double>(moments.code_one.at[lane]) + db * db * one_one -
                          2 * ds * static_cast<double>(moments.code_error.at[lane]) -
                          2 * db * static_cast<double>(moments.error.at[lane]);
    if (!(change < 0) || moved.scale.at[lane] == 0) return;
    line.scale.at[lane] = moved.scale.at[lane];
    line.inverse.at[lane] = moved.inverse.at[lane];
    line.base.at[lane] = moved.base.at[lane];
    any = true;
  });
  return any;
}

void UniformGrid::write_codes(const Lanes* codes, int64_t rows, const MethodOutput& output) const {
  const int minus = layout_.affine ? layout_.offset : 0;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = 0; k < columns_; ++k)
      output.codes[static_cast<size_t>(row * columns_ + k)] =
          static_cast<int8_t>(static_cast<int>(codes[k].at[row]) - minus);
}

void UniformGrid::write(const Lanes* codes, int64_t rows, const MethodOutput& output) const {
  write_codes(codes, rows, output);
  for (int64_t row = 0; row < rows; ++row) {
    for (size_t group = 0; group < lines_.size(); ++group) {
      const size_t at = static_cast<size_t>(row) * lines_.size() + group;
      output.scales[at] = f32_to_f16(lines_[group].scale.at[row]);
      if (layout_.affine) output.bases[at] = f32_to_f16(lines_[group].base.at[row]);
    }
  }
}

}  // namespace halftone
