// SPDX-License-Identifier: Apache-2.0
#include "formats/check.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;
constexpr uint16_t kF16Exponent = 0x7c00, kBf16Exponent = 0x7f80;
constexpr uint32_t kF32Exponent = 0x7f800000;

// An exponent of all ones is NaN or infinity. One pass without branches, so that it runs at the speed of memory.
template <class Bits>
bool all_finite(std::span<const std::byte> bytes, Bits exponent) {
  unsigned bad = 0;
  const size_t count = bytes.size() / sizeof(Bits);
  for (size_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, bytes.data() + i * sizeof(Bits), sizeof(Bits));
    bad |= static_cast<unsigned>((bits & exponent) == exponent);
  }
  return bad == 0;
}

bool all_finite(LayoutId layout, std::span<const std::byte> bytes) {
  if (layout == LayoutId::f32) return all_finite<uint32_t>(bytes, kF32Exponent);
  return all_finite<uint16_t>(bytes, layout == LayoutId::bf16 ? kBf16Exponent : kF16Exponent);
}

// Any number of dimensions as a matrix: the last one is columns.
WeightView flat_view(const StoredTensor& tensor) {
  WeightView view;
  view.layout = tensor.layout;
  view.order = tensor.order;
  view.columns = tensor.shape.empty() ? 1 : tensor.shape.back();
  view.rows = view.columns == 0 ? 0 : tensor.elements() / view.columns;
  view.data = tensor.data;
  return view;
}

// Units are rows, or panels of 16 rows; each begins with `runs` of `checked` bytes, run_stride apart.
struct Units {
  int64_t count, stride, checked, runs = 1, run_stride = 0;
};

Units units_of(const WeightView& view) {
  if (view.order == Order::rows) {
    const int64_t bytes = view.layout->bytes(1, view.columns, Order::rows);
    return {view.rows, bytes, bytes};
  }
  const Layout& layout = *view.layout;
  const int64_t bytes = layout.panel_bytes(view.columns), count = (view.rows + kPanelRows - 1) / kPanelRows;
  if (layout.is_float()) return {count, bytes, bytes};
  if (!layout.is_nested()) return {count, bytes, layout.scale_bytes(view.columns)};
  return {count, bytes, kPanelRows * (layout.affine ? 4 : 2), layout.scale_count(view.columns), layout.scale_at(1, 0)};
}

std::string_view kind_of(float value) { return std::isnan(value) ? "NaN" : "infinity"; }

Status describe_weight(const StoredTensor& tensor, const WeightView& view, int64_t first_row) {
  std::vector<float> row(static_cast<size_t>(view.columns));
  for (int64_t r = first_row; r < std::min(view.rows, first_row + kPanelRows); ++r) {
    decode_row(view, r, row.data());
    for (int64_t k = 0; k < view.columns; ++k)
      if (const float value = row[static_cast<size_t>(k)]; !std::isfinite(value))
        return invalid_input(
            "[model] {}: tensor '{}': expected finite weights, got {} at row {}, column {}; the file is damaged "
            "or the training diverged",
            tensor.file.string(), tensor.name, kind_of(value), r, k);
  }
  return invalid_input(
      "[model] {}: tensor '{}': expected zeros in the padding after row {}, got NaN or infinity; the file is "
      "damaged",
      tensor.file.string(), tensor.name, view.rows);
}

