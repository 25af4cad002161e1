// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "metrics/detection.h"
#include "validate/fake_network.h"
#include "validate/tasks/detections.h"

namespace halftone {
namespace {

constexpr int kImages = 90, kSlots = 4, kDetectClasses = 3, kSlotNumbers = 6;  // class, score, left, top, right, bottom

// A sample holds what is to be found: the detector reads it back, all boxes moved right by `off`, and misses those
// whose score is below `blind`.
class FakeDetector : public Classifier {
 public:
  FakeDetector(double off, double blind) : off_(off), blind_(blind) {}
  Result<std::vector<Tensor>> outputs(const Tensor& sample) override {
    const auto x = sample.values<float>();
    std::vector<float> boxes, scores;
    for (int slot = 0; slot < kSlots; ++slot) {
      const float* one = x.data() + slot * kSlotNumbers;
      for (int k = 0; k < 4; ++k) boxes.push_back(one[2 + k] + (k % 2 == 0 ? static_cast<float>(off_) : 0));
      for (int c = 0; c < kDetectClasses; ++c)
        scores.push_back(static_cast<float>(c) == one[0] && one[1] >= blind_ ? one[1] : 0.0F);
    }
    return std::vector<Tensor>{
        Tensor::of<float>(DType::f32, {1, kSlots, 4}, std::span<const float>(boxes)),
        Tensor::of<float>(DType::f32, {1, kSlots, kDetectClasses}, std::span<const float>(scores))};
  }
  Result<std::vector<double>> log_probabilities(const Tensor&) override { return unsupported("no classes here"); }

 private:
  double off_, blind_;
};

class Detect : public testing::Test {
 protected:
  void SetUp() override {
    Rng rng(12);
    std::string list = "path,boxes\n";
    for (int i = 0; i < kImages; ++i) {
      list += fmt::format("numbers.npy#{},", i);
      for (int slot = 0; slot < kSlots; ++slot) {
        const double label = static_cast<double>(rng.below(kDetectClasses)), score = 0.1 + 0.9 * rng.uniform(),
                     left = 50 * slot, side = rng.below(2) == 0 ? 20 : 40;
        for (const double one : {label, score, left, 10.0, left + side, 10.0 + side})
          numbers_.push_back(static_cast<float>(one));
        if (slot == 3 && i % 2 == 0) continue;  // a detection where nothing is
        list += fmt::format("{}{} {} {} {} {}", slot == 0 ? "" : ";", label, left, 10, left + side, 10 + side);
        truth_.push_back({i, static_cast<int>(label), {left, 10, left + side, 10 + side}});
      }
      list += "\n";
    }
    write_rows(folder_, numbers_, kSlots * kSlotNumbers);
    ASSERT_TRUE(write_file_atomic(folder_ / "list.csv", list).ok());
  }

  DetectionMatches expected(double off, double blind) const {
    std::vector<DetectedObject> found;
    for (int i = 0; i < kImages * kSlots; ++i) {
      const float* one = numbers_.data() + i * kSlotNumbers;
      if (one[1] < blind) continue;
      found.push_back({i / kSlots, static_cast<int>(one[0]), {one[2] + off, one[3], one[4] + off, one[5]}, one[1]});
    }
    return {truth_, found, kImages, kDetectClasses};
  }
  Result<Validation> validate(FakeDetector candidate, const Gate* gate = nullptr) {
    FakeDetector reference(0, 0);
    return validate_networks(reference, candidate, "detect:" + (folder_ / "list.csv").string(), gate, 200);
  }

