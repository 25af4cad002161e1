// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/palette_grid.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "tensor/dtype.h"

namespace halftone {

PaletteGrid::PaletteGrid(const Layout& layout, const MethodInput& input, const SharedPalettes* palettes)
    : layout_(layout),
      columns_(input.columns),
      rows_(input.rows),
      palettes_(palettes),
      first_row_(input.first_row),
      values_(entries()),
      steps_(entries()) {
  std::fill_n(scale_.at, kPanelRows, 1.0f);
  inverse_ = scale_;
  for (int64_t lane = 0; lane < rows_; ++lane) weight_.at[lane] = row_weight(input.statistics, first_row_ + lane);
}

void PaletteGrid::set_entries(int lane, std::span<const uint16_t> bits) {
  const auto vector = static_cast<size_t>(layout_.vector);
  for (size_t u = 0; u < entries(); ++u)
    values_[u].at[lane] = f16_to_f32(bits[u * vector + static_cast<size_t>(lane) % vector]);
}

void PaletteGrid::sort_entries() {
  if (layout_.vector > 1) {
    std::vector<uint16_t> bits(numbers());
    for (size_t i = 0; i < bits.size(); ++i)
      bits[i] = f32_to_f16(values_[i / static_cast<size_t>(vector())].at[i % static_cast<size_t>(vector())]);
    vectors_ = std::make_unique<VectorCoder>(bits, vector());
    return;
  }
  std::vector<size_t> order(entries());
  for (int lane = 0; lane < kPanelRows; ++lane) {
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return values_[a].at[lane] < values_[b].at[lane]; });
    for (size_t i = 0; i < order.size(); ++i) {
      Step& step = steps_[i];
      step.value.at[lane] = values_[order[i]].at[lane];
      step.code.at[lane] = static_cast<float>(order[i]);
      if (i > 0) step.limit.at[lane] = palette_limit(steps_[i - 1].value.at[lane], step.value.at[lane]);
    }
  }
}

void PaletteGrid::fit(const Lanes* values, const float* weights) {
  if (layout_.vector > 1) return fit_vectors(values, weights);
  const std::vector<uint32_t> counts = column_counts({weights, static_cast<size_t>(columns_)});
  const auto row_of = [&](int64_t lane, std::vector<float>& row) {
    for (int64_t k = 0; k < columns_; ++k) row[static_cast<size_t>(k)] = values[k].at[lane];
  };
  std::vector<float> row(static_cast<size_t>(columns_));
  std::vector<int8_t> codes(row.size());
  for (int64_t begin = 0; begin < rows_; begin += lanes_of_palette()) {
    const int64_t end = std::min(begin + lanes_of_palette(), rows_);
    std::vector<uint16_t> bits;
    if (palettes_ != nullptr) {
      const std::span<const uint16_t> own = palettes_->of_panel(layout_, first_row_);
      bits.assign(own.begin(), own.end());
    } else {
      GatheredRows gathered(layout_, columns_, counts);
      for (int64_t lane = begin; lane < end; ++lane) {
        row_of(lane, row);
        gathered.add(row.data(), weight_.at[lane]);
      }
      bits = gathered.entries(layout_.entries(), PaletteSearch::exact);
    }
    const PaletteCoder coder(bits);
    for (int64_t lane = begin; lane < end; ++lane) {
      set_entries(static_cast<int>(lane), bits);
      if (!layout_.scaled) continue;
      row_of(lane, row);
      const float scale = f16_to_f32(encode_scaled(coder, row.data(), columns_, counts, codes.data()));
      scale_.at[lane] = scale;
      inverse_.at[lane] = scale == 0 ? 0 : 1 / scale;
    }
  }
  sort_entries();
}

