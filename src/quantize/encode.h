// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "halftone/status.h"
#include "quantize/assign.h"

namespace halftone {

// What packing one panel did to its weights, or where it could not be done.
struct PanelResult {
  enum class Problem : uint8_t { none, not_finite, overflow, scale, palette };
  double error_squared = 0, weight_squared = 0;
  float max_error = 0;
  Problem problem = Problem::none;
  int64_t row = 0, column = 0;  // of the first problem; column: of the group's first weight for a scale
  float value = 0;              // the weight at that place
};

// What a method knows of the matrix, or of a run of its rows (InputStatistics::runs), beside the rows of a panel.
struct Guidance {
  InputStatistics statistics;
  const Preparation* preparation = nullptr;
};

// What the sums of a tensor's panels become.
struct Totals {
  double error_squared = 0, weight_squared = 0;
  float max_error = 0;
};

// Stored panels of a tensor against its source.
Totals measure(const Assignment& assignment, std::span<const std::byte> panels);

// Encodes panels of 16 rows. One per thread.
class PanelEncoder {
 public:
  // Rows 16 * panel ... of the source into `out`, the layout's panel_bytes; `guidance`: of equal runs of rows, or
  // nothing. REQUIRES: assignment.layout != null; one run where a palette serves several rows.
  PanelResult encode(const Assignment& assignment, std::span<const Guidance> guidance, int64_t panel,
                     std::span<std::byte> out);
  // What precedes the panels of the layout, each of which would give it; empty where nothing does.
  std::span<const std::byte> head(const Layout& layout) const {
    return std::as_bytes(std::span(palettes_)).first(static_cast<size_t>(layout.head_bytes()));
  }

 private:
  void read_rows(const WeightView& source, int64_t panel);
  void choose(const Assignment& assignment, std::span<const Guidance> guidance, int64_t panel);
  void encode_codes(const Assignment& assignment, std::span<const Guidance> guidance, int64_t panel,
                    std::span<std::byte> out, PanelResult& result);
  void encode_palettes(const Assignment& assignment, const Guidance& guidance, int64_t panel, std::span<std::byte> out,
                       PanelResult& result);
  void measure_decoded(const Layout& layout, int64_t columns, std::span<const std::byte> panel, PanelResult& result);
  void encode_floats(const Assignment& assignment, const WeightView& source, std::span<std::byte> out,
                     PanelResult& result);

  std::vector<float> values_, decoded_;
  std::vector<int8_t> codes_;
  std::vector<uint16_t> scales_, bases_, palettes_;
  std::vector<uint8_t> sub_scales_, sub_bases_;
  int64_t rows_ = 0;  // of the panel that exist
};

// The problem in words: file, tensor, place, what to do.
Status describe(const PanelResult& result, const Assignment& assignment);

}  // namespace halftone