// Palettes, then scales of 16 rows.
Status describe_palette(const StoredTensor& tensor, const WeightView& view, int64_t panel, const Units& units) {
  const Layout& layout = *view.layout;
  const auto bytes =
      view.data.subspan(static_cast<size_t>(layout.panel_at(panel, view.columns)), static_cast<size_t>(units.checked));
  int64_t i = 0;
  while (std::isfinite(half_at(bytes, 2 * i))) ++i;
  const int64_t palettes = layout.palette_bytes() / 2, first = panel * kPanelRows;
  const std::string_view kind = kind_of(half_at(bytes, 2 * i));
  if (i < palettes)
    return invalid_input(
        "[model] {}: tensor '{}': expected finite palettes, got {} at entry {} of row {}; the file is damaged, "
        "quantize again",
        tensor.file.string(), tensor.name, kind, i % layout.numbers() / layout.vector,
        first + i / layout.numbers() * layout.rows_of_palette() + i % layout.vector);
  return invalid_input(
      "[model] {}: tensor '{}': expected finite scales, got {} at row {}; the file is damaged, quantize again",
      tensor.file.string(), tensor.name, kind, first + i - palettes);
}

Status describe_scale(const StoredTensor& tensor, const WeightView& view, int64_t panel, const Units& units) {
  if (view.layout->is_palette()) return describe_palette(tensor, view, panel, units);
  const std::byte* scales = view.data.data() + panel * units.stride;
  const int64_t per_group = view.layout->affine ? 2 * kPanelRows : kPanelRows;
  const int64_t per_run = units.checked / 2;
  for (int64_t i = 0; i < per_run * units.runs; ++i) {
    uint16_t bits;
    std::memcpy(&bits, scales + i / per_run * units.run_stride + 2 * (i % per_run), 2);
    if ((bits & kF16Exponent) == kF16Exponent)
      return invalid_input(
          "[model] {}: tensor '{}': expected finite {}, got {} at row {}, group {}; the file is damaged, "
          "quantize again",
          tensor.file.string(), tensor.name, i % per_group < kPanelRows ? "scales" : "bases", kind_of(f16_to_f32(bits)),
          panel * kPanelRows + i % kPanelRows, i / per_group);
  }
  return {};
}

// What all rows of a matrix share, before its panels.
Status check_head(const StoredTensor& tensor, const WeightView& view) {
  const auto head = view.order == Order::panel16 ? view.layout->head_bytes() : 0;
  for (int64_t i = 0; 2 * i < head; ++i)
    if (const float number = half_at(view.data, 2 * i); !std::isfinite(number))
      return invalid_input(
          "[model] {}: tensor '{}': expected finite palettes, got {} at entry {} of row {}; the file is damaged, "
          "quantize again",
          tensor.file.string(), tensor.name, kind_of(number), i / view.layout->vector, i % view.layout->vector);
  return {};
}

}  // namespace

Status check_finite(const StoredTensor& tensor, ThreadPool& pool) {
  if (tensor.layout == nullptr || tensor.elements() == 0) return {};
  const WeightView view = flat_view(tensor);
  HALFTONE_TRY(check_head(tensor, view));
  const Units units = units_of(view);
  const int64_t first_unit = view.order == Order::panel16 ? view.layout->head_bytes() : 0;
  const LayoutId scanned = view.layout->is_float() ? view.layout->id : LayoutId::f16;
  std::atomic<int64_t> first_bad{units.count};
  pool.parallel_for(
      units.count, std::max<int64_t>(1, kChunkBytes / units.stride), [&](int64_t begin, int64_t end, int) {
        for (int64_t unit = begin; unit < end && unit < first_bad.load(std::memory_order_relaxed); ++unit) {
          bool finite = true;
          for (int64_t run = 0; run < units.runs; ++run) {
            const int64_t at = first_unit + unit * units.stride + run * units.run_stride;
            finite &=
                all_finite(scanned, view.data.subspan(static_cast<size_t>(at), static_cast<size_t>(units.checked)));
          }
          if (finite) continue;
          int64_t best = first_bad.load();
          while (unit < best && !first_bad.compare_exchange_weak(best, unit)) {
          }
        }
      });
  const int64_t bad = first_bad;
  if (bad == units.count) return {};
  if (!view.layout->is_float()) return describe_scale(tensor, view, bad, units);
  return describe_weight(tensor, view, view.order == Order::rows ? bad : bad * kPanelRows);
}

}  // namespace halftone
