// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "quantize/methods/method.h"
#include "quantize/methods/partition.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

using ValueList = std::vector<Population::Value>;

// Squared error of a run of sorted values by its plain definition.
double cost_of_run(const ValueList& sorted, size_t begin, size_t end) {
  double count = 0, sum = 0, cost = 0;
  for (size_t i = begin; i < end; ++i) {
    count += static_cast<double>(sorted[i].count);
    sum += static_cast<double>(sorted[i].count) * static_cast<double>(sorted[i].value);
  }
  for (size_t i = begin; i < end; ++i) {
    const double off = static_cast<double>(sorted[i].value) - sum / count;
    cost += static_cast<double>(sorted[i].count) * off * off;
  }
  return cost;
}

// The least cost over every assignment of values to clusters, sorted or not.
double least_of_all_assignments(const ValueList& values, int clusters) {
  std::vector<int> cluster(values.size(), 0);
  double least = std::numeric_limits<double>::infinity();
  const std::function<void(size_t)> place = [&](size_t at) {
    if (at < values.size()) {
      for (cluster[at] = 0; cluster[at] < clusters; ++cluster[at]) place(at + 1);
      return;
    }
    double cost = 0;
    for (int c = 0; c < clusters; ++c) {
      ValueList members;
      for (size_t i = 0; i < values.size(); ++i)
        if (cluster[i] == c) members.push_back(values[i]);
      cost += members.empty() ? 0 : cost_of_run(members, 0, members.size());
    }
    least = std::min(least, cost);
  };
  place(0);
  return least;
}

// The plain dynamic program: O(k n^2).
std::vector<double> least_costs(ValueList values, size_t clusters) {
  std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
  const size_t n = values.size();
  std::vector<std::vector<double>> cost(n, std::vector<double>(n + 1));
  for (size_t begin = 0; begin < n; ++begin)
    for (size_t end = begin + 1; end <= n; ++end) cost[begin][end] = cost_of_run(values, begin, end);
  std::vector<double> best(n + 1, std::numeric_limits<double>::infinity()), result;
  best[0] = 0;
  for (size_t k = 1; k <= clusters; ++k) {
    std::vector<double> next(n + 1, std::numeric_limits<double>::infinity());
    next[0] = 0;
    for (size_t end = 1; end <= n; ++end)
      for (size_t begin = 0; begin < end; ++begin) next[end] = std::min(next[end], best[begin] + cost[begin][end]);
    best = next;
    result.push_back(best[n]);
  }
  return result;
}

enum class PopulationShape : uint8_t { normal, integers, even, clumps };

ValueList random_population(PopulationShape shape, size_t size, bool weighted, Rng& rng) {
  ValueList values;
  for (size_t i = 0; i < size; ++i) {
    const auto at = static_cast<float>(i);
    const float value = shape == PopulationShape::normal     ? static_cast<float>(rng.normal())
                        : shape == PopulationShape::integers ? static_cast<float>(rng.below(12))
                        : shape == PopulationShape::even     ? at
                                                         : std::floor(at / 5) * 100 + static_cast<float>(rng.uniform());
    values.push_back({value, weighted ? 1 + rng.below(9) : 1});
  }
  return values;
}

constexpr PopulationShape kPopulationShapes[] = {PopulationShape::normal, PopulationShape::integers,
                                                 PopulationShape::even, PopulationShape::clumps};

TEST(Partition, IsTheBestOfAllAssignments) {
  Rng rng(5);
  for (const PopulationShape shape : kPopulationShapes)
    for (int trial = 0; trial < 6; ++trial)
      for (int clusters = 1; clusters <= 4; ++clusters) {
        const ValueList values = random_population(shape, 8, trial % 2 == 1, rng);
        const Population population(values);
        const double found = optimal_partition(population, clusters).cost(population);
        EXPECT_NEAR(found, least_of_all_assignments(values, clusters), 1e-9 * (1 + found))
            << "seed 5, trial " << trial << ", clusters " << clusters;
      }
}

