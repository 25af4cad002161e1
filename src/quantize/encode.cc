// SPDX-License-Identifier: Apache-2.0
#include "quantize/encode.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int kLanes = 16;
constexpr uint32_t kExponent = 0x7f800000;
constexpr uint16_t kF16Infinity = 0x7c00;

// Sums of squares in fixed lanes: vectorisable, and the same on every machine.
struct Measure {
  float error[kLanes] = {}, weight[kLanes] = {}, largest[kLanes] = {};

  void add(int lane, float value, float decoded) {
    const float difference = decoded - value;
    const float magnitude = std::fabs(difference);
    error[lane] += difference * difference;
    weight[lane] += value * value;
    largest[lane] = magnitude > largest[lane] ? magnitude : largest[lane];
  }
  void finish(PanelResult& result) const {
    for (int lane = 0; lane < kLanes; ++lane) {
      result.error_squared += static_cast<double>(error[lane]);
      result.weight_squared += static_cast<double>(weight[lane]);
      result.max_error = std::max(result.max_error, largest[lane]);
    }
  }
};

// A code decodes to float(code + plus) * scale + base: the value of tensor/layout.h, for both kinds of layout.
void measure_codes(const float* values, const int8_t* codes, int64_t count, int plus, float scale, float base,
                   Measure& measure) {
  const auto decoded = [&](int64_t k) { return static_cast<float>(codes[k] + plus) * scale + base; };
  int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) measure.add(lane, values[k + lane], decoded(k + lane));
  for (int lane = 0; k < count; ++k, ++lane) measure.add(lane, values[k], decoded(k));
}

void measure_floats(const float* values, const float* decoded, int64_t count, Measure& measure) {
  int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) measure.add(lane, values[k + lane], decoded[k + lane]);
  for (int lane = 0; k < count; ++k, ++lane) measure.add(lane, values[k], decoded[k]);
}

bool all_finite(const float* values, int64_t count) {
  uint32_t bad = 0;
  for (int64_t k = 0; k < count; ++k) bad |= (std::bit_cast<uint32_t>(values[k]) & kExponent) == kExponent ? 1u : 0u;
  return bad == 0;
}

// The first value of `candidates` that is not finite, told with the weight at its place.
void report_first(PanelResult::Problem problem, const float* candidates, const std::vector<float>& values,
                  int64_t columns, PanelResult& result) {
  int64_t at = 0;
  while (std::isfinite(candidates[at])) ++at;
  result.problem = problem;
  result.row += at / columns;
  result.column = at % columns;
  result.value = values[static_cast<size_t>(at)];
}

}  // namespace

void PanelEncoder::read_rows(const WeightView& source, int64_t panel) {
  const size_t size = static_cast<size_t>(source.columns) * kPanelRows;
  if (values_.size() != size) values_.assign(size, 0.0f);
  rows_ = std::min<int64_t>(kPanelRows, source.rows - panel * kPanelRows);
  for (int64_t r = 0; r < rows_; ++r) decode_row(source, panel * kPanelRows + r, values_.data() + r * source.columns);
  std::fill(values_.begin() + rows_ * source.columns, values_.end(), 0.0f);
}

PanelResult PanelEncoder::encode(const Assignment& assignment, std::span<const Guidance> guidance, int64_t panel,
                                 std::span<std::byte> out) {
  static const Guidance kNothing;
  if (guidance.empty()) guidance = {&kNothing, 1};
  const WeightView source = assignment.source->view();
  read_rows(source, panel);
  PanelResult result;
  result.row = panel * kPanelRows;
  if (!all_finite(values_.data(), rows_ * source.columns)) {
    report_first(PanelResult::Problem::not_finite, values_.data(), values_, source.columns, result);
  } else if (assignment.layout->is_float()) {
    encode_floats(assignment, source, out, result);
  } else if (assignment.layout->is_palette()) {
    encode_palettes(assignment, guidance[0], panel, out, result);
  } else {
    encode_codes(assignment, guidance, panel, out, result);
  }
  return result;
}

