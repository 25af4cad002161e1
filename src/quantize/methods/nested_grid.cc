// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "quantize/methods/uniform_grid.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr float kMostAffineByte = 63;  // GGUF has 6 bits for it

float byte_of(float value, float unit, float least, float most) {
  if (unit == 0 || !std::isfinite(unit)) return 0;  // infinity: the caller refuses the numbers anyway
  return std::clamp(std::nearbyint(value / unit), least, most);
}

}  // namespace

NestedGrid::NestedGrid(const Layout& layout, int64_t columns)
    : UniformGrid(layout, columns),
      least_byte_(layout.affine ? 0 : -128),
      most_byte_(layout.affine ? kMostAffineByte : 127),
      upper_(static_cast<size_t>(layout.scale_count(columns))) {}

Line NestedGrid::stored(int64_t group, const Lanes& scale, const Lanes& base) const {
  if (free_) return UniformGrid::stored(group, scale, base);
  const Upper& upper = upper_of(group);
  Lanes scales, bases = {};
  for (int lane = 0; lane < kPanelRows; ++lane) {
    const float d = upper.scale.at[lane], dmin = upper.base.at[lane];
    scales.at[lane] = d * byte_of(scale.at[lane], d, least_byte_, most_byte_);
    if (layout_.affine) bases.at[lane] = -(dmin * byte_of(-base.at[lane], dmin, 0, most_byte_));
  }
  return Line::of(scales, bases);
}

// The largest scale of 256 columns is the last byte (the lowest one where bytes are signed: it reaches further), and so
// is the lowest base; bases above zero become zero.
void NestedGrid::choose_upper() {
  std::fill(upper_.begin(), upper_.end(), Upper{});
  for (size_t group = 0; group < lines_.size(); ++group) {
    Upper& upper = upper_[group * static_cast<size_t>(width_) / static_cast<size_t>(layout_.super)];
    for (int lane = 0; lane < kPanelRows; ++lane) {
      const float scale = lines_[group].scale.at[lane];
      if (std::fabs(scale) > std::fabs(upper.scale.at[lane])) upper.scale.at[lane] = scale;
      upper.base.at[lane] = std::max(upper.base.at[lane], -lines_[group].base.at[lane]);
    }
  }
  for (Upper& upper : upper_) {
    for (int lane = 0; lane < kPanelRows; ++lane) {
      upper.scale.at[lane] = rounded_to_f16(upper.scale.at[lane] / (layout_.affine ? most_byte_ : least_byte_));
      upper.base.at[lane] = rounded_to_f16(upper.base.at[lane] / most_byte_);
    }
  }
}

Line NestedGrid::search_bytes(const Group& group) const {
  const Upper& upper = upper_of(group.index);
  const auto around = [&](const Line& line, Best& best) {
    for (int s = -1; s <= 1; ++s) {
      for (int m = layout_.affine ? -1 : 0; m <= (layout_.affine ? 1 : 0); ++m) {
        Lanes scale, base;
        for (int lane = 0; lane < kPanelRows; ++lane) {
          scale.at[lane] = line.scale.at[lane] + static_cast<float>(s) * upper.scale.at[lane];
          base.at[lane] = line.base.at[lane] + static_cast<float>(m) * upper.base.at[lane];
        }
        consider(group, stored(group.index, scale, base), best);
      }
    }
  };
  Best best = Best::none();
  around(lines_[static_cast<size_t>(group.index)], best);
  around(fitted(group, best.line), best);
  return best.line;
}

void NestedGrid::fit(const Lanes* values, const float* weights) {
  free_ = true;
  UniformGrid::fit(values, weights);
  choose_upper();
  free_ = false;
  for (size_t group = 0; group < lines_.size(); ++group)
    lines_[group] = search_bytes(group_of(static_cast<int64_t>(group), values, weights));
}

void NestedGrid::write(const Lanes* codes, int64_t rows, const MethodOutput& output) const {
  write_codes(codes, rows, output);
  for (int64_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < upper_.size(); ++i) {
      const size_t at = static_cast<size_t>(row) * upper_.size() + i;
      output.scales[at] = f32_to_f16(upper_[i].scale.at[row]);
      if (layout_.affine) output.bases[at] = f32_to_f16(upper_[i].base.at[row]);
    }
    for (size_t group = 0; group < lines_.size(); ++group) {
      const size_t at = static_cast<size_t>(row) * lines_.size() + group;
      const Upper& upper = upper_of(static_cast<int64_t>(group));
      const float s = byte_of(lines_[group].scale.at[row], upper.scale.at[row], least_byte_, most_byte_);
      output.sub_scales[at] = static_cast<uint8_t>(static_cast<int>(s));
      if (layout_.affine)
        output.sub_bases[at] =
            static_cast<uint8_t>(byte_of(-lines_[group].base.at[row], upper.base.at[row], 0, most_byte_));
    }
  }
}

}  // namespace halftone
