// SPDX-License-Identifier: Apache-2.0
#include "quantize/activations/ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int64_t kRangeRows = 6, kRangeColumns = 4;

// embed -> x; q and k read x; h = q + k + x, x as it is; d reads h.
class RangesOfSmallGraph : public testing::Test {
 protected:
  RangesOfSmallGraph() {
    GraphBuilder builder;
    const ValueId x = builder.add("embed", Embedding{builder.weight("embed.weight", kRangeRows, kRangeColumns)}, {});
    const ValueId q = builder.add("q", Linear{builder.weight("q.weight", kRangeColumns, kRangeColumns)}, {x});
    const ValueId k = builder.add("k", Linear{builder.weight("k.weight", kRangeColumns, kRangeColumns)}, {x});
    const ValueId h = builder.add("h", Add{}, {builder.add("s", Add{}, {q, k}), x});
    auto graph = std::move(builder).finish(builder.add("d", Linear{builder.weight("d.weight", 2, kRangeColumns)}, {h}));
    HALFTONE_CHECK(graph.ok());
    graph_ = std::move(*graph);
    for (size_t i = 0; i < table_.size(); ++i) table_[i] = std::sin(static_cast<float>(i * i) * 0.37f);
    for (size_t i = 0; i < 4; ++i) table_[20 + i] = 9 + static_cast<float>(i);  // row 5 is far out
    for (size_t i = 0; i < q_.size(); ++i) q_[i] = std::cos(static_cast<float>(i) * 1.7f), k_[i] = q_[i] * 0.3f - 0.5f;
    const auto add = [&](const char* name, int64_t rows, const std::vector<float>& values) {
      file_.tensors.push_back({name,
                               {rows, kRangeColumns},
                               &layout_of(LayoutId::f32),
                               DType::f32,
                               Order::rows,
                               std::as_bytes(std::span(values)),
                               {}});
    };
    add("d.weight", 2, d_);
    add("embed.weight", kRangeRows, table_);
    add("k.weight", kRangeColumns, k_);
    add("q.weight", kRangeColumns, q_);
  }

  Result<RangesReport> find(const Sequences& texts, ActivationOptions options, int threads = 2) {
    ThreadPool pool(threads);
    return find_ranges(file_, graph_, texts, options, pool, no_progress());
  }
  // Magnitudes of x and of h over the tokens, in plain code; x is rounded to the scale where matrices read it.
  std::pair<std::vector<double>, std::vector<double>> plain(const std::vector<int32_t>& tokens, double scale,
                                                            double levels) const {
    std::vector<double> x_magnitudes, h_magnitudes;
    for (const int32_t token : tokens) {
      const float* x = &table_[static_cast<size_t>(token * kRangeColumns)];
      for (size_t row = 0; row < kRangeColumns; ++row) {
        double h = static_cast<double>(x[row]);
        x_magnitudes.push_back(std::fabs(h));
        for (size_t i = 0; i < kRangeColumns; ++i) {
          const double code = std::clamp(std::nearbyint(static_cast<double>(x[i]) / scale), -levels, levels);
          h += code * scale * static_cast<double>(q_[row * kRangeColumns + i] + k_[row * kRangeColumns + i]);
        }
        h_magnitudes.push_back(std::fabs(h));
      }
    }
    return {x_magnitudes, h_magnitudes};
  }

  Graph graph_;
  ModelFile file_;
  std::vector<float> table_ = std::vector<float>(kRangeRows * kRangeColumns),
                     q_ = std::vector<float>(kRangeColumns * kRangeColumns), k_ = q_,
                     d_ = std::vector<float>(2 * kRangeColumns, 0.5f);
};

double largest_of(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

TEST_F(RangesOfSmallGraph, AreThoseOfWhatRoundedInputsGive) {
  const Sequences texts = {{0, 1, 2, 3, 4, 1}, {0, 4}};
  const auto report = find(texts, {8, RangeRule::max});
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->inputs.size(), 2u);  // x is read by two, and has one range
  EXPECT_EQ(report->inputs[0].matrices, (std::vector<std::string>{"q.weight", "k.weight"}));
  EXPECT_EQ(report->inputs[1].matrices, (std::vector<std::string>{"d.weight"}));
  const double x_scale = static_cast<double>(report->inputs[0].range.scale);
  const auto [x, h] = plain(texts.tokens, x_scale, 127);
  EXPECT_NEAR(x_scale * 127 / largest_of(x), 1, 1e-6);
  EXPECT_NEAR(static_cast<double>(report->inputs[1].range.scale) * 127 / largest_of(h), 1, 1e-5);
  // The float model's would differ: what is tested is that inputs are rounded, and only where matrices read them.
  EXPECT_GT(std::fabs(largest_of(plain(texts.tokens, 1e-6, 1e9).second) / largest_of(h) - 1), 4e-5);
  EXPECT_EQ(report->inside, 1);
  EXPECT_EQ(report->tokens, 6);
  EXPECT_EQ(report->by_matrix().size(), 3u);
  EXPECT_EQ(report->by_matrix().at("k.weight"), report->inputs[0].range);
}

