// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>

#include "quantize/products.h"
#include "quantize/tune/tunable.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

// One f16 number per row and group, or per row and 256 columns where scales are nested: what is learned.
// The scale of a group is its number times a factor, which stays: 1, or the byte of a nested layout.
struct Numbers {
  std::vector<float> values, units;  // (rows, count); a unit is what `rate` is relative to
  std::vector<float> factors;        // (rows, groups)
  std::vector<uint8_t> bytes;        // (rows, groups), of nested layouts: factors as stored
  Adam adam{0};
};

class TunableScales final : public Tunable {
 public:
  TunableScales(const Layout& layout, int64_t rows, int64_t columns, std::span<const std::byte> panels)
      : layout_(layout),
        rows_(rows),
        columns_(columns),
        groups_(layout.groups(columns)),
        count_(layout.scale_count(columns)),
        per_number_(layout.is_nested() ? layout.super / layout.group : 1),
        codes_(static_cast<size_t>(rows * columns)) {
    reserve(scales_);
    if (layout.affine) reserve(bases_);
    const auto panel_bytes = static_cast<size_t>(layout.panel_bytes(columns));
    for (int64_t row = 0; row < rows; ++row)
      read_row(panels.subspan(static_cast<size_t>(row / kPanelRows) * panel_bytes, panel_bytes), row);
  }

  void decode(ThreadPool& pool, float* out) const override {
    for_rows(pool, rows_, columns_, [&](int64_t row) {
      for (int64_t group = 0; group < groups_; ++group) {
        const float scale = number(scales_, row, group), base = layout_.affine ? number(bases_, row, group) : 0;
        const auto [begin, end] = columns_of(group);
        for (int64_t k = begin; k < end; ++k) out[row * columns_ + k] = code(row, k) * scale + base;
      }
    });
  }

  void learn(std::span<const float> gradient, float rate, ThreadPool& pool) override {
    scales_.adam.begin_step();
    bases_.adam.begin_step();
    for_rows(pool, rows_, columns_, [&](int64_t row) {
      for (int64_t i = 0; i < count_; ++i) learn_number(row, i, gradient, rate);
    });
  }

  void store(std::span<std::byte> out) const override {
    const auto panel_bytes = static_cast<size_t>(layout_.panel_bytes(columns_));
    for (int64_t first = 0; first < rows_; first += kPanelRows)
      store_panel(first, out.subspan(static_cast<size_t>(first / kPanelRows) * panel_bytes, panel_bytes));
  }

 private:
  struct Range {
    int64_t begin, end;
  };
  Range columns_of(int64_t group) const {
    const int64_t width = layout_.group == 0 ? columns_ : layout_.group;
    return {group * width, std::min(columns_, (group + 1) * width)};
  }
  // The code as it is multiplied: signed, or as stored where a base goes with it.
  float code(int64_t row, int64_t k) const { return static_cast<float>(codes_[at(row, columns_, k)]); }
  float number(const Numbers& of, int64_t row, int64_t group) const {
    return rounded_to_f16(of.values[at(row, count_, group / per_number_)]) * of.factors[at(row, groups_, group)];
  }
  static size_t at(int64_t row, int64_t width, int64_t i) { return static_cast<size_t>(row * width + i); }

  void reserve(Numbers& numbers) const {
    numbers.values.resize(static_cast<size_t>(rows_ * count_));
    numbers.units.resize(numbers.values.size());
    numbers.factors.assign(static_cast<size_t>(rows_ * groups_), 1.0f);
    if (layout_.is_nested()) numbers.bytes.resize(numbers.factors.size());
    numbers.adam = Adam(numbers.values.size());
  }

  void read_row(std::span<const std::byte> panel, int64_t row) {
    const auto r = static_cast<int>(row % kPanelRows);
    std::vector<int8_t> codes(static_cast<size_t>(columns_));
    layout_.unpack_codes(panel, r, columns_, codes.data());
    const int plus = layout_.affine ? layout_.offset : 0;
    for (int64_t k = 0; k < columns_; ++k)
      codes_[at(row, columns_, k)] = static_cast<int16_t>(codes[static_cast<size_t>(k)] + plus);
    for (int64_t i = 0; i < count_; ++i) {
      const size_t to = at(row, count_, i);
      const float scale = half_at(panel, layout_.scale_at(i, r));
      scales_.values[to] = scale;
      scales_.units[to] = std::fabs(scale);
      if (!layout_.affine) continue;
      bases_.values[to] = half_at(panel, layout_.base_at(i, r));
      // Half the range that codes span; where both levels are stored, the number has a size of its own.
      bases_.units[to] = layout_.is_nested() ? std::fabs(bases_.values[to])
                                             : std::fabs(scale) * static_cast<float>(layout_.offset) / 2;
    }
    for (int64_t group = 0; layout_.is_nested() && group < groups_; ++group) read_bytes(panel, row, group);
  }

