// SPDX-License-Identifier: Apache-2.0
// Panels are packed by hand from random codes and numbers; the oracle is the layout, which decodes what is stored.
#include "quantize/tune/tunable.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/rng.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int64_t kRows = 37, kColumns = 300;  // a partial last panel, group, and 256 columns

// A matrix in panels: numbers as a method may choose them, rows beyond the matrix as they are stored.
class RandomPanels {
 public:
  explicit RandomPanels(const Layout& layout) : layout_(layout) {
    HALFTONE_CHECK(!layout.is_float());
    make_palettes();
    const auto step = static_cast<size_t>(layout.panel_bytes(kColumns));
    bytes.resize(static_cast<size_t>(layout.bytes(kRows, kColumns, Order::panel16)));
    for (int64_t first = 0; first < kRows; first += kPanelRows)
      pack(first, std::span(bytes).subspan(static_cast<size_t>(layout.panel_at(first / kPanelRows, kColumns)), step));
    if (layout.head_bytes() > 0) std::memcpy(bytes.data(), entries_.data(), entries_.size() * 2);
  }

  std::vector<std::byte> bytes;

 private:
  // Entries of all palettes of the matrix; rows_per_ rows share one.
  void make_palettes() {
    if (!layout_.is_palette()) return;
    rows_per_ = layout_.palette_rows == 0 ? kRows : layout_.palette_rows;
    for (int64_t i = 0; i < (kRows + rows_per_ - 1) / rows_per_ * layout_.numbers(); ++i)
      entries_.push_back(f32_to_f16(static_cast<float>(0.1 * rng_.normal())));
  }

  void pack(int64_t first, std::span<std::byte> out) {
    const int64_t rows = std::min<int64_t>(kPanelRows, kRows - first), groups = layout_.groups(kColumns);
    const int64_t count = layout_.is_palette() ? 1 : layout_.scale_count(kColumns);
    std::vector<int8_t> codes(kPanelRows * kColumns);
    std::vector<uint16_t> scales(static_cast<size_t>(kPanelRows * count)), bases(scales.size()), palettes;
    std::vector<uint8_t> sub_scales(static_cast<size_t>(kPanelRows * groups)), sub_bases(sub_scales.size());
    for (int64_t i = 0; i < rows * kColumns; ++i)
      codes[static_cast<size_t>(i)] =
          static_cast<int8_t>(static_cast<int>(rng_.below(static_cast<uint64_t>(layout_.entries()))) - layout_.offset);
    for (int64_t row = 0; row < kPanelRows; ++row)  // those of a vector have the codes of its first
      for (int64_t k = 0; k < kColumns && layout_.vector > 1; ++k)
        codes[static_cast<size_t>(row * kColumns + k)] =
            codes[static_cast<size_t>(row / layout_.vector * layout_.vector * kColumns + k)];
    for (int64_t i = 0; i < rows * count; ++i) {
      const double scale = 0.01 * (0.5 + rng_.uniform());
      scales[static_cast<size_t>(i)] = f32_to_f16(static_cast<float>(scale));
      // Nested: dmin, subtracted times a byte; else about minus half the range of codes.
      bases[static_cast<size_t>(i)] = f32_to_f16(
          static_cast<float>(layout_.is_nested() ? 8 * scale : -scale * layout_.offset * (0.5 + rng_.uniform())));
    }
    for (int64_t i = 0; i < rows * groups; ++i) {
      sub_scales[static_cast<size_t>(i)] = static_cast<uint8_t>(rng_.below(64));
      if (!layout_.affine && rng_.below(2) == 0)  // signed
        sub_scales[static_cast<size_t>(i)] = static_cast<uint8_t>(-int{sub_scales[static_cast<size_t>(i)]});
      sub_bases[static_cast<size_t>(i)] = static_cast<uint8_t>(rng_.below(64));
    }
    for (int i = 0; layout_.is_palette() && i < layout_.panel_palettes(); ++i) {
      const int64_t row = std::min(kRows - 1, first + int64_t{i} * layout_.rows_of_palette());
      for (int u = 0; u < layout_.numbers(); ++u)
        palettes.push_back(entries_[static_cast<size_t>(row / rows_per_ * layout_.numbers() + u)]);
    }
    layout_.pack_panel({kColumns, nullptr, codes.data(), scales.data(), bases.data(), sub_scales.data(),
                        sub_bases.data(), palettes.data()},
                       out);
  }

  const Layout& layout_;
  Rng rng_{5};
  int64_t rows_per_ = 0;
  std::vector<uint16_t> entries_;
};

std::vector<float> decoded(const Layout& layout, std::span<const std::byte> panels) {
  std::vector<float> values(kRows * kColumns);
  for (int64_t row = 0; row < kRows; ++row)
    decode_row({&layout, Order::panel16, kRows, kColumns, panels}, row, values.data() + row * kColumns);
  return values;
}

std::vector<float> numbers_of(const Tunable& tunable, ThreadPool& pool) {
  std::vector<float> values(kRows * kColumns);
  tunable.decode(pool, values.data());
  return values;
}

double squares(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
  return sum;
}

