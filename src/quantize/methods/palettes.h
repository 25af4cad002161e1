// SPDX-License-Identifier: Apache-2.0
// Palettes for rows that share them, and the codes of rows that have one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/methods/method.h"
#include "quantize/methods/population.h"

namespace halftone {

enum class PaletteSearch : uint8_t { exact, lloyd };

// `count` entries as f16 bits, ascending; where values are fewer than entries, the last one is repeated.
std::vector<uint16_t> entries_of(const Population& population, int count, PaletteSearch search);

// Codes by comparison with the middles between entries: the greatest float that is not above one decides as it does.
class PaletteCoder {
 public:
  explicit PaletteCoder(std::span<const uint16_t> bits);

  // Signed codes of values * factor, as layouts take them.
  void encode(const float* values, int64_t count, float factor, int8_t* codes) const;
  float value(int8_t code) const {
    return values_[static_cast<size_t>(static_cast<int>(code) + static_cast<int>(values_.size() / 2))];
  }

 private:
  std::vector<float> values_, limits_;
};

// The greatest float that is not above the middle of two entries; infinity where they are equal, so that of entries
// that are repeated only the first is chosen.
float palette_limit(float low, float high);

// Codes and scale (f16 bits) of a row in turn, while the error falls.
uint16_t encode_scaled(const PaletteCoder& coder, const float* values, int64_t count, std::span<const uint32_t> counts,
                       int8_t* codes);

inline constexpr float kGreatestHalf = 65504;

// The root mean square of a row, so that rows that share a palette are alike; 0 for zeros.
float size_of_row(const float* values, int64_t count);
// How much a row counts after it was divided by its size: with the square of that, in steps.
uint64_t count_of_size(float size, float greatest);

// What rows that share a palette add to it. Scaled rows are divided by their size, and count with its square. A row may
// count more than others.
class GatheredRows {
 public:
  GatheredRows(const Layout& layout, int64_t columns, std::span<const uint32_t> counts)
      : scaled_(layout.scaled), columns_(columns), counts_(counts) {}

  void add(const float* row, float weight = 1);
  // Zeros where there are none.
  std::vector<uint16_t> entries(int count, PaletteSearch search);

 private:
  void count_sizes();

  bool scaled_;
  int64_t columns_;
  std::span<const uint32_t> counts_;
  std::vector<float> sizes_;
  std::vector<Population::Value> values_;
};

// Palettes that more rows share than a panel has.
struct SharedPalettes final : Preparation {
  std::vector<uint16_t> bits;
  // That of the panel whose first row it is.
  std::span<const uint16_t> of_panel(const Layout& layout, int64_t first_row) const {
    const auto numbers = static_cast<size_t>(layout.numbers());
    const int64_t number = layout.palette_rows == 0 ? 0 : first_row / layout.palette_rows;
    return std::span(bits).subspan(static_cast<size_t>(number) * numbers, numbers);
  }
};

// Whether they are those of `layout`. REQUIRES: a palette layout.
inline bool shares_beyond_panels(const Layout& layout) {
  return layout.palette_rows == 0 || layout.palette_rows > kPanelRows;
}

}  // namespace halftone
