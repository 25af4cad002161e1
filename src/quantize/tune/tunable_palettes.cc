// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "quantize/products.h"
#include "quantize/tune/tunable.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

// What is learned are the entries; codes and the scales of rows stay. Rows that share a palette share what it learns.
class TunablePalettes final : public Tunable {
 public:
  TunablePalettes(const Layout& layout, int64_t rows, int64_t columns, std::span<const std::byte> panels)
      : layout_(layout),
        rows_(rows),
        columns_(columns),
        rows_per_palette_(layout.palette_rows == 0 ? rows : layout.palette_rows),
        palettes_((rows + rows_per_palette_ - 1) / rows_per_palette_),
        codes_(static_cast<size_t>(rows * columns)),
        scales_(static_cast<size_t>(rows), uint16_t{0}),
        entries_(static_cast<size_t>(palettes_ * layout.numbers())),
        units_(static_cast<size_t>(palettes_)),
        adam_(entries_.size()) {
    const auto panel_bytes = static_cast<size_t>(layout.panel_bytes(columns));
    for (int64_t row = 0; row < rows; ++row) {
      const auto panel = panels.subspan(static_cast<size_t>(layout.panel_at(row / kPanelRows, columns)), panel_bytes);
      read_row(panel, layout.head_bytes() > 0 ? panels : panel, row);
    }
    for (int64_t palette = 0; palette < palettes_; ++palette) {
      float sum = 0;
      for (int i = 0; i < layout.numbers(); ++i) sum += std::fabs(entries_[first_of(palette) + static_cast<size_t>(i)]);
      units_[static_cast<size_t>(palette)] = sum / static_cast<float>(layout.numbers());
    }
  }

  void decode(ThreadPool& pool, float* out) const override {
    for_rows(pool, rows_, columns_, [&](int64_t row) {
      const float scale = scale_of(row);
      for (int64_t k = 0; k < columns_; ++k) {
        const float entry = entries_[at(row, code(row, k))];
        out[row * columns_ + k] = rounded_to_f16(entry) * scale;
      }
    });
  }

  void learn(std::span<const float> gradient, float rate, ThreadPool& pool) override {
    adam_.begin_step();
    for_rows(pool, palettes_, rows_per_palette_ * columns_,
             [&](int64_t palette) { learn_palette(palette, gradient, rate); });
  }

  void store(std::span<std::byte> out) const override {
    const auto panel_bytes = static_cast<size_t>(layout_.panel_bytes(columns_));
    std::vector<int8_t> codes(static_cast<size_t>(kPanelRows * columns_));
    std::vector<uint16_t> palettes(static_cast<size_t>(layout_.panel_palettes() * layout_.numbers()));
    for (int64_t first = 0; first < rows_; first += kPanelRows) {
      const int64_t rows = std::min<int64_t>(kPanelRows, rows_ - first);
      std::fill(codes.begin(), codes.end(), int8_t{0});
      std::copy_n(codes_.data() + first * columns_, rows * columns_, codes.data());
      for (int64_t row = rows; row % layout_.vector != 0; ++row)  // a vector that the matrix ends in
        std::copy_n(codes.data() + (row - 1) * columns_, columns_, codes.data() + row * columns_);
      for (int i = 0; i < layout_.panel_palettes(); ++i) {
        // Rows beyond the matrix take the last palette, whose numbers nobody reads.
        const int64_t row = std::min(rows_ - 1, first + int64_t{i} * layout_.rows_of_palette());
        for (int number = 0; number < layout_.numbers(); ++number)
          palettes[static_cast<size_t>(i * layout_.numbers() + number)] =
              f32_to_f16(entries_[first_of(row / rows_per_palette_) + static_cast<size_t>(number)]);
      }
      if (first == 0 && layout_.head_bytes() > 0)
        std::memcpy(out.data(), palettes.data(), static_cast<size_t>(layout_.head_bytes()));
      std::vector<uint16_t> scales(kPanelRows, 0);
      std::copy_n(scales_.data() + first, rows, scales.data());
      layout_.pack_panel({.columns = columns_,
                          .values = nullptr,
                          .codes = codes.data(),
                          .scales = scales.data(),
                          .palettes = palettes.data()},
                         out.subspan(static_cast<size_t>(layout_.panel_at(first / kPanelRows, columns_)), panel_bytes));
    }
  }

 private:
  size_t first_of(int64_t palette) const { return static_cast<size_t>(palette * layout_.numbers()); }
  // The number that code u means in a row.
  size_t at(int64_t row, int64_t u) const {
    return first_of(row / rows_per_palette_) + static_cast<size_t>(u * layout_.vector + row % layout_.vector);
  }
  int code(int64_t row, int64_t k) const { return codes_[static_cast<size_t>(row * columns_ + k)] + layout_.offset; }
  float scale_of(int64_t row) const { return layout_.scaled ? f16_to_f32(scales_[static_cast<size_t>(row)]) : 1.0f; }

  void read_row(std::span<const std::byte> panel, std::span<const std::byte> palettes, int64_t row) {
    const auto r = static_cast<int>(row % kPanelRows);
    layout_.unpack_codes(panel, r, columns_, codes_.data() + row * columns_);
    if (layout_.scaled) scales_[static_cast<size_t>(row)] = f32_to_f16(half_at(panel, layout_.scale_at(0, r)));
    for (int u = 0; u < layout_.entries(); ++u) entries_[at(row, u)] = half_at(palettes, layout_.entry_at(u, r));
  }

  void learn_palette(int64_t palette, std::span<const float> gradient, float rate) {
    std::vector<float> sums(static_cast<size_t>(layout_.numbers()), 0.0f);
    const size_t first = first_of(palette);
    const int64_t end = std::min(rows_, (palette + 1) * rows_per_palette_);
    for (int64_t row = palette * rows_per_palette_; row < end; ++row) {
      const float scale = scale_of(row);
      for (int64_t k = 0; k < columns_; ++k)
        sums[at(row, code(row, k)) - first] += gradient[static_cast<size_t>(row * columns_ + k)] * scale;
    }
    const float step = rate * units_[static_cast<size_t>(palette)];
    for (size_t i = 0; i < sums.size(); ++i) entries_[first + i] -= step * adam_.direction(first + i, sums[i]);
  }

  const Layout& layout_;
  int64_t rows_, columns_, rows_per_palette_, palettes_;
  std::vector<int8_t> codes_;     // (rows, columns)
  std::vector<uint16_t> scales_;  // (rows), where rows have them
  std::vector<float> entries_;    // (palettes, numbers)
  std::vector<float> units_;      // (palettes): the mean size of an entry, what `rate` is relative to
  Adam adam_;
};

}  // namespace

std::unique_ptr<Tunable> make_tunable_palettes(const Layout& layout, int64_t rows, int64_t columns,
                                               std::span<const std::byte> panels) {
  return std::make_unique<TunablePalettes>(layout, rows, columns, panels);
}

}  // namespace halftone
