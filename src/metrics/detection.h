// SPDX-License-Identifier: Apache-2.0
// Average precision of detectors as COCO defines it (Lin et al., ECCV 2014; its evaluation server): ten overlaps from
// 0.50 to 0.95, 101 recall levels, at most 100 detections per image, four ranges of area.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace halftone {

struct DetectionBox {
  double left, top, right, bottom;  // pixels
  double area() const { return (right - left) * (bottom - top); }
};

struct TrueObject {
  int64_t image;  // [0, images)
  int label;      // [0, classes)
  DetectionBox box;
  double area = 0;     // of the object where a mask is known; 0: of the box
  bool crowd = false;  // many at once: detections inside count neither way
};

struct DetectedObject {
  int64_t image;
  int label;
  DetectionBox box;
  double score;
};

enum class AreaRange : uint8_t { all, small, medium, large };  // below 32 x 32 pixels, below 96 x 96, above
inline constexpr int kOverlaps = 10, kAreaRanges = 4;

// Detections met with objects once; every score is a sum over images, so that images can be weighted: a bootstrap over
// images, or a slice, costs no second matching. Of equal scores the earlier image and the earlier detection come first.
class DetectionMatches {
 public:
  // REQUIRES: images and labels in range, scores finite.
  DetectionMatches(std::span<const TrueObject> truth, std::span<const DetectedObject> detected, int64_t images,
                   int classes);

  int classes() const { return classes_; }
  // Average precision of one class over the overlaps [first, last); -1: no object of it (with a weight). Weights: how
  // often each image counts; empty: once.
  double class_precision(int label, AreaRange range, int first_overlap, int last_overlap,
                         std::span<const double> weights = {}) const;
  // The mean over classes that have objects; -1: none has. mAP, AP50 is (0, 1), AP75 (5, 6).
  double mean_precision(AreaRange range = AreaRange::all, int first_overlap = 0, int last_overlap = kOverlaps,
                        std::span<const double> weights = {}) const;

 private:
  struct Candidate {
    int64_t image;
    double score;
    // Per range and overlap, a bit: found an object; counts neither way.
    std::array<uint16_t, kAreaRanges> hit{}, ignored{};
  };
  struct PerClass {
    std::vector<Candidate> candidates;                               // by falling score
    std::array<std::vector<int64_t>, kAreaRanges> objects_of_image;  // the image of each object that counts
  };
  void match_image(PerClass& result, int64_t image, std::span<const TrueObject* const> truth,
                   std::span<const DetectedObject* const> detected) const;

  int classes_;
  std::vector<PerClass> per_class_;
};

// Of two boxes, intersection over union; with a crowd, intersection over `a`. 0 where they do not meet.
double overlap_of(const DetectionBox& a, const DetectionBox& b, bool b_is_crowd = false);

}  // namespace halftone
