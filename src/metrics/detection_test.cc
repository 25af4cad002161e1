// SPDX-License-Identifier: Apache-2.0
#include "metrics/detection.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace halftone {
namespace {

DetectionBox box(double left, double top, double size) { return {left, top, left + size, top + size}; }

TEST(Detection, OverlapOfBoxes) {
  EXPECT_DOUBLE_EQ(overlap_of(box(0, 0, 10), box(0, 0, 10)), 1);
  EXPECT_DOUBLE_EQ(overlap_of(box(0, 0, 10), box(5, 0, 10)), 50.0 / 150);
  EXPECT_DOUBLE_EQ(overlap_of(box(0, 0, 10), box(10, 0, 10)), 0);
  EXPECT_DOUBLE_EQ(overlap_of(box(2, 2, 5), box(0, 0, 10), true), 1);
}

TEST(Detection, AllFoundIsOneAndNothingFoundIsZero) {
  const std::vector<TrueObject> truth = {{0, 0, box(0, 0, 40)}, {1, 0, box(5, 5, 40)}, {1, 1, box(50, 50, 40)}};
  std::vector<DetectedObject> found;
  for (const TrueObject& object : truth) found.push_back({object.image, object.label, object.box, 0.9});
  EXPECT_DOUBLE_EQ(DetectionMatches(truth, found, 2, 3).mean_precision(), 1);
  EXPECT_DOUBLE_EQ(DetectionMatches(truth, {}, 2, 3).mean_precision(), 0);
  EXPECT_EQ(DetectionMatches(truth, found, 2, 3).class_precision(2, AreaRange::all, 0, kOverlaps), -1);
  EXPECT_EQ(DetectionMatches(truth, found, 2, 3).mean_precision(AreaRange::small), -1);
  EXPECT_DOUBLE_EQ(DetectionMatches(truth, found, 2, 3).mean_precision(AreaRange::medium), 1);
}

TEST(Detection, HalfOfTheObjectsGiveTheRecallLevelsUpToAHalf) {
  const std::vector<TrueObject> truth = {{0, 0, box(0, 0, 40)}, {0, 0, box(100, 0, 40)}};
  const std::vector<DetectedObject> found = {{0, 0, box(0, 0, 40), 0.9}};
  EXPECT_DOUBLE_EQ(DetectionMatches(truth, found, 1, 1).mean_precision(), 51.0 / 101);
}

TEST(Detection, ALooseBoxCountsAtLowOverlapsAlone) {
  const std::vector<TrueObject> truth = {{0, 0, box(0, 0, 40)}};
  const std::vector<DetectedObject> found = {{0, 0, {0, 0, 40, 26}, 0.9}};  // 0.65
  const DetectionMatches matches(truth, found, 1, 1);
  EXPECT_DOUBLE_EQ(matches.mean_precision(AreaRange::all, 0, 1), 1);
  EXPECT_DOUBLE_EQ(matches.mean_precision(AreaRange::all, 5, 6), 0);
  EXPECT_DOUBLE_EQ(matches.mean_precision(), 0.4);  // 0.50, 0.55, 0.60, 0.65
}

TEST(Detection, CrowdsAndObjectsOutsideOfTheRangeCountNeitherWay) {
  const std::vector<TrueObject> truth = {
      {0, 0, box(0, 0, 40)}, {0, 0, box(100, 100, 80), 0, true}, {0, 0, box(300, 0, 200)}};
  const std::vector<DetectedObject> found = {{0, 0, box(110, 110, 40), 0.95},
                                             {0, 0, box(130, 130, 40), 0.94},
                                             {0, 0, box(0, 0, 40), 0.9},
                                             {0, 0, box(300, 0, 200), 0.8}};
  EXPECT_DOUBLE_EQ(DetectionMatches(truth, found, 1, 1).mean_precision(), 1);
  EXPECT_DOUBLE_EQ(DetectionMatches(truth, found, 1, 1).mean_precision(AreaRange::medium), 1);
}

// The definition word by word, one range and overlap at a time, with a repeated image for every weight.
double plain_precision(std::vector<TrueObject> truth, std::vector<DetectedObject> found, int label, double least,
                       double most, double threshold, int64_t images) {
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  std::vector<bool> used(truth.size(), false);
  std::vector<int> verdicts;  // 1 right, 0 wrong
  std::vector<int64_t> seen(static_cast<size_t>(images), 0);
  double objects = 0;
  const auto outside = [&](double area) { return area < least || area > most; };
  for (const TrueObject& object : truth)
    objects += object.label == label && !object.crowd && !outside(object.box.area());
  for (const DetectedObject& one : found) {
    if (one.label != label || ++seen[static_cast<size_t>(one.image)] > 100) continue;
    int64_t pick = -1;
    bool pick_ignored = true;
    double best = threshold;
    for (size_t i = 0; i < truth.size(); ++i) {
      const TrueObject& object = truth[i];
      if (object.label != label || object.image != one.image || (used[i] && !object.crowd)) continue;
      const bool ignored = object.crowd || outside(object.box.area());
      const double overlap = overlap_of(one.box, object.box, object.crowd);
      if (overlap < threshold) continue;
      if (pick >= 0 && (ignored != pick_ignored ? ignored : overlap < best)) continue;
      pick = static_cast<int64_t>(i);
      pick_ignored = ignored;
      best = overlap;
    }
    if (pick >= 0) used[static_cast<size_t>(pick)] = true;
    if (pick >= 0 ? pick_ignored : outside(one.box.area())) continue;
    verdicts.push_back(pick >= 0);
  }
  double sum = 0;
  for (int level = 0; level <= 100; ++level) {
    double best = 0, right = 0;
    for (size_t i = 0; i < verdicts.size(); ++i) {
      right += verdicts[i];
      if (right / objects >= level / 100.0) best = std::max(best, right / static_cast<double>(i + 1));
    }
    sum += best;
  }
  return objects == 0 ? -1 : sum / 101;
}

TEST(Detection, AgreesWithTheDefinitionWordByWordAndWithWeights) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed);
    constexpr int64_t kImages = 4;
    std::vector<TrueObject> truth;
    std::vector<DetectedObject> found;
    std::vector<double> weights;
    for (int64_t image = 0; image < kImages; ++image) {
      weights.push_back(static_cast<double>(rng.below(3)));
      for (uint64_t i = rng.below(5); i > 0; --i) {
        const double size = 10 + 100 * rng.uniform();
        const TrueObject object = {image, static_cast<int>(rng.below(2)), box(200 * rng.uniform(), 0, size), 0,
                                   rng.below(6) == 0};
        truth.push_back(object);
        for (uint64_t k = rng.below(3); k > 0; --k)
          found.push_back({image, rng.below(8) == 0 ? 1 - object.label : object.label,
                           box(object.box.left + size * 0.4 * rng.uniform(), 0, size), rng.uniform()});
      }
      found.push_back({image, 0, box(500, 500, 20 + 50 * rng.uniform()), rng.uniform()});
    }
    const DetectionMatches matches(truth, found, kImages, 2);
    std::vector<TrueObject> repeated;
    std::vector<DetectedObject> repeated_found;
    int64_t copies = 0;
    for (int64_t image = 0; image < kImages; ++image) {
      for (int k = 0; k < static_cast<int>(weights[static_cast<size_t>(image)]); ++k, ++copies) {
        for (TrueObject object : truth)
          if (object.image == image) object.image = copies, repeated.push_back(object);
        for (DetectedObject object : found)
          if (object.image == image) object.image = copies, repeated_found.push_back(object);
      }
    }
    constexpr std::array<std::pair<double, double>, 4> kAreas = {{{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}}};
    for (int label = 0; label < 2; ++label)
      for (size_t range = 0; range < kAreas.size(); ++range)
        for (const int overlap : {0, 3, 5, 9}) {
          const double threshold = 0.5 + 0.05 * overlap;
          const auto area = static_cast<AreaRange>(range);
          EXPECT_NEAR(
              matches.class_precision(label, area, overlap, overlap + 1),
              plain_precision(truth, found, label, kAreas[range].first, kAreas[range].second, threshold, kImages),
              1e-12)
              << seed;
          // Precision inside a run of copies differs, but is never above that at its end.
          const double weighted = matches.class_precision(label, area, overlap, overlap + 1, weights);
          const double copied = plain_precision(repeated, repeated_found, label, kAreas[range].first,
                                                kAreas[range].second, threshold, copies);
          if (copied < 0)
            EXPECT_EQ(weighted, -1);
          else
            EXPECT_NEAR(weighted, copied, 1e-12) << seed;
        }
  }
}

}  // namespace
}  // namespace halftone
