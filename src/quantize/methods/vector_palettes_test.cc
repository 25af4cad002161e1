// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/vector_palettes.h"

#include <gtest/gtest.h>

#include <numeric>

#include "quantize/methods/gptq.h"
#include "quantize/methods/test_matrix.h"

namespace halftone {
namespace {

std::vector<const Layout*> vector_layouts() {
  std::vector<const Layout*> layouts;
  for (const Layout* layout : all_layouts())
    if (layout->vector > 1) layouts.push_back(layout);
  return layouts;
}

Layout layout_of_entries(int vector, int bits) {
  Layout layout = layout_of(vector == 2 ? LayoutId::lut8v2_tensor : LayoutId::lut8v4_tensor);
  layout.bits = bits;
  return layout;
}

// Points as columns of `vector` rows, in double.
struct Cloud {
  int vector;
  std::vector<double> values, weights;  // (points, vector)
  size_t size() const { return values.size() / static_cast<size_t>(vector); }
};

// Rows of one vector whose columns are the points: column weights times row weights make theirs.
struct CloudRows {
  std::vector<float> rows, column_weights, row_weights;
};

CloudRows random_rows(int vector, int64_t columns, Rng& rng) {
  CloudRows out;
  for (int64_t i = 0; i < vector * columns; ++i) out.rows.push_back(static_cast<float>(rng.normal()));
  for (int64_t k = 0; k < columns; ++k) out.column_weights.push_back(static_cast<float>(0.1 + rng.uniform()));
  for (int i = 0; i < vector; ++i) out.row_weights.push_back(static_cast<float>(0.1 + rng.uniform()));
  return out;
}

Cloud cloud_of(const CloudRows& from, int vector) {
  const size_t columns = from.column_weights.size();
  const float greatest = *std::max_element(from.column_weights.begin(), from.column_weights.end());
  Cloud cloud{vector, {}, {}};
  for (size_t k = 0; k < columns; ++k)
    for (size_t i = 0; i < static_cast<size_t>(vector); ++i) {
      cloud.values.push_back(static_cast<double>(from.rows[i * columns + k]));
      cloud.weights.push_back(static_cast<double>(from.row_weights[i] * (from.column_weights[k] / greatest)));
    }
  return cloud;
}

double error_of_assignment(const Cloud& cloud, const std::vector<size_t>& cluster, size_t clusters) {
  const auto vector = static_cast<size_t>(cloud.vector);
  std::vector<double> sum(clusters * vector), weight(clusters * vector);
  for (size_t i = 0; i < cloud.values.size(); ++i) {
    const size_t at = cluster[i / vector] * vector + i % vector;
    sum[at] += cloud.weights[i] * cloud.values[i];
    weight[at] += cloud.weights[i];
  }
  double error = 0;
  for (size_t i = 0; i < cloud.values.size(); ++i) {
    const size_t at = cluster[i / vector] * vector + i % vector;
    error += cloud.weights[i] * std::pow(cloud.values[i] - sum[at] / weight[at], 2);
  }
  return error;
}

// Over every assignment of points to clusters.
double least_error(const Cloud& cloud, size_t clusters) {
  std::vector<size_t> cluster(cloud.size());
  double least = std::numeric_limits<double>::infinity();
  for (;;) {
    least = std::min(least, error_of_assignment(cloud, cluster, clusters));
    size_t i = 0;
    while (i < cluster.size() && ++cluster[i] == clusters) cluster[i++] = 0;
    if (i == cluster.size()) return least;
  }
}

double nearest_error(const Cloud& cloud, const std::vector<uint16_t>& bits) {
  const auto vector = static_cast<size_t>(cloud.vector);
  double error = 0;
  for (size_t p = 0; p < cloud.size(); ++p) {
    double least = std::numeric_limits<double>::infinity();
    for (size_t u = 0; u < bits.size() / vector; ++u) {
      double own = 0;
      for (size_t i = 0; i < vector; ++i)
        own += cloud.weights[p * vector + i] *
               std::pow(cloud.values[p * vector + i] - static_cast<double>(f16_to_f32(bits[u * vector + i])), 2);
      least = std::min(least, own);
    }
    error += least;
  }
  return error;
}

TEST(VectorPalettes, SmallCloudsGetNearlyTheBestOfAllPalettes) {
  Rng rng(31);
  int best = 0;
  constexpr int kClouds = 40;
  for (int i = 0; i < kClouds; ++i) {
    const int vector = i % 2 == 0 ? 2 : 4, bits = i % 4 < 2 ? 1 : 2;
    const int64_t columns = bits == 1 ? 12 : 8;
    const CloudRows rows = random_rows(vector, columns, rng);
    const Layout layout = layout_of_entries(vector, bits);
    VectorPoints points(layout, columns, rows.column_weights, columns);
    points.add(rows.rows.data(), vector, rows.row_weights.data(), 0);
    const Cloud cloud = cloud_of(rows, vector);
    const std::vector<uint16_t> found = points.entries(PaletteSearch::exact, nullptr);
    const double least = least_error(cloud, size_t{1} << bits), error = nearest_error(cloud, found);
    EXPECT_NEAR(points.error_of(found), error, 1e-5 * error) << i;
    EXPECT_GE(error, least * (1 - 1e-6)) << i;
    EXPECT_LE(error, least * 1.5) << i;
    best += error < least * 1.001 ? 1 : 0;
  }
  EXPECT_GE(best, kClouds * 3 / 4);
}

// Restarts and steps only lower the error; one step more than the last lowers it no further.
TEST(VectorPalettes, RestartsAndStepsLowerTheError) {
  Rng rng(32);
  int lower = 0;
  for (const Layout* layout : vector_layouts()) {
    constexpr int64_t kWide = 700;
    CloudRows rows = random_rows(layout->vector, kWide, rng);
    VectorPoints points(*layout, kWide, rows.column_weights, kWide);
    for (int64_t i = 0; i < 3; ++i, rows.rows = random_rows(layout->vector, kWide, rng).rows)
      points.add(rows.rows.data(), layout->vector, rows.row_weights.data(), i);
    EXPECT_EQ(points.size(), 3 * kWide);
    const double one = points.error_of(points.entries(PaletteSearch::lloyd, nullptr));
    ThreadPool pool(3);
    const std::vector<uint16_t> found = points.entries(PaletteSearch::exact, nullptr);
    EXPECT_LE(points.error_of(found), one) << layout->name;
    lower += points.error_of(found) < 0.999 * one ? 1 : 0;
    EXPECT_EQ(found, points.entries(PaletteSearch::exact, &pool)) << layout->name;
  }
  EXPECT_GT(lower, 2);
}

TEST(VectorPalettes, FindsSeparatedClusters) {
  constexpr int64_t kWide = 640;
  for (const int vector : {2, 4}) {
    Layout layout = layout_of_entries(vector, 6);
    Rng rng(33);
    std::vector<float> rows(static_cast<size_t>(vector * kWide));
    for (int64_t k = 0; k < kWide; ++k)  // ten points around each of 64 places of a lattice
      for (int64_t i = 0; i < vector; ++i) {
        const int64_t place = i == 0 ? k % 8 : i == 1 ? k / 8 % 8 : 0;
        rows[static_cast<size_t>(i * kWide + k)] =
            static_cast<float>(place * 64) + static_cast<float>(rng.below(3)) - 1;
      }
    const std::vector<float> weights(static_cast<size_t>(vector), 1.0f);
    VectorPoints points(layout, kWide, {}, kWide);
    points.add(rows.data(), vector, weights.data(), 0);
    const double error = points.error_of(points.entries(PaletteSearch::exact, nullptr));
    EXPECT_LT(error, static_cast<double>(kWide * vector) * 1.2) << vector;  // the places miss none, or it is thousands
  }
}

// Codes of both methods without feedback: the entry that is nearest to all rows of a code, whose scales count.
TEST(VectorPalettes, KmeansTakesTheNearestEntryOfAll) {
  const TestMatrix matrix = test_matrix(37, 90, 11);
  for (const Layout* layout : vector_layouts()) {
    const TestChoice choice = choose_all("kmeans", *layout, matrix, {});
    ASSERT_TRUE(choice.finite) << layout->name;
    const int64_t vector = layout->vector;
    for (int64_t row = 0; row < matrix.rows; row += vector) {
      for (int64_t k = 0; k < matrix.columns; ++k) {
        const auto off = [&](int u) {
          double sum = 0;
          for (int64_t r = row; r < std::min(row + vector, matrix.rows); ++r) {
            const auto palette = static_cast<size_t>(r / kPanelRows * layout->numbers());
            const double entry = static_cast<double>(
                f16_to_f32(choice.palettes[palette + static_cast<size_t>(u * vector + r % vector)]));
            const double scale =
                layout->scaled ? static_cast<double>(f16_to_f32(choice.scales[static_cast<size_t>(r)])) : 1;
            sum += std::pow(
                entry * scale - static_cast<double>(matrix.values[static_cast<size_t>(r * matrix.columns + k)]), 2);
          }
          return sum;
        };
        const int own = choice.codes[static_cast<size_t>(row * matrix.columns + k)] + layout->offset;
        for (int64_t r = row; r < std::min(row + vector, matrix.rows); ++r)
          ASSERT_EQ(choice.codes[static_cast<size_t>(r * matrix.columns + k)] + layout->offset, own);
        double least = std::numeric_limits<double>::infinity();
        for (int u = 0; u < layout->entries(); ++u) least = std::min(least, off(u));
        ASSERT_LE(off(own), least * 1.00001 + 1e-12) << layout->name << ' ' << row << ' ' << k;
      }
    }
  }
}

template <int kSweeps>
void vectors_with_sweeps(const Layout& layout, const MethodInput& input, const MethodOutput& output) {
  choose_with_feedback(layout, input, kSweeps, output);
}

// GPTQ by its plain definition, in double, with the entries and scales that `choice` stored: each column in turn gets
// the nearest entry for the rows of a code; what is left goes to the columns after it, by the inverse of what remains
// of H.
std::vector<float> feedback_by_definition(const TestMatrix& matrix, const TestChoice& choice) {
  const auto n = static_cast<size_t>(matrix.columns), vector = static_cast<size_t>(choice.layout->vector);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return matrix.second_moment[a] > matrix.second_moment[b]; });
  double mean = 0;
  for (const float moment : matrix.second_moment) mean += static_cast<double>(moment) / static_cast<double>(n);
  std::vector<double> h(n * n);  // then its LDL factors from the last column to the first: h[j][i], i before j
  for (size_t a = 0; a < n; ++a)
    for (size_t b = 0; b < n; ++b)
      h[a * n + b] = static_cast<double>(matrix.hessian[order[a] * n + order[b]]) + (a == b ? 0.01 * mean : 0);
  for (size_t p = n; p-- > 0;) {
    for (size_t a = 0; a < p; ++a)
      for (size_t b = 0; b < p; ++b) h[a * n + b] -= h[p * n + a] * h[p * n + b] / h[p * n + p];
    for (size_t a = 0; a < p; ++a) h[p * n + a] /= h[p * n + p];
  }
  const auto rows = static_cast<size_t>(matrix.rows);
  std::vector<float> decoded(matrix.values.size());
  for (size_t first = 0; first < rows; first += vector) {
    const size_t end = std::min(first + vector, rows);
    const auto entry = [&](size_t u, size_t r) {
      const auto number = r / kPanelRows * static_cast<size_t>(choice.layout->numbers()) + u * vector + r % vector;
      const float scale = choice.layout->scaled ? f16_to_f32(choice.scales[r]) : 1.0f;
      return static_cast<double>(f16_to_f32(choice.palettes[number])) * static_cast<double>(scale);
    };
    for (size_t j = 0; j < n; ++j) {
      std::vector<double> wanted;
      for (size_t r = first; r < end; ++r) {
        wanted.push_back(static_cast<double>(matrix.values[r * n + order[j]]));
        for (size_t i = 0; i < j; ++i)
          wanted.back() += h[j * n + i] * (static_cast<double>(matrix.values[r * n + order[i]]) -
                                           static_cast<double>(decoded[r * n + order[i]]));
      }
      double least = std::numeric_limits<double>::infinity();
      for (size_t u = 0; u < static_cast<size_t>(choice.layout->entries()); ++u) {
        double off = 0;
        for (size_t r = first; r < end; ++r) off += std::pow(entry(u, r) - wanted[r - first], 2);
        if (!(off < least)) continue;
        least = off;
        for (size_t r = first; r < end; ++r) decoded[r * n + order[j]] = static_cast<float>(entry(u, r));
      }
    }
  }
  return decoded;
}