  void read_bytes(std::span<const std::byte> panel, int64_t row, int64_t group) {
    const auto r = static_cast<int>(row % kPanelRows);
    const size_t to = at(row, groups_, group);
    scales_.bytes[to] = static_cast<uint8_t>(panel[static_cast<size_t>(layout_.sub_scale_at(group, r))]);
    scales_.factors[to] =
        static_cast<float>(layout_.affine ? int{scales_.bytes[to]} : int{static_cast<int8_t>(scales_.bytes[to])});
    if (!layout_.affine) return;
    bases_.bytes[to] = static_cast<uint8_t>(panel[static_cast<size_t>(layout_.sub_base_at(group, r))]);
    bases_.factors[to] = -static_cast<float>(bases_.bytes[to]);
  }

  void learn_number(int64_t row, int64_t i, std::span<const float> gradient, float rate) {
    float of_scale = 0, of_base = 0;
    const int64_t last = std::min(groups_, (i + 1) * per_number_);
    for (int64_t group = i * per_number_; group < last; ++group) {
      const auto [begin, end] = columns_of(group);
      float with_codes = 0, alone = 0;
      for (int64_t k = begin; k < end; ++k) {
        const float one = gradient[at(row, columns_, k)];
        with_codes += one * code(row, k);
        alone += one;
      }
      of_scale += with_codes * scales_.factors[at(row, groups_, group)];
      if (layout_.affine) of_base += alone * bases_.factors[at(row, groups_, group)];
    }
    const size_t to = at(row, count_, i);
    scales_.values[to] -= rate * scales_.units[to] * scales_.adam.direction(to, of_scale);
    if (layout_.affine) bases_.values[to] -= rate * bases_.units[to] * bases_.adam.direction(to, of_base);
  }

  void store_panel(int64_t first, std::span<std::byte> panel) const {
    const int64_t rows = std::min<int64_t>(kPanelRows, rows_ - first);
    std::vector<int8_t> codes(static_cast<size_t>(kPanelRows * columns_));
    const int minus = layout_.affine ? layout_.offset : 0;
    for (int64_t i = 0; i < rows * columns_; ++i)
      codes[static_cast<size_t>(i)] = static_cast<int8_t>(codes_[at(first, columns_, i)] - minus);
    std::vector<uint16_t> scales = halves(scales_, first, rows), bases;
    std::vector<uint8_t> sub_scales = bytes(scales_, first, rows), sub_bases;
    if (layout_.affine) {
      bases = halves(bases_, first, rows);
      sub_bases = bytes(bases_, first, rows);
    }
    layout_.pack_panel(
        {columns_, nullptr, codes.data(), scales.data(), bases.data(), sub_scales.data(), sub_bases.data()}, panel);
  }
  std::vector<uint16_t> halves(const Numbers& of, int64_t first, int64_t rows) const {
    std::vector<uint16_t> bits(static_cast<size_t>(kPanelRows * count_));
    for (int64_t i = 0; i < rows * count_; ++i)
      bits[static_cast<size_t>(i)] = f32_to_f16(of.values[at(first, count_, i)]);
    return bits;
  }
  std::vector<uint8_t> bytes(const Numbers& of, int64_t first, int64_t rows) const {
    if (!layout_.is_nested()) return {};
    std::vector<uint8_t> bytes(static_cast<size_t>(kPanelRows * groups_));
    std::copy_n(of.bytes.data() + first * groups_, rows * groups_, bytes.data());
    return bytes;
  }

  const Layout& layout_;
  int64_t rows_, columns_, groups_, count_, per_number_;
  std::vector<int16_t> codes_;  // (rows, columns), as they are multiplied
  Numbers scales_, bases_;
};

}  // namespace

std::unique_ptr<Tunable> make_tunable_scales(const Layout& layout, int64_t rows, int64_t columns,
                                             std::span<const std::byte> panels) {
  return std::make_unique<TunableScales>(layout, rows, columns, panels);
}

}  // namespace halftone