TEST(Partition, AgreesWithThePlainProgramForEveryNumberOfClusters) {
  Rng rng(6);
  for (const PopulationShape shape : kPopulationShapes)
    for (const bool weighted : {false, true}) {
      const ValueList values = random_population(shape, 90, weighted, rng);
      const Population population(values);
      const std::vector<double> least = least_costs(values, 90);
      for (int64_t clusters = 1; clusters <= 90; ++clusters) {
        const Partition found = optimal_partition(population, clusters);
        EXPECT_EQ(found.clusters(), std::min(clusters, population.size()));
        EXPECT_TRUE(std::is_sorted(found.ends.begin(), found.ends.end(), std::less_equal<>()));
        EXPECT_NEAR(found.cost(population), least[static_cast<size_t>(clusters - 1)], 1e-9 * least[0])
            << "seed 6, clusters " << clusters << ", shape " << static_cast<int>(shape);
      }
    }
}

// A grid costs the same wherever a cluster of one value more lies: at no price the number of clusters is right.
TEST(Partition, TiesAreJoined) {
  ValueList values;
  for (int i = 0; i < 64; ++i) values.push_back({static_cast<float>(i), 1});
  const Population population(values);
  for (int64_t clusters = 1; clusters <= 64; ++clusters) {
    const int64_t small = 64 / clusters, large = 64 % clusters;  // clusters of `small` and of one more
    const auto cost = [](int64_t n) { return static_cast<double>(n * (n * n - 1)) / 12; };
    EXPECT_NEAR(optimal_partition(population, clusters).cost(population),
                static_cast<double>(clusters - large) * cost(small) + static_cast<double>(large) * cost(small + 1),
                1e-7)
        << clusters;
  }
}

TEST(Partition, IsNeverAboveLloyds) {
  Rng rng(7);
  int better = 0;
  for (int trial = 0; trial < 40; ++trial) {
    const Population population(random_population(kPopulationShapes[trial % 4], 600, trial % 3 == 0, rng));
    const int64_t clusters = int64_t{2} << trial % 5;
    const double exact = optimal_partition(population, clusters).cost(population);
    const double lloyd = lloyd_partition(population, clusters, static_cast<uint64_t>(trial)).cost(population);
    EXPECT_LE(exact, lloyd * (1 + 1e-12) + 1e-9) << trial;
    better += exact < 0.999 * lloyd ? 1 : 0;
  }
  EXPECT_GT(better, 10);  // or Lloyd's is no baseline
}

TEST(Histogram, KeepsHalfPrecisionAndOrder) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float half = f16_to_f32(static_cast<uint16_t>(bits)), brain = bf16_to_f32(static_cast<uint16_t>(bits));
    for (const float value : {half, brain}) {
      if (!std::isfinite(value)) continue;
      ASSERT_EQ(Histogram::value_of(Histogram::key_of(value)), value) << bits;
    }
  }
  Rng rng(8);
  for (int i = 0; i < 100000; ++i) {
    const auto a = static_cast<float>(rng.normal()), b = static_cast<float>(rng.normal());
    ASSERT_LE(Histogram::key_of(std::min(a, b)), Histogram::key_of(std::max(a, b)));
    ASSERT_NEAR(Histogram::value_of(Histogram::key_of(a)), a, std::fabs(a) * 0x1p-12f);
  }
  const float largest = std::numeric_limits<float>::max();
  EXPECT_TRUE(std::isfinite(Histogram::value_of(Histogram::key_of(largest))));
  EXPECT_TRUE(std::isfinite(Histogram::value_of(Histogram::key_of(-largest))));
}

// What a method gave for a matrix, panel by panel, and what it decodes to.
struct Filled {
  std::vector<int8_t> codes;
  std::vector<uint16_t> palettes, scales;
  std::vector<float> decoded;
  double error = 0;  // weighted
};