// The rows of each run by themselves.
void PanelEncoder::choose(const Assignment& assignment, std::span<const Guidance> guidance, int64_t panel) {
  const Layout& layout = *assignment.layout;
  const WeightView source = assignment.source->view();
  const int64_t columns = source.columns, count = layout.scale_count(columns), groups = layout.groups(columns);
  const int64_t first = panel * kPanelRows, run_rows = source.rows / std::ssize(guidance);
  for (int64_t row = 0, end = 0; row < rows_; row = end) {
    const int64_t run = (first + row) / run_rows, begin = run * run_rows;
    end = std::min(rows_, begin + run_rows - first);
    const Guidance& known = guidance[static_cast<size_t>(run)];
    const auto from = [&](auto& numbers, int64_t width) {
      return std::span(numbers).subspan(numbers.empty() ? 0 : static_cast<size_t>(row * width));
    };
    const auto values = std::span<const float>(values_).subspan(static_cast<size_t>(row * columns),
                                                                static_cast<size_t>((end - row) * columns));
    assignment.method->choose(layout,
                              {values, end - row, columns, known.statistics, known.preparation, first + row - begin},
                              {from(codes_, columns), from(scales_, count), from(bases_, count),
                               from(sub_scales_, groups), from(sub_bases_, groups)});
  }
}

void PanelEncoder::encode_codes(const Assignment& assignment, std::span<const Guidance> guidance, int64_t panel,
                                std::span<std::byte> out, PanelResult& result) {
  const Layout& layout = *assignment.layout;
  const int64_t columns = assignment.source->view().columns, groups = layout.groups(columns);
  const int64_t count = layout.scale_count(columns), width = layout.group == 0 ? columns : layout.group;
  const int64_t span = layout.is_nested() ? layout.super : width;
  codes_.assign(values_.size(), 0);
  scales_.assign(static_cast<size_t>(count * kPanelRows), 0);
  bases_.assign(layout.affine ? scales_.size() : 0, 0);
  sub_scales_.assign(layout.is_nested() ? static_cast<size_t>(groups * kPanelRows) : 0, 0);
  sub_bases_.assign(layout.affine ? sub_scales_.size() : 0, 0);
  choose(assignment, guidance, panel);
  for (size_t at = 0; at < static_cast<size_t>(rows_ * count); ++at) {
    const uint16_t base = layout.affine ? bases_[at] : uint16_t{0};
    if ((scales_[at] & kF16Infinity) != kF16Infinity && (base & kF16Infinity) != kF16Infinity) continue;
    result.problem = PanelResult::Problem::scale;
    result.row += static_cast<int64_t>(at) / count;
    result.column = static_cast<int64_t>(at) % count * span;
    result.value =
        values_[at / static_cast<size_t>(count) * static_cast<size_t>(columns) + static_cast<size_t>(result.column)];
    return;
  }
  layout.pack_panel(
      {columns, nullptr, codes_.data(), scales_.data(), bases_.data(), sub_scales_.data(), sub_bases_.data()}, out);
  Measure measure;
  for (int64_t r = 0; r < rows_; ++r) {
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t begin = r * columns + group * width;
      const float base = layout.affine ? layout.base_of(out, group, static_cast<int>(r)) : 0;
      measure_codes(values_.data() + begin, codes_.data() + begin, std::min(width, columns - group * width),
                    layout.affine ? layout.offset : 0, layout.scale_of(out, group, static_cast<int>(r)), base, measure);
    }
  }
  measure.finish(result);
}

