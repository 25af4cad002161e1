// SPDX-License-Identifier: Apache-2.0
#include "formats/check.h"

#include <gtest/gtest.h>

#include <cmath>

#include "formats/test_files.h"

namespace halftone {
namespace {

constexpr int64_t kRows = 35, kColumns = 21;

// A tensor in any layout and order, from values that are zero but one.
class WeightWithOneBad {
 public:
  WeightWithOneBad(LayoutId layout, Order order, int64_t bad_row, int64_t bad_column, float bad) {
    tensor.name = "w";
    tensor.file = "m.safetensors";
    tensor.shape = {kRows, kColumns};
    tensor.layout = &layout_of(layout);
    tensor.order = order;
    std::vector<float> values(kRows * kColumns, 0.5f);
    if (bad_row >= 0) values[static_cast<size_t>(bad_row * kColumns + bad_column)] = bad;
    if (order == Order::rows) {
      const DType type = layout == LayoutId::f32 ? DType::f32 : layout == LayoutId::f16 ? DType::f16 : DType::bf16;
      rows_ = "x" + TestTensor{"", type, {}, values}.payload();  // unaligned
      tensor.data = bytes_of_text(rows_).subspan(1);
      return;
    }
    values.resize(48 * kColumns);
    const auto panel_bytes = static_cast<size_t>(tensor.layout->panel_bytes(kColumns));
    panels_.resize(3 * panel_bytes);
    for (size_t panel = 0; panel < 3; ++panel) {
      const PanelSource source{kColumns, values.data() + panel * 16 * kColumns, nullptr, nullptr};
      tensor.layout->pack_panel(source, std::span(panels_).subspan(panel * panel_bytes, panel_bytes));
    }
    tensor.data = panels_;
  }
  StoredTensor tensor;

 private:
  std::string rows_;
  std::vector<std::byte> panels_;
};

struct Case {
  LayoutId layout;
  Order order;
};
constexpr Case kCases[] = {{LayoutId::f32, Order::rows},    {LayoutId::f16, Order::rows},
                           {LayoutId::bf16, Order::rows},   {LayoutId::f32, Order::panel16},
                           {LayoutId::f16, Order::panel16}, {LayoutId::bf16, Order::panel16}};

TEST(CheckFinite, FindsTheOneBadWeightInEveryFloatLayout) {
  ThreadPool pool(2);
  for (const Case& one : kCases) {
    EXPECT_TRUE(check_finite(WeightWithOneBad(one.layout, one.order, -1, 0, 0).tensor, pool).ok());
    for (const auto& [row, column] : {std::pair<int, int>{0, 0}, {17, 20}, {34, 20}, {34, 3}}) {
      const Status nan = check_finite(WeightWithOneBad(one.layout, one.order, row, column, NAN).tensor, pool);
      const std::string place = "at row " + std::to_string(row) + ", column " + std::to_string(column);
      EXPECT_TRUE(contains(nan.message(), "m.safetensors: tensor 'w': expected finite weights, got NaN " + place))
          << nan.message();
      const Status infinity =
          check_finite(WeightWithOneBad(one.layout, one.order, row, column, -INFINITY).tensor, pool);
      EXPECT_TRUE(contains(infinity.message(), "got infinity " + place)) << infinity.message();
    }
  }
}

TEST(CheckFinite, FindsBadScalesOfEveryIntegerLayout) {
  ThreadPool pool(2);
  int layouts = 0;
  for (const Layout* layout : all_layouts()) {
    if (layout->is_float() || layout->is_palette()) continue;
    ++layouts;
    const int64_t columns = layout->is_nested() ? 500 : 70, rows = 20;
    std::vector<std::byte> data(static_cast<size_t>(layout->bytes(rows, columns, Order::panel16)));
    std::fill(data.begin() + layout->scale_bytes(columns), data.begin() + layout->panel_bytes(columns),
              std::byte{0xff});  // any code is fine
    StoredTensor tensor;
    tensor.name = "w";
    tensor.shape = {rows, columns};
    tensor.layout = layout;
    tensor.order = Order::panel16;
    tensor.data = data;
    for (int64_t group = 0; layout->is_nested() && group < layout->groups(columns); ++group)
      data[static_cast<size_t>(layout->sub_scale_at(group, 5))] = std::byte{0x7c};  // and any byte of the second level
    EXPECT_TRUE(check_finite(tensor, pool).ok()) << layout->name;
    const int64_t group = layout->scale_count(columns) - 1;
    for (const bool base : {false, true}) {
      if (base && !layout->affine) continue;
      const int64_t in_panel = base ? layout->base_at(group, 3) : layout->scale_at(group, 3);
      std::byte& upper = data[static_cast<size_t>(layout->panel_bytes(columns) + in_panel + 1)];
      upper = std::byte{0xfc};  // minus infinity, row 19
      const Status status = check_finite(tensor, pool);
      const std::string place = "got infinity at row 19, group " + std::to_string(group);
      EXPECT_TRUE(contains(status.message(), (base ? "expected finite bases, " : "expected finite scales, ") + place))
          << layout->name << ": " << status.message();
      upper = std::byte{0};
    }
  }
  EXPECT_GT(layouts, 0);
}

TEST(CheckFinite, FindsBadEntriesAndScalesOfEveryPalette) {
  ThreadPool pool(2);
  int layouts = 0;
  for (const Layout* layout : all_layouts()) {
    if (!layout->is_palette()) continue;
    ++layouts;
    const int64_t columns = 70, rows = 40, panel = layout->panel_bytes(columns);
    std::vector<std::byte> data(static_cast<size_t>(layout->bytes(rows, columns, Order::panel16)));
    const int64_t head = layout->head_bytes();
    std::fill(data.begin() + head + layout->scale_bytes(columns), data.begin() + head + panel, std::byte{0xff});
    StoredTensor tensor;
    tensor.name = "w";
    tensor.shape = {rows, columns};
    tensor.layout = layout;
    tensor.order = Order::panel16;
    tensor.data = data;
    EXPECT_TRUE(check_finite(tensor, pool).ok()) << layout->name;
    const int64_t place_of = layout->entry_at(layout->entries() - 1, 15) + 1;
    std::byte& entry = data[static_cast<size_t>(head > 0 ? place_of : panel + place_of)];
    entry = std::byte{0x7c};
    const int64_t in_panel = 15 - 15 % layout->rows_of_palette() + 15 % layout->vector;
    const int64_t row = head > 0 ? in_panel : 16 + in_panel;
    const std::string place = "expected finite palettes, got infinity at entry " +
                              std::to_string(layout->entries() - 1) + " of row " + std::to_string(row) + ";";
    EXPECT_TRUE(contains(check_finite(tensor, pool).message(), place)) << check_finite(tensor, pool).message();
    entry = std::byte{0};
    if (!layout->scaled) continue;
    data[static_cast<size_t>(head + 2 * panel + layout->scale_at(0, 7) + 1)] = std::byte{0x7e};
    EXPECT_TRUE(contains(check_finite(tensor, pool).message(), "expected finite scales, got NaN at row 39;"));
  }
  EXPECT_GT(layouts, 0);
}

TEST(CheckFinite, PassesOverWhatIsNoWeight) {
  ThreadPool pool(1);
  StoredTensor tensor;
  tensor.shape = {3};
  tensor.element_type = DType::i64;
  EXPECT_TRUE(check_finite(tensor, pool).ok());
  tensor.layout = &layout_of(LayoutId::f32);
  tensor.shape = {0, 5};
  EXPECT_TRUE(check_finite(tensor, pool).ok());
}

}  // namespace
}  // namespace halftone
