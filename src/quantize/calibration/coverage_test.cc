// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/coverage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace halftone {
namespace {

// Tokens are looked up in a table of two columns, which a matrix reads: what it reads is the table's rows.
class CoverageOfTable : public testing::Test {
 protected:
  CoverageOfTable() {
    GraphBuilder builder;
    const ValueId x = builder.add("embed", Embedding{builder.weight("embed.weight", 5, 2)}, {});
    const ValueId q = builder.add("q", Linear{builder.weight("q.weight", 2, 2)}, {x});
    const ValueId k = builder.add("k", Linear{builder.weight("k.weight", 2, 2)}, {x});
    const ValueId sum = builder.add("sum", Add{}, {q, k});
    auto graph = std::move(builder).finish(sum);
    HALFTONE_CHECK(graph.ok());
    graph_ = std::move(*graph);
    const auto add = [&](const char* name, int64_t rows, const std::vector<float>& values) {
      file_.tensors.push_back(
          {name, {rows, 2}, &layout_of(LayoutId::f32), DType::f32, Order::rows, std::as_bytes(std::span(values)), {}});
    };
    add("embed.weight", 5, table_);
    add("k.weight", 2, matrix_);
    add("q.weight", 2, matrix_);
  }
  Result<CoverageReport> measure(const Sequences& calibration, const Sequences& held_out,
                                 CoverageOptions options = {}) {
    HALFTONE_ASSIGN(const WeightTable weights, WeightTable::create(graph_, file_));
    ThreadPool pool(2);
    return measure_coverage(graph_, weights, calibration, held_out, pool, options);
  }

  Graph graph_;
  ModelFile file_;
  std::vector<float> table_ = {0, 0, 1, -1, 2, 0.5f, -1, -3, 3, 0.25f}, matrix_ = {1, 2, 3, 4};
};

TEST_F(CoverageOfTable, CountsWhatLeavesTheCalibratedRanges) {
  // Calibrated: columns 0 .. 1 and -1 .. 0. Held out, token 1 is inside; 2 leaves both columns above; 3 both below.
  const auto report = measure({{0, 1, 1}, {0}}, {{1, 1, 2, 3, 1}, {0, 2, 4}});
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->tensors.size(), 1u);  // read by two, measured once
  const TensorCoverage& tensor = report->tensors[0];
  EXPECT_EQ(tensor.readers, (std::vector<std::string>{"q", "k"}));
  EXPECT_DOUBLE_EQ(tensor.inside, 0.6);
  EXPECT_DOUBLE_EQ(report->inside, 0.6);
  ASSERT_EQ(tensor.worst.size(), 2u);
  EXPECT_EQ(tensor.worst[0].channel, 0);
  EXPECT_EQ(tensor.worst[0].low, 0);
  EXPECT_EQ(tensor.worst[0].high, 1);
  EXPECT_EQ(tensor.worst[0].held_low, -1);
  EXPECT_EQ(tensor.worst[0].held_high, 2);
  EXPECT_DOUBLE_EQ(tensor.worst[0].outside, 0.4);
  // The second held-out sample leaves by (1 + 1) / 1 and (0.5 + 2) / 1.
  ASSERT_EQ(report->samples.size(), 3u);
  EXPECT_EQ(report->samples[0].sample, 1);
  EXPECT_DOUBLE_EQ(report->samples[0].excess, 2.25);
  EXPECT_DOUBLE_EQ(report->samples[0].outside, 1);
  EXPECT_EQ(report->samples[1].sample, 0);
  EXPECT_EQ(report->samples[1].excess, 0);
  EXPECT_EQ(tensor.moment_change, 0);
}

TEST_F(CoverageOfTable, SaysWhetherTheSecondHalfChangedAnything) {
  const auto same = measure({{0, 1, 0, 1}, {0, 2}}, {{1}, {0}});
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->tensors[0].moment_change, 0);
  EXPECT_EQ(same->tensors[0].range_growth, 0);
  // Halves (0, 1) and (2, 2): second moments (0.5, 0.5) at first, (2.25, 0.375) of all; ranges 1 of 2 and 1 of 1.5.
  const auto other = measure({{0, 1, 2, 2}, {0, 2}}, {{1}, {0}});
  ASSERT_TRUE(other.ok());
  EXPECT_NEAR(other->tensors[0].moment_change, std::hypot(1.75, 0.125) / std::hypot(2.25, 0.375), 1e-7);
  EXPECT_NEAR(other->tensors[0].range_growth, (0.5 + 1 / 3.0) / 2, 1e-7);
}

TEST_F(CoverageOfTable, ReportsAsManyAsAskedFor) {
  const auto report = measure({{0, 1}, {0}}, {{2, 3, 4}, {0, 1, 2}}, {1, 2});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->tensors[0].worst.size(), 1u);
  EXPECT_EQ(report->samples.size(), 2u);
  EXPECT_EQ(report->to_json()["tensors"][0]["worst"].size(), 1u);
}

TEST_F(CoverageOfTable, RefusesInputsThatAreNotFinite) {
  table_[2] = std::numeric_limits<float>::infinity();
  const auto report = measure({{0, 1}, {0}}, {{0}, {0}});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.status().message().find("q: expected finite inputs, got inf in column 0"), std::string_view::npos);
}

}  // namespace
}  // namespace halftone