Filled fill_palettes(std::string_view method_name, const Layout& layout, const std::vector<float>& matrix, int64_t rows,
                     std::span<const float> importance = {}, int threads = 2) {
  const int64_t columns = static_cast<int64_t>(matrix.size()) / rows;
  const Method& method = *find_method(method_name);
  ThreadPool pool(threads);
  InputStatistics statistics;
  statistics.second_moment = importance;
  const MatrixReader reader = {
      rows, columns, [&](int64_t row, float* out) { std::copy_n(matrix.begin() + row * columns, columns, out); }};
  auto preparation = method.prepare(layout, reader, statistics, pool);
  Filled filled;
  for (int64_t row = 0; row < rows; row += kPanelRows) {
    const int64_t count = std::min<int64_t>(kPanelRows, rows - row);
    std::vector<int8_t> codes(static_cast<size_t>(kPanelRows * columns));
    std::vector<uint16_t> scales(kPanelRows), palettes(static_cast<size_t>(layout.panel_palettes() * layout.numbers()));
    MethodInput input = {
        std::span(matrix).subspan(static_cast<size_t>(row * columns), static_cast<size_t>(count * columns)),
        count,
        columns,
        statistics,
        preparation->get(),
        row};
    method.choose(layout, input, {.codes = codes, .scales = scales, .palettes = palettes});
    for (int64_t r = count; r % layout.vector != 0; ++r)
      std::copy_n(codes.begin() + (r - 1) * columns, columns, codes.begin() + r * columns);
    std::vector<std::byte> panel(static_cast<size_t>(layout.panel_bytes(columns)));
    PanelSource source = {columns, nullptr, codes.data(), scales.data()};
    source.palettes = palettes.data();
    layout.pack_panel(source, panel);
    std::vector<float> out(static_cast<size_t>(columns));
    for (int r = 0; r < count; ++r) {
      layout.decode_row(panel, r, columns, out.data(), std::as_bytes(std::span(palettes)));
      for (int64_t k = 0; k < columns; ++k) {
        const double off = static_cast<double>(out[static_cast<size_t>(k)]) -
                           static_cast<double>(matrix[static_cast<size_t>((row + r) * columns + k)]);
        filled.error += off * off * static_cast<double>(importance.empty() ? 1.0f : importance[static_cast<size_t>(k)]);
      }
      filled.decoded.insert(filled.decoded.end(), out.begin(), out.end());
    }
    filled.codes.insert(filled.codes.end(), codes.begin(), codes.end());
    filled.palettes.insert(filled.palettes.end(), palettes.begin(), palettes.end());
    filled.scales.insert(filled.scales.end(), scales.begin(), scales.end());
  }
  return filled;
}

std::vector<float> palette_matrix(int64_t rows, int64_t columns, Rng& rng, bool uneven_rows = false) {
  std::vector<float> matrix;
  for (int64_t r = 0; r < rows; ++r) {
    const double size = uneven_rows ? std::exp(rng.normal()) : 1.0;
    for (int64_t k = 0; k < columns; ++k)
      matrix.push_back(bf16_to_f32(f32_to_bf16(static_cast<float>(rng.normal() * 0.05 * size))));
  }
  return matrix;
}

// Each weight decodes to the entry that is nearest to it; the error is that of the plain program, but for what rounding
// entries to f16 costs.
TEST(Kmeans, EveryPlainPaletteIsTheBestThereIs) {
  Rng rng(9);
  constexpr int64_t kRows = 40, kColumns = 12;
  std::vector<float> matrix = palette_matrix(kRows, kColumns, rng);
  for (size_t i = 0; i < matrix.size() / 2; ++i) matrix[i] = static_cast<float>(rng.normal() * 0.05);  // no bf16
  for (const Layout* layout : all_layouts()) {
    if (!layout->is_palette() || layout->scaled || layout->vector > 1) continue;
    const Filled filled = fill_palettes("kmeans", *layout, matrix, kRows);
    const int64_t shared = layout->palette_rows == 0 ? kRows : layout->palette_rows;
    double least = 0;
    for (int64_t row = 0; row < kRows; row += shared) {
      ValueList values;
      for (int64_t i = row * kColumns; i < std::min(row + shared, kRows) * kColumns; ++i)
        values.push_back({matrix[static_cast<size_t>(i)], 1});
      const auto most = std::min<size_t>(static_cast<size_t>(layout->entries()), values.size());
      least += values.size() > 400 && most > 16
                   ? optimal_partition(Population(values), layout->entries()).cost(Population(values))
                   : least_costs(values, most).back();
    }
    EXPECT_GE(filled.error, least * (1 - 1e-9)) << layout->name;
    EXPECT_LE(filled.error, least * 1.001 + kRows * kColumns * 0.05 * 0.05 * 0x1p-22) << layout->name;
    for (size_t i = 0; i < matrix.size(); ++i) {
      const auto row = static_cast<int64_t>(i) / kColumns;
      const int64_t first = row / kPanelRows * layout->panel_palettes() + row % kPanelRows / layout->rows_of_palette();
      float nearest = std::numeric_limits<float>::infinity();
      for (int u = 0; u < layout->entries(); ++u) {
        const float entry = f16_to_f32(filled.palettes[static_cast<size_t>(first * layout->entries() + u)]);
        nearest = std::min(nearest, std::fabs(entry - matrix[i]));
      }
      ASSERT_EQ(std::fabs(filled.decoded[i] - matrix[i]), nearest) << layout->name << ' ' << i;
    }
  }
}