TEST(VectorPalettes, GptqIsTheDefinitionInDouble) {
  const TestMatrix matrix = test_matrix(21, 100, 5);
  for (const Layout* layout : vector_layouts()) {
    const TestChoice choice = choose_all("gptq", *layout, matrix, matrix.statistics(), 1, vectors_with_sweeps<0>);
    ASSERT_TRUE(choice.finite) << layout->name;
    const std::vector<float> plain = feedback_by_definition(matrix, choice);
    int64_t same = 0;
    for (size_t i = 0; i < plain.size(); ++i)
      same += std::fabs(plain[i] - choice.decoded[i]) <= 1e-6f * (1 + std::fabs(plain[i])) ? 1 : 0;
    EXPECT_GE(same, 0.97 * static_cast<double>(plain.size())) << layout->name;
    EXPECT_NEAR(proxy_loss(matrix, choice.decoded) / proxy_loss(matrix, plain), 1, 0.02) << layout->name;
  }
}

// What entries of pairs are for: the same codes in bits leave less error than palettes of single numbers.
TEST(VectorPalettes, PairsLoseLessThanSingleNumbers) {
  const TestMatrix matrix = test_matrix(64, 512, 7);
  const auto loss = [&](const char* method, const char* layout) {
    return proxy_loss(matrix, choose_all(method, *find_layout(layout), matrix, matrix.statistics()).decoded);
  };
  for (const char* method : {"kmeans", "gptq"}) {
    EXPECT_LT(loss(method, "lut8v2_tensor"), 0.9 * loss(method, "lut4_tensor")) << method;
    EXPECT_LT(loss(method, "lut6v2_tensor"), 0.9 * loss(method, "lut3_tensor")) << method;
    EXPECT_LT(loss(method, "lut6v2_group16"), loss(method, "lut3_group16")) << method;
    EXPECT_LT(loss(method, "lut8v4_tensor"), 0.9 * loss(method, "lut2_tensor")) << method;
  }
}

}  // namespace
}  // namespace halftone