// Rows go to kmeans.cc's own pieces as they are there: one after the other.
void PaletteGrid::fit_vectors(const Lanes* values, const float* weights) {
  const std::span<const float> column_weights(weights, static_cast<size_t>(columns_));
  std::vector<float> rows(static_cast<size_t>(rows_ * columns_));
  for (int64_t lane = 0; lane < rows_; ++lane)
    for (int64_t k = 0; k < columns_; ++k) rows[static_cast<size_t>(lane * columns_ + k)] = values[k].at[lane];
  std::vector<uint16_t> bits;
  if (palettes_ != nullptr) {
    bits = palettes_->bits;
  } else {
    VectorPoints points(layout_, columns_, column_weights, columns_);
    for (int64_t lane = 0; lane < rows_; lane += vector())
      points.add(rows.data() + lane * columns_, std::min<int64_t>(vector(), rows_ - lane), weight_.at + lane, lane);
    bits = points.entries(PaletteSearch::exact, nullptr);
  }
  for (int lane = 0; lane < kPanelRows; ++lane) set_entries(lane, bits);
  sort_entries();
  if (!layout_.scaled) return;
  std::vector<int8_t> codes(static_cast<size_t>(vector() * columns_));
  std::vector<uint16_t> scales(kPanelRows);
  for (int64_t lane = 0; lane < rows_; lane += vector())
    encode_vectors(layout_, *vectors_, rows.data() + lane * columns_, std::min<int64_t>(vector(), rows_ - lane),
                   columns_, column_weights, weight_.at + lane, codes.data(), scales.data() + lane);
  for (int64_t lane = 0; lane < rows_; ++lane) {
    scale_.at[lane] = f16_to_f32(scales[static_cast<size_t>(lane)]);
    inverse_.at[lane] = scale_.at[lane] == 0 ? 0 : 1 / scale_.at[lane];
  }
}

void PaletteGrid::quantize_vectors(const Lanes& values, Lanes& decoded, Lanes& codes) const {
  PointLanes points;
  for (int lane = 0; lane < kPanelRows; ++lane) {
    const int at = lane / vector(), i = lane % vector();
    points.values[i].at[at] = values.at[lane] * inverse_.at[lane];
    points.weights[i].at[at] = weight_.at[lane] * scale_.at[lane] * scale_.at[lane];
  }
  Lanes found, distances;
  vectors_->nearest(points, kPanelRows / vector(), found, distances);
  for (int lane = 0; lane < kPanelRows; ++lane) {
    codes.at[lane] = found.at[lane / vector()];
    decoded.at[lane] = values_[static_cast<size_t>(codes.at[lane])].at[lane] * scale_.at[lane];
  }
}

void PaletteGrid::compare(const Lanes& wanted, const Lanes& now, const Lanes& value, Lanes& nearer) const {
  Lanes gain;
  for (int lane = 0; lane < kPanelRows; ++lane) {
    const float before = now.at[lane] - wanted.at[lane], after = value.at[lane] - wanted.at[lane];
    gain.at[lane] = weight_.at[lane] * (before * before - after * after);
  }
  for (int lane = 0; lane < kPanelRows; ++lane) {
    float sum = 0;
    for (int i = 0; i < vector(); ++i) sum += gain.at[lane / vector() * vector() + i];
    nearer.at[lane] = sum;
  }
}

void PaletteGrid::quantize(int64_t, const Lanes& values, Lanes& decoded, Lanes& codes) const {
  if (layout_.vector > 1) return quantize_vectors(values, decoded, codes);
  Lanes scaled, value = steps_[0].value, code = steps_[0].code;
  for (int lane = 0; lane < kPanelRows; ++lane) scaled.at[lane] = values.at[lane] * inverse_.at[lane];
  for (size_t i = 1; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    for (int lane = 0; lane < kPanelRows; ++lane) {
      const bool above = scaled.at[lane] > step.limit.at[lane];
      value.at[lane] = above ? step.value.at[lane] : value.at[lane];
      code.at[lane] = above ? step.code.at[lane] : code.at[lane];
    }
  }
  for (int lane = 0; lane < kPanelRows; ++lane) decoded.at[lane] = value.at[lane] * scale_.at[lane];
  codes = code;
}

void PaletteGrid::decode(int64_t, const Lanes& codes, Lanes& decoded) const {
  for (int lane = 0; lane < kPanelRows; ++lane)
    decoded.at[lane] = values_[static_cast<size_t>(codes.at[lane])].at[lane] * scale_.at[lane];
}

void PaletteGrid::write(const Lanes* codes, int64_t rows, const MethodOutput& output) const {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t k = 0; k < columns_; ++k)
      output.codes[static_cast<size_t>(row * columns_ + k)] =
          static_cast<int8_t>(static_cast<int>(codes[k].at[row]) - layout_.offset);
    if (layout_.scaled) output.scales[static_cast<size_t>(row)] = f32_to_f16(scale_.at[row]);
    if (row % lanes_of_palette() != 0) continue;
    for (size_t u = 0; u < entries(); ++u)
      for (int64_t i = 0; i < vector(); ++i)
        output.palettes[number_of(row + i, u)] = f32_to_f16(values_[u].at[row + i]);
  }
}

}  // namespace halftone
