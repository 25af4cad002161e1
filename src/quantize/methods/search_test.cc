// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "quantize/methods/test_matrix.h"

namespace halftone {
namespace {

double error_of_row(const TestMatrix& matrix, const std::vector<float>& decoded, int64_t row, bool weighted) {
  double error = 0, mean = 0;
  for (const float moment : matrix.second_moment)
    mean += static_cast<double>(moment) / static_cast<double>(matrix.columns);
  for (int64_t k = 0; k < matrix.columns; ++k) {
    const auto at = static_cast<size_t>(row * matrix.columns + k);
    const double off = static_cast<double>(matrix.values[at]) - static_cast<double>(decoded[at]);
    const double weight = static_cast<double>(matrix.second_moment[static_cast<size_t>(k)]) / mean + 0.01;
    error += off * off * (weighted ? weight : 1);
  }
  return error;
}

TEST(Search, IsNeverWorseThanNearest) {
  for (const Layout* layout : all_layouts()) {
    if (layout->is_float() || layout->is_nested() || layout->is_palette()) continue;
    const TestMatrix matrix = test_matrix(37, 172, 31);
    const TestChoice nearest = choose_all("nearest", *layout, matrix, {});
    for (const bool weighted : {false, true}) {
      const TestChoice search =
          choose_all("search", *layout, matrix, weighted ? matrix.statistics() : InputStatistics{});
      for (int64_t row = 0; row < matrix.rows; ++row)
        ASSERT_LE(error_of_row(matrix, search.decoded, row, weighted),
                  error_of_row(matrix, nearest.decoded, row, weighted) * (1 + 1e-5))
            << layout->name << " row " << row << " weighted " << weighted;
    }
  }
}

// Every f16 scale there is, by brute force.
TEST(Search, IsNearTheBestScale) {
  const TestMatrix matrix = test_matrix(24, 32, 41);
  const Layout& layout = layout_of(LayoutId::int4_block32);
  const TestChoice search = choose_all("search", layout, matrix, {});
  double reached = 0, possible = 0;
  for (int64_t row = 0; row < matrix.rows; ++row) {
    double best = INFINITY;
    for (uint32_t bits = 1; bits < 0x3000; ++bits) {  // up to 0.125
      for (const double sign : {1.0, -1.0}) {
        const double scale = sign * static_cast<double>(f16_to_f32(static_cast<uint16_t>(bits)));
        double error = 0;
        for (size_t k = 0; k < 32 && error < best; ++k) {
          const auto value = static_cast<double>(matrix.values[static_cast<size_t>(row) * 32 + k]);
          const double off = std::clamp(std::nearbyint(value / scale), -8.0, 7.0) * scale - value;
          error += off * off;
        }
        best = std::min(best, error);
      }
    }
    const double error = error_of_row(matrix, search.decoded, row, false);
    EXPECT_LE(error, 1.12 * best) << row;
    reached += error;
    possible += best;
  }
  EXPECT_LE(reached, 1.02 * possible);
}

TEST(Search, RepresentableWeightsComeBack) {
  TestMatrix matrix = test_matrix(16, 64, 1);
  Rng rng(5);
  for (size_t i = 0; i < matrix.values.size(); ++i)  // each group has both ends
    matrix.values[i] = 0.25f * static_cast<float>(i % 32 == 0   ? -8
                                                  : i % 32 == 9 ? 7
                                                                : static_cast<int>(rng.below(16)) - 8);
  for (const LayoutId id : {LayoutId::int4_block32, LayoutId::uint4_affine32, LayoutId::int8_channel}) {
    const TestChoice choice = choose_all("search", layout_of(id), matrix, {});
    if (id != LayoutId::int8_channel) {
      EXPECT_EQ(choice.decoded, matrix.values) << layout_of(id).name;
    }
    EXPECT_LT(error_of_row(matrix, choice.decoded, 0, false), 64 * 1e-4) << layout_of(id).name;
  }
}

TEST(Search, ZerosAndHugeWeights) {
  for (const Layout* layout : all_layouts()) {
    if (!find_method("search")->can_fill(*layout) || layout->is_float()) continue;
    TestMatrix matrix = test_matrix(16, 300, 1);
    std::fill(matrix.values.begin(), matrix.values.end(), 0.0f);
    EXPECT_EQ(choose_all("search", *layout, matrix, {}).decoded, matrix.values) << layout->name;
    matrix.values[7] = 1e9f;
    EXPECT_FALSE(choose_all("search", *layout, matrix, {}).finite) << layout->name;  // told by an infinite scale
  }
}

// Scales of two levels cost little: against the same groups with numbers of their own.
TEST(Search, NestedScalesAreNearFreeOnes) {
  const TestMatrix matrix = test_matrix(24, 600, 51);
  const auto error = [&](std::string_view method, LayoutId id, const InputStatistics& statistics) {
    const TestChoice choice = choose_all(method, layout_of(id), matrix, statistics);
    for (const uint8_t byte : choice.sub_scales)
      EXPECT_TRUE(!layout_of(id).affine || byte < 64);  // GGUF has 6 bits for it
    for (const uint8_t byte : choice.sub_bases) EXPECT_LT(byte, 64);
    return statistics.hessian.empty() ? proxy_loss(matrix, choice.decoded, true) : proxy_loss(matrix, choice.decoded);
  };
  InputStatistics diagonal = matrix.statistics();
  diagonal.hessian = {};
  EXPECT_LT(error("search", LayoutId::uint4_k32, diagonal), 1.1 * error("search", LayoutId::uint4_affine32, diagonal));
  EXPECT_LT(error("search", LayoutId::uint5_k32, diagonal), 1.4 * error("search", LayoutId::uint5_affine32, diagonal));
  for (const auto& [nested, free] : {std::pair{LayoutId::uint4_k32, LayoutId::uint4_affine32},
                                     std::pair{LayoutId::uint5_k32, LayoutId::uint5_affine32}})
    EXPECT_LT(error("gptq", nested, matrix.statistics()), 1.25 * error("gptq", free, matrix.statistics()))
        << layout_of(nested).name;
  EXPECT_LT(error("search", LayoutId::int6_k16, diagonal), error("search", LayoutId::int6_block32, diagonal));
  EXPECT_LT(error("gptq", LayoutId::int6_k16, matrix.statistics()),
            0.2 * error("search", LayoutId::int6_k16, matrix.statistics()));
}

}  // namespace
}  // namespace halftone