class TunableLayouts : public testing::TestWithParam<const Layout*> {
 protected:
  std::unique_ptr<Tunable> make() const {
    return (layout_.is_palette() ? make_tunable_palettes : make_tunable_scales)(layout_, kRows, kColumns, panels_);
  }
  std::vector<std::byte> stored(const Tunable& tunable) const {
    std::vector<std::byte> out(panels_.size());
    tunable.store(out);
    return out;
  }
  // Steps towards `target` in the sense of least squares.
  void learn(Tunable& tunable, const std::vector<float>& target, int steps, ThreadPool& pool) const {
    for (int step = 0; step < steps; ++step) {
      std::vector<float> gradient = numbers_of(tunable, pool);
      for (size_t i = 0; i < gradient.size(); ++i) gradient[i] -= target[i];
      tunable.learn(gradient, 0.01f, pool);
    }
  }

  const Layout& layout_ = *GetParam();
  const std::vector<std::byte> panels_ = RandomPanels(layout_).bytes;
  ThreadPool pool_{2};
};

std::vector<const Layout*> tunable_layouts() {
  std::vector<const Layout*> layouts;
  for (const Layout* layout : all_layouts())
    if (!layout->is_float()) layouts.push_back(layout);
  return layouts;
}

INSTANTIATE_TEST_SUITE_P(All, TunableLayouts, testing::ValuesIn(tunable_layouts()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST_P(TunableLayouts, IsWhatIsStored) {
  const auto tunable = make();
  EXPECT_EQ(numbers_of(*tunable, pool_), decoded(layout_, panels_));
  EXPECT_EQ(stored(*tunable), panels_);
}

TEST_P(TunableLayouts, LearnsTowardsATargetWithinReach) {
  std::vector<float> target = decoded(layout_, panels_);
  for (float& value : target) value *= 1.15f;
  const auto tunable = make();
  const double before = squares(numbers_of(*tunable, pool_), target);
  learn(*tunable, target, 10, pool_);
  EXPECT_LT(squares(numbers_of(*tunable, pool_), target), 0.6 * before);
  // What is stored then is what it computed with, and only numbers have moved.
  const std::vector<std::byte> bytes = stored(*tunable);
  EXPECT_NE(bytes, panels_);
  EXPECT_EQ(decoded(layout_, bytes), numbers_of(*tunable, pool_));
  const auto step = static_cast<size_t>(layout_.panel_bytes(kColumns));
  const auto codes = static_cast<size_t>(layout_.scale_bytes(kColumns));
  for (auto at = static_cast<size_t>(layout_.head_bytes()); at < bytes.size(); at += step)
    EXPECT_TRUE(std::equal(bytes.begin() + static_cast<std::ptrdiff_t>(at + codes),
                           bytes.begin() + static_cast<std::ptrdiff_t>(at + step),
                           panels_.begin() + static_cast<std::ptrdiff_t>(at + codes)));
}

TEST_P(TunableLayouts, BytesDoNotDependOnThreads) {
  std::vector<float> target = decoded(layout_, panels_);
  for (float& value : target) value = 0.9f * value + 0.001f;
  std::vector<std::byte> expected;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const auto tunable = make();
    learn(*tunable, target, 2, pool);
    if (expected.empty()) expected = stored(*tunable);
    EXPECT_EQ(stored(*tunable), expected);
  }
}

TEST(TunableVector, LearnsAndIsStoredLessItsOffset) {
  ThreadPool pool(1);
  const auto tunable = make_tunable_vector({1.0f, 1.5f, -0.25f, 0.0f}, 1.0f);
  std::vector<float> values(4), target = {1.05f, 1.4f, -0.2f, 0.1f};
  tunable->decode(pool, values.data());
  EXPECT_EQ(values, (std::vector<float>{1.0f, 1.5f, -0.25f, 0.0f}));
  const double before = squares(values, target);
  for (int step = 0; step < 10; ++step) {
    std::vector<float> gradient = values;
    for (size_t i = 0; i < 4; ++i) gradient[i] -= target[i];
    tunable->learn(gradient, 0.01f, pool);
    tunable->decode(pool, values.data());
  }
  EXPECT_LT(squares(values, target), 0.5 * before);
  std::vector<float> stored(4);
  tunable->store(std::as_writable_bytes(std::span(stored)));
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(stored[i], values[i] - 1.0f);
}

// The first step of Adam is the sign of the gradient, whatever its size; then the mean of what came before counts.
TEST(Adam, FollowsItsDefinition) {
  Adam adam(2);
  double mean[2] = {}, square[2] = {};
  const float gradients[][2] = {{3e-6f, -200.0f}, {1e-6f, 100.0f}, {-4e-6f, 50.0f}};
  for (int step = 1; step <= 3; ++step) {
    adam.begin_step();
    for (size_t i = 0; i < 2; ++i) {
      const auto gradient = static_cast<double>(gradients[step - 1][i]);
      mean[i] = 0.9 * mean[i] + 0.1 * gradient;
      square[i] = 0.99 * square[i] + 0.01 * gradient * gradient;
      const double expected = mean[i] / (1 - std::pow(0.9, step)) / std::sqrt(square[i] / (1 - std::pow(0.99, step)));
      EXPECT_NEAR(static_cast<double>(adam.direction(i, gradients[step - 1][i])), expected, 1e-4);
    }
  }
}

}  // namespace
}  // namespace halftone