TEST_F(RangesOfSmallGraph, SayHowMuchOfATextTheyHold) {
  const Sequences texts = {{0, 1, 2, 3}, {0}}, held_out = {{1, 5, 5, 2, 0}, {0, 3}};
  auto report = find(texts, {8, RangeRule::percentile, 75});
  ASSERT_TRUE(report.ok()) << report.status().message();
  ThreadPool pool(2);
  ASSERT_TRUE(cover_held_out(file_, graph_, held_out, *report, pool, no_progress()).ok());
  double inside_held = 0, values_held = 0;
  for (const bool held : {false, true}) {
    const auto magnitudes =
        plain((held ? held_out : texts).tokens, static_cast<double>(report->inputs[0].range.scale), 127);
    for (size_t i = 0; i < 2; ++i) {
      const auto& values = i == 0 ? magnitudes.first : magnitudes.second;
      const double border = static_cast<double>(report->inputs[i].range.scale) * 127.5;
      const auto inside = std::count_if(values.begin(), values.end(), [&](double value) { return value <= border; });
      const RangeCoverage& got = held ? *report->inputs[i].held_out : report->inputs[i].calibration;
      EXPECT_NEAR(got.inside, static_cast<double>(inside) / static_cast<double>(values.size()), 1e-12) << held << i;
      EXPECT_NEAR(static_cast<double>(got.largest) / largest_of(values), 1, 1e-5);
      if (!held) {
        EXPECT_NEAR(got.inside, 0.75, 0.08);
        continue;
      }
      inside_held += static_cast<double>(inside), values_held += static_cast<double>(values.size());
    }
  }
  EXPECT_NEAR(*report->held_out_inside, inside_held / values_held, 1e-12);
  EXPECT_LT(*report->held_out_inside, report->inside);
  const auto json = report->to_json();
  EXPECT_EQ(json["percentile"], 75);
  EXPECT_EQ(json["held_out_tokens"], 5);
  EXPECT_EQ(json["inputs"][1]["matrices"][0], "d.weight");
  EXPECT_EQ(json["inputs"][1]["held_out"]["inside"], report->inputs[1].held_out->inside);
  EXPECT_FALSE(report->summary().contains("held_out_inside"));
}

// The same text is covered as it was when its ranges were found, whatever the rule.
TEST_F(RangesOfSmallGraph, ASecondPassSeesWhatTheFirstSaw) {
  const Sequences texts = {{0, 1, 2, 3, 4, 5}, {0, 2}};
  for (const RangeRule rule : {RangeRule::error, RangeRule::percentile, RangeRule::max}) {
    for (const int32_t bits : {8, 16}) {
      auto report = find(texts, {bits, rule, 80}, 1);
      ASSERT_TRUE(report.ok());
      ThreadPool pool(3);
      ASSERT_TRUE(cover_held_out(file_, graph_, texts, *report, pool, no_progress()).ok());
      for (const InputRange& input : report->inputs) {
        EXPECT_EQ(input.held_out->inside, input.calibration.inside);
        EXPECT_EQ(input.held_out->largest, input.calibration.largest);
        EXPECT_TRUE(input.range.makes_sense());
        EXPECT_EQ(input.range.bits, bits);
      }
    }
  }
}

TEST_F(RangesOfSmallGraph, ZerosGetABorderOfOne) {
  std::fill(table_.begin(), table_.end(), 0.0f);
  for (const RangeRule rule : {RangeRule::error, RangeRule::percentile, RangeRule::max}) {
    const auto report = find({{0, 1}, {0}}, {8, rule});
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->inputs[0].range.scale, 1.0f / 127);
    EXPECT_EQ(report->inputs[0].relative_rms_error, 0);
  }
}

TEST_F(RangesOfSmallGraph, WhatIsNotFiniteIsNamed) {
  table_[5] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(find({{0, 1}, {0}}, {8}).status().message(),
            "[ranges] the inputs of 'q.weight': expected finite values, got inf on the calibration");
  auto report = find({{0, 2}, {0}}, {8});
  ASSERT_TRUE(report.ok());
  ThreadPool pool(1);
  EXPECT_TRUE(std::string(cover_held_out(file_, graph_, {{1}, {0}}, *report, pool, no_progress()).message())
                  .ends_with("expected finite values, got inf on the held-out text"));
}

TEST(Ranges, AMatrixThatIsReadTwiceHasNoRange) {
  GraphBuilder builder;
  const ValueId x = builder.add("embed", Embedding{builder.weight("embed.weight", 2, 2)}, {});
  const WeightId shared = builder.weight("shared.weight", 2, 2);
  const ValueId a = builder.add("a", Linear{shared}, {x});
  auto graph = std::move(builder).finish(builder.add("b", Linear{shared}, {a}));
  ASSERT_TRUE(graph.ok());
  ThreadPool pool(1);
  EXPECT_EQ(find_ranges(ModelFile(), *graph, {{0}, {0}}, {8}, pool, no_progress()).status().message(),
            "[ranges] tensor shared.weight: expected a matrix that is read once, got a second reader, b");
}

}  // namespace
}  // namespace halftone