  TempFolder folder_;
  std::vector<float> numbers_;
  std::vector<TrueObject> truth_;
};

TEST_F(Detect, PrecisionIsThatOfTheBoxes) {
  const auto validation = validate(FakeDetector(4, 0.3));
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  const Comparison& comparison = validation->comparison;
  const DetectionMatches before = expected(0, 0), after = expected(4, 0.3);
  const struct {
    const char* name;
    AreaRange range;
    int first, last;
  } rows[] = {{"map", AreaRange::all, 0, 10},
              {"ap50", AreaRange::all, 0, 1},
              {"ap75", AreaRange::all, 5, 6},
              {"map_small", AreaRange::small, 0, 10},
              {"map_medium", AreaRange::medium, 0, 10}};
  for (const auto& one : rows) {
    const MetricRow& row = metric_of(comparison, one.name);
    EXPECT_NEAR(*row.reference, before.mean_precision(one.range, one.first, one.last), 1e-9) << one.name;
    EXPECT_NEAR(*row.candidate, after.mean_precision(one.range, one.first, one.last), 1e-9) << one.name;
    ASSERT_TRUE(row.interval.has_value());
    EXPECT_LE(row.interval->low, row.delta);
    EXPECT_GE(row.interval->high, row.delta);
  }
  EXPECT_LT(*metric_of(comparison, "map").candidate, *metric_of(comparison, "map").reference);
  EXPECT_EQ(std::count_if(comparison.metrics.begin(), comparison.metrics.end(),
                          [](const MetricRow& row) { return row.name == "map_large"; }),
            0);  // there is no such object
  ASSERT_EQ(comparison.slices.size(), static_cast<size_t>(kDetectClasses));
  for (int c = 0; c < kDetectClasses; ++c)
    EXPECT_NEAR(*comparison.slices[static_cast<size_t>(c)].accuracy.candidate,
                after.class_precision(c, AreaRange::all, 0, 10), 1e-9);
  ASSERT_FALSE(comparison.worst.empty());
  const auto again = parse_records(format_records(validation->records), "samples.jsonl");
  ASSERT_TRUE(again.ok()) << again.status().message();
  CompareOptions options;
  options.replicates = 200;
  EXPECT_EQ(to_json(*compare(*again, nullptr, options)), to_json(comparison));
}

TEST_F(Detect, AGateReadsIt) {
  const auto gate = parse_gate("checks:\n- {metric: map.loss, max: 5}\n- {metric: ap50.loss, max: 5}\n", "g.yaml");
  ASSERT_TRUE(gate.ok()) << gate.status().message();
  const auto worse = validate(FakeDetector(4, 0), &*gate);  // boxes of 20 and 40 still overlap by more than half
  EXPECT_NE(worse->comparison.gate->checks[0].verdict, Verdict::pass) << worse->comparison.gate->checks[0].reason;
  EXPECT_GT(*worse->comparison.gate->checks[0].value, 30);
  EXPECT_EQ(worse->comparison.gate->checks[1].verdict, Verdict::pass);
}

TEST_F(Detect, WhatDoesNotFitIsNamed) {
  const auto problem = [&](const std::string& boxes) {
    EXPECT_TRUE(write_file_atomic(folder_ / "list.csv", "path,boxes\nnumbers.npy#0," + boxes + "\n").ok());
    return std::string(load_suite("detect:" + (folder_ / "list.csv").string()).status().message());
  };
  EXPECT_NE(problem("0 1 2").find("list.csv:2: boxes: expected [label] left top right bottom"), std::string::npos);
  EXPECT_NE(problem("0 5 1 2 3 4 5").find("expected [label]"), std::string::npos);
  EXPECT_NE(problem("x 1 2 3 4").find("expected numbers"), std::string::npos);
  EXPECT_EQ(problem("0 1 1 9 9;2 3 3 8 8 crowd"), "");
  EXPECT_EQ(problem(""), "");  // nothing is there
}

// One picture of 200 x 100 (width x height), seen at half the size, 10 pixels cut off at its left.
TEST(Detections, GoBackIntoThePicture) {
  SeenSample seen;
  seen.place = {0.5, 0.5, 10, 0, 100, 200, 50, 80};
  const auto floats = [](Shape shape, std::vector<float> values) {
    return Tensor::of<float>(DType::f32, std::move(shape), std::span<const float>(values));
  };
  const std::vector<Tensor> outputs = {floats({1, 3, 4}, {5, 10, 8, 20, 5, 10, 9, 20, 0, 0, 0, 0}),
                                       floats({1, 3}, {0.5F, 0.9F, 0.99F}), floats({3}, {7, 7, 1})};
  BoxFormat format;
  format.classes = 2;
  using Numbers = std::vector<double>;
  auto found = detections_of(outputs, seen, format);
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(*found, (Numbers{7, 0.899999976, 30, 20, 38, 40, 7, 0.5, 30, 20, 36, 40}));  // the empty box is none
  format.most_overlap = 0.5;                                                             // they overlap by 0.75
  EXPECT_EQ(*detections_of(outputs, seen, format), (Numbers{7, 0.899999976, 30, 20, 38, 40}));
  format.corners = BoxCorners::ltwh;
  EXPECT_EQ(*detections_of(outputs, seen, format), (Numbers{7, 0.899999976, 30, 20, 48, 60}));
  format.corners = BoxCorners::cxcywh;
  EXPECT_EQ(*detections_of(outputs, seen, format), (Numbers{7, 0.899999976, 21, 0, 39, 40}));
  format.corners = BoxCorners::tlbr;
  format.fractions = true;
  const std::vector<Tensor> parts = {floats({1, 1, 4}, {0.1F, 0.25F, 0.5F, 0.75F}), floats({1, 1}, {1}),
                                     floats({1}, {0})};
  EXPECT_EQ(*detections_of(parts, seen, format), (Numbers{0, 1, 60, 10, 140, 50}));
  format.classes = 5;
  EXPECT_NE(std::string(detections_of(outputs, seen, format).status().message())
                .find("output: classes: expected a number below the network's 3 outputs, got 5"),
            std::string::npos);
}

}  // namespace
}  // namespace halftone
