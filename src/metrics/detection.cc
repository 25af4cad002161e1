// SPDX-License-Identifier: Apache-2.0
#include "metrics/detection.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace halftone {
namespace {

constexpr size_t kMostDetections = 100;  // per image and class
constexpr int kRecallLevels = 101;

struct AreaLimits {
  double least, most;
};

AreaLimits limits_of(size_t range) {
  constexpr double kSmall = 32.0 * 32.0, kMedium = 96.0 * 96.0, kAll = 1e10;
  constexpr std::array<AreaLimits, kAreaRanges> kLimits = {
      {{0, kAll}, {0, kSmall}, {kSmall, kMedium}, {kMedium, kAll}}};
  return kLimits[range];
}

bool is_outside(double area, const AreaLimits& limits) { return area < limits.least || area > limits.most; }

double area_of(const TrueObject& object) { return object.area > 0 ? object.area : object.box.area(); }

double threshold_of(int overlap) { return 0.5 + 0.05 * overlap; }

// Which object a detection takes: the one it overlaps most, of those still free; crowds may be taken again, and are
// only taken, like objects outside of the range, when nothing that counts fits. -1: none. `overlaps` is of this
// detection with every object.
int64_t take_object(std::span<const TrueObject* const> truth, std::span<const double> overlaps,
                    const std::vector<bool>& ignored, const std::vector<bool>& taken, double threshold) {
  for (const bool counts : {true, false}) {
    int64_t best = -1;
    double most = std::min(threshold, 1 - 1e-10);
    for (size_t i = 0; i < truth.size(); ++i) {
      if (ignored[i] == counts || (taken[i] && !truth[i]->crowd) || overlaps[i] < most) continue;
      most = overlaps[i];
      best = static_cast<int64_t>(i);
    }
    if (best >= 0) return best;
  }
  return -1;
}

}  // namespace

double overlap_of(const DetectionBox& a, const DetectionBox& b, bool b_is_crowd) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const double common = width * height;
  return common / (b_is_crowd ? a.area() : a.area() + b.area() - common);
}

DetectionMatches::DetectionMatches(std::span<const TrueObject> truth, std::span<const DetectedObject> detected,
                                   int64_t images, int classes)
    : classes_(classes), per_class_(static_cast<size_t>(classes)) {
  struct Pair {
    std::vector<const TrueObject*> truth;
    std::vector<const DetectedObject*> detected;
  };
  std::map<std::pair<int, int64_t>, Pair> pairs;
  for (const TrueObject& object : truth) {
    HALFTONE_CHECK(object.image >= 0 && object.image < images && object.label >= 0 && object.label < classes);
    pairs[{object.label, object.image}].truth.push_back(&object);
  }
  for (const DetectedObject& object : detected) {
    HALFTONE_CHECK(object.image >= 0 && object.image < images && object.label >= 0 && object.label < classes);
    pairs[{object.label, object.image}].detected.push_back(&object);
  }
  for (auto& [key, pair] : pairs) {
    std::stable_sort(pair.detected.begin(), pair.detected.end(),
                     [](const DetectedObject* a, const DetectedObject* b) { return a->score > b->score; });
    if (pair.detected.size() > kMostDetections) pair.detected.resize(kMostDetections);
    match_image(per_class_[static_cast<size_t>(key.first)], key.second, pair.truth, pair.detected);
  }
  for (PerClass& of_class : per_class_)
    std::stable_sort(of_class.candidates.begin(), of_class.candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
}

void DetectionMatches::match_image(PerClass& result, int64_t image, std::span<const TrueObject* const> truth,
                                   std::span<const DetectedObject* const> detected) const {
  std::vector<double> overlaps;
  for (const DetectedObject* found : detected)
    for (const TrueObject* object : truth) overlaps.push_back(overlap_of(found->box, object->box, object->crowd));
  const size_t first = result.candidates.size();
  for (const DetectedObject* found : detected) result.candidates.push_back({image, found->score, {}, {}});
  for (size_t range = 0; range < kAreaRanges; ++range) {
    const AreaLimits limits = limits_of(range);
    std::vector<bool> ignored;
    for (const TrueObject* object : truth) {
      ignored.push_back(object->crowd || is_outside(area_of(*object), limits));
      if (!ignored.back()) result.objects_of_image[range].push_back(image);
    }
    for (int overlap = 0; overlap < kOverlaps; ++overlap) {
      std::vector<bool> taken(truth.size(), false);
      const auto bit = static_cast<uint16_t>(1U << static_cast<unsigned>(overlap));
      for (size_t d = 0; d < detected.size(); ++d) {
        const std::span<const double> of_this =
            std::span<const double>(overlaps).subspan(d * truth.size(), truth.size());
        const int64_t object = truth.empty() ? -1 : take_object(truth, of_this, ignored, taken, threshold_of(overlap));
        Candidate& candidate = result.candidates[first + d];
        if (object >= 0) {
          taken[static_cast<size_t>(object)] = true;
          candidate.hit[range] |= bit;
        }
        if (object >= 0 ? ignored[static_cast<size_t>(object)] : is_outside(detected[d]->box.area(), limits))
          candidate.ignored[range] |= bit;
      }
    }
  }
}

double DetectionMatches::class_precision(int label, AreaRange area, int first_overlap, int last_overlap,
                                         std::span<const double> weights) const {
  const PerClass& of_class = per_class_[static_cast<size_t>(label)];
  const auto range = static_cast<size_t>(area);
  const auto weight = [&](int64_t image) { return weights.empty() ? 1.0 : weights[static_cast<size_t>(image)]; };
  double objects = 0, total = 0;
  for (const int64_t image : of_class.objects_of_image[range]) objects += weight(image);
  if (objects <= 0) return -1;
  std::vector<double> recall, precision;
  for (int overlap = first_overlap; overlap < last_overlap; ++overlap) {
    const auto bit = static_cast<uint16_t>(1U << static_cast<unsigned>(overlap));
    double right = 0, wrong = 0;
    recall.clear();
    precision.clear();
    for (const Candidate& candidate : of_class.candidates) {
      const double counts = weight(candidate.image);
      if ((candidate.ignored[range] & bit) != 0 || counts <= 0) continue;
      ((candidate.hit[range] & bit) != 0 ? right : wrong) += counts;
      recall.push_back(right / objects);
      precision.push_back(right / (right + wrong));
    }
    for (size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
    double sum = 0;
    size_t at = 0;
    for (int level = 0; level < kRecallLevels; ++level) {
      while (at < recall.size() && recall[at] < level / 100.0) ++at;
      if (at < recall.size()) sum += precision[at];
    }
    total += sum / kRecallLevels;
  }
  return total / (last_overlap - first_overlap);
}

double DetectionMatches::mean_precision(AreaRange range, int first_overlap, int last_overlap,
                                        std::span<const double> weights) const {
  double sum = 0;
  int counted = 0;
  for (int label = 0; label < classes_; ++label) {
    const double precision = class_precision(label, range, first_overlap, last_overlap, weights);
    if (precision < 0) continue;
    sum += precision;
    ++counted;
  }
  return counted == 0 ? -1 : sum / counted;
}

}  // namespace halftone
