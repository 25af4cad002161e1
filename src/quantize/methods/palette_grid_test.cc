// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/palette_grid.h"

#include <gtest/gtest.h>

#include "quantize/methods/test_matrix.h"

namespace halftone {
namespace {

template <int kSweeps>
void palettes_with_sweeps(const Layout& layout, const MethodInput& input, const MethodOutput& output) {
  choose_with_feedback(layout, input, kSweeps, output);
}

double loss_of(std::string_view method, std::string_view layout, const TestMatrix& matrix, Choose choose = nullptr) {
  return proxy_loss(matrix, choose_all(method, *find_layout(layout), matrix, matrix.statistics(), 1, choose).decoded);
}

// 37 rows: the last panel has five, the last palettes of group4 and group8 fewer rows than the others.
TEST(PaletteGrid, GptqLosesLessThanKmeansForAnyPalette) {
  const TestMatrix matrix = test_matrix(37, 200, 9);
  for (const Layout* layout : all_layouts()) {
    const int bits = layout->bits / layout->vector;  // of a weight
    if (!layout->is_palette() || bits < 2 || bits > 4) continue;
    const double gptq = loss_of("gptq", layout->name, matrix);
    EXPECT_LT(gptq, 0.5 * loss_of("kmeans", layout->name, matrix)) << layout->name;
    EXPECT_LT(gptq, 0.7 * loss_of("kmeans_weighted", layout->name, matrix)) << layout->name;
  }
}

TEST(PaletteGrid, LosesLessThanLinesOfWholeRows) {
  const TestMatrix matrix = test_matrix(32, 384, 9);
  EXPECT_LT(loss_of("gptq", "lut4_group16", matrix), loss_of("gptq", "int4_channel", matrix));
}

TEST(PaletteGrid, RefitsNeverRaiseTheLoss) {
  const TestMatrix matrix = test_matrix(21, 300, 23);
  double mean = 0;
  for (const float moment : matrix.second_moment) mean += static_cast<double>(moment) / 300;
  TestMatrix damped = matrix;  // what is minimised
  for (size_t k = 0; k < 300; ++k) damped.hessian[k * 300 + k] += static_cast<float>(0.01 * mean);
  for (const char* name : {"lut4_group16", "lut3_group4", "lut2_group1", "lut4_group16_scaled", "lut4_tensor",
                           "lut6v2_group16", "lut8v2_tensor", "lut8v4_tensor_scaled"}) {
    const auto loss = [&](Choose choose) {
      return proxy_loss(damped, choose_all("gptq", *find_layout(name), matrix, matrix.statistics(), 1, choose).decoded);
    };
    const double none = loss(palettes_with_sweeps<0>), one = loss(palettes_with_sweeps<1>);
    const double two = loss(palettes_with_sweeps<2>);
    EXPECT_LT(one, 0.995 * none) << name;
    EXPECT_LE(two, one) << name;
    EXPECT_LE(loss(palettes_with_sweeps<6>), two) << name;
  }
}

// Rows that share a palette and count differently: what counts gets nearer.
TEST(PaletteGrid, WeightsOfRowsMoveEntries) {
  TestMatrix matrix = test_matrix(32, 200, 5), heavy{16, 200, {}, matrix.hessian, matrix.second_moment};
  std::vector<float> weights;
  for (size_t row = 0; row < 32; ++row) {
    weights.push_back(row % 2 == 0 ? 50.0f : 1.0f);
    for (size_t k = 0; k < 200; ++k) matrix.values[row * 200 + k] *= row % 2 == 0 ? 0.3f : 1.0f;
  }
  const auto loss_of_heavy = [&](std::string_view method, std::string_view layout, std::span<const float> of_rows) {
    InputStatistics statistics = matrix.statistics();
    statistics.row_weights = of_rows;
    const TestChoice all = choose_all(method, *find_layout(layout), matrix, statistics);
    std::vector<float> decoded;
    heavy.values.clear();
    for (int64_t row = 0; row < 32; row += 2) {
      heavy.values.insert(heavy.values.end(), matrix.values.begin() + row * 200,
                          matrix.values.begin() + (row + 1) * 200);
      decoded.insert(decoded.end(), all.decoded.begin() + row * 200, all.decoded.begin() + (row + 1) * 200);
    }
    return proxy_loss(heavy, decoded, method != "gptq");
  };
  for (const char* method : {"gptq", "kmeans_weighted"})
    for (const char* layout : {"lut4_group16", "lut3_group4", "lut4_group32", "lut4_tensor", "lut3_group16_scaled",
                               "lut6v2_group16", "lut6v2_tensor"})
      EXPECT_LT(loss_of_heavy(method, layout, weights),
                (std::string_view(layout).ends_with("scaled") ? 1.0 : 0.6) * loss_of_heavy(method, layout, {}))
          << method << ' ' << layout;
}

TEST(PaletteGrid, ThreadsDoNotChangeTheResult) {
  const TestMatrix matrix = test_matrix(40, 150, 17);
  for (const char* name : {"lut4_group16", "lut4_tensor_scaled", "lut3_group32", "lut6v2_tensor", "lut6v2_group16",
                           "lut8v4_tensor_scaled"}) {
    const TestChoice one = choose_all("gptq", *find_layout(name), matrix, matrix.statistics());
    const TestChoice three = choose_all("gptq", *find_layout(name), matrix, matrix.statistics(), 3);
    EXPECT_EQ(one.codes, three.codes) << name;
    EXPECT_EQ(one.scales, three.scales) << name;
    EXPECT_EQ(one.palettes, three.palettes) << name;
  }
}

}  // namespace
}  // namespace halftone