TEST(Kmeans, IsNeverAboveLloydsForAnyLayout) {
  Rng rng(10);
  const std::vector<float> matrix = palette_matrix(36, 200, rng);
  for (const Layout* layout : all_layouts()) {
    if (!layout->is_palette() || layout->scaled) continue;
    EXPECT_LE(fill_palettes("kmeans", *layout, matrix, 36).error,
              fill_palettes("kmeans_lloyd", *layout, matrix, 36).error * 1.0001)
        << layout->name;
  }
}

// Rows of sizes that differ share a palette well only where they have scales.
TEST(Kmeans, ScalesPayWhereRowsDiffer) {
  Rng rng(11);
  const std::vector<float> matrix = palette_matrix(48, 256, rng, true);
  for (const char* bits : {"2", "3", "4", "6"})
    for (const char* shared : {"_tensor", "_group16"}) {
      const std::string name = std::string("lut") + bits + shared;
      const double plain = fill_palettes("kmeans", *find_layout(name), matrix, 48).error;
      EXPECT_LT(fill_palettes("kmeans", *find_layout(name + "_scaled"), matrix, 48).error, 0.9 * plain) << name;
    }
}

// What a column's input is large for counts more: its error falls, the weighted sum is below that of equal weights.
TEST(Kmeans, WeightsFollowTheInputs) {
  Rng rng(12);
  const std::vector<float> matrix = palette_matrix(32, 64, rng);
  std::vector<float> importance(64, 0.01f);
  for (size_t k = 0; k < 64; k += 8) importance[k] = 4.0f;
  for (const Layout* layout : all_layouts()) {
    if (!layout->is_palette() || layout->bits > 4) continue;
    const double weighted = fill_palettes("kmeans_weighted", *layout, matrix, 32, importance).error;
    const Filled plain = fill_palettes("kmeans", *layout, matrix, 32);
    double error = 0;
    for (size_t i = 0; i < matrix.size(); ++i)
      error += static_cast<double>(importance[i % 64]) * std::pow(static_cast<double>(plain.decoded[i] - matrix[i]), 2);
    EXPECT_LT(weighted, error) << layout->name;
  }
}

TEST(Kmeans, ConstantAndEmptyRowsAndFewValuesAreExact) {
  for (const Layout* layout : all_layouts()) {
    if (!layout->is_palette() || layout->bits < 2) continue;
    std::vector<float> matrix(20 * 33, 0.0f);
    for (size_t i = 33; i < 66; ++i) matrix[i] = -0.75f;  // with zeros, two values: any palette has room
    const Filled filled = fill_palettes("kmeans", *layout, matrix, 20);
    EXPECT_TRUE(layout->scaled || filled.decoded == matrix) << layout->name;
    EXPECT_NEAR(filled.error, 0, 1e-9) << layout->name;
  }
}

TEST(Kmeans, WeightsBeyondF16AreInfinity) {
  std::vector<float> matrix(16 * 8, 0.5f);
  matrix[77] = 1e7f;
  for (const char* name : {"lut4_group16", "lut4_tensor"}) {
    const Filled filled = fill_palettes("kmeans", *find_layout(name), matrix, 16);
    EXPECT_TRUE(std::any_of(filled.palettes.begin(), filled.palettes.end(),
                            [](uint16_t bits) { return std::isinf(f16_to_f32(bits)); }));
  }
}

TEST(Kmeans, DoesNotDependOnThreads) {
  Rng rng(13);
  const std::vector<float> matrix = palette_matrix(100, 70, rng, true);
  std::vector<float> importance(70);
  for (float& one : importance) one = static_cast<float>(rng.uniform());
  for (const char* name : {"lut4_tensor", "lut4_tensor_scaled", "lut3_group32", "lut2_group16_scaled",
                           "lut6v2_tensor_scaled", "lut6v2_group16", "lut8v4_tensor"}) {
    const Filled one = fill_palettes("kmeans", *find_layout(name), matrix, 100, importance, 1);
    const Filled three = fill_palettes("kmeans", *find_layout(name), matrix, 100, importance, 3);
    EXPECT_EQ(one.palettes, three.palettes) << name;
    EXPECT_EQ(one.codes, three.codes) << name;
    EXPECT_EQ(one.scales, three.scales) << name;
  }
}

}  // namespace
}  // namespace halftone