void PanelEncoder::encode_palettes(const Assignment& assignment, const Guidance& guidance, int64_t panel,
                                   std::span<std::byte> out, PanelResult& result) {
  const Layout& layout = *assignment.layout;
  const int64_t columns = assignment.source->view().columns;
  codes_.assign(values_.size(), 0);
  scales_.assign(static_cast<size_t>(layout.scale_count(columns) * kPanelRows), 0);
  palettes_.assign(static_cast<size_t>(layout.panel_palettes() * layout.numbers()), 0);
  const auto values = std::span(values_).first(static_cast<size_t>(rows_ * columns));
  assignment.method->choose(layout,
                            {values, rows_, columns, guidance.statistics, guidance.preparation, panel * kPanelRows},
                            {.codes = codes_, .scales = scales_, .palettes = palettes_});
  for (int64_t row = rows_; row % layout.vector != 0; ++row)  // a vector that the matrix ends in
    std::copy_n(codes_.begin() + (row - 1) * columns, columns, codes_.begin() + row * columns);
  const auto infinite = [](uint16_t bits) { return (bits & kF16Infinity) == kF16Infinity; };
  if (std::any_of(palettes_.begin(), palettes_.end(), infinite) ||
      std::any_of(scales_.begin(), scales_.end(), infinite)) {
    const auto largest =
        std::max_element(values.begin(), values.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
    result.problem = PanelResult::Problem::palette;
    result.row += (largest - values.begin()) / columns;
    result.column = (largest - values.begin()) % columns;
    result.value = *largest;
    return;
  }
  PanelSource packed = {columns, nullptr, codes_.data(), scales_.data()};
  packed.palettes = palettes_.data();
  layout.pack_panel(packed, out);
  measure_decoded(layout, columns, out, result);
}

void PanelEncoder::measure_decoded(const Layout& layout, int64_t columns, std::span<const std::byte> panel,
                                   PanelResult& result) {
  decoded_.resize(values_.size());
  for (int r = 0; r < rows_; ++r) layout.decode_row(panel, r, columns, decoded_.data() + r * columns, head(layout));
  if (!all_finite(decoded_.data(), rows_ * columns)) {
    report_first(PanelResult::Problem::overflow, decoded_.data(), values_, columns, result);
    return;
  }
  Measure measure;
  measure_floats(values_.data(), decoded_.data(), rows_ * columns, measure);
  measure.finish(result);
}

void PanelEncoder::encode_floats(const Assignment& assignment, const WeightView& source, std::span<std::byte> out,
                                 PanelResult& result) {
  const Layout& layout = *assignment.layout;
  const int64_t columns = source.columns;
  layout.pack_panel({columns, values_.data(), nullptr, nullptr}, out);
  measure_decoded(layout, columns, out, result);
}

Totals measure(const Assignment& assignment, std::span<const std::byte> panels) {
  const WeightView source = assignment.source->view();
  const WeightView stored{assignment.layout, Order::panel16, source.rows, source.columns, panels};
  std::vector<float> values(static_cast<size_t>(source.columns)), decoded(values.size());
  PanelResult sums;
  for (int64_t row = 0; row < source.rows; ++row) {
    decode_row(source, row, values.data());
    decode_row(stored, row, decoded.data());
    Measure measure;
    measure_floats(values.data(), decoded.data(), source.columns, measure);
    measure.finish(sums);
  }
  return {sums.error_squared, sums.weight_squared, sums.max_error};
}

Status describe(const PanelResult& result, const Assignment& assignment) {
  const std::string where =
      fmt::format("[quantize] {}: tensor '{}'", assignment.source->file.string(), assignment.source->name);
  switch (result.problem) {
    case PanelResult::Problem::none:
      break;
    case PanelResult::Problem::not_finite:
      return invalid_input(
          "{}: expected finite weights, got {} at row {}, column {}; the file is damaged or the training diverged",
          where, std::isnan(result.value) ? "NaN" : "infinity", result.row, result.column);
    case PanelResult::Problem::overflow:
      return invalid_input(
          "{}: expected weights that fit {}, got {} at row {}, column {}; use layout bf16 or keep for this tensor",
          where, assignment.layout->name, result.value, result.row, result.column);
    case PanelResult::Problem::scale:
      return invalid_input(
          "{}: expected groups whose scale fits f16, got too large weights at row {} from column {} on; use layout "
          "bf16 or keep for this tensor",
          where, result.row, result.column);
    case PanelResult::Problem::palette:
      return invalid_input(
          "{}: expected weights whose palette fits f16, got {} at row {}, column {}; use layout bf16 or keep for this "
          "tensor",
          where, result.value, result.row, result.column);
  }
  return {};
}

}  // namespace halftone
