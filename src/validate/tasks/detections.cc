// SPDX-License-Identifier: Apache-2.0
#include "validate/tasks/detections.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "metrics/detection.h"
#include "validate/record.h"
#include "validate/text.h"

namespace halftone {
namespace {

constexpr size_t kMostBoxes = 100;  // of an image, as COCO
constexpr size_t kMostBeforeNms = 5000;
constexpr std::array<std::string_view, 4> kCornerNames = {"ltrb", "tlbr", "ltwh", "cxcywh"};

struct Found {
  int64_t label;
  double score;
  DetectionBox box;
};

template <size_t kSize>
Result<size_t> one_of(YamlMap& map, std::string_view key, const std::array<std::string_view, kSize>& words) {
  HALFTONE_ASSIGN(const std::string word, map.text(key, std::string(words[0])));
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end())
    return map.error(key, fmt::format("expected one of {}, got \"{}\"", fmt::join(words, ", "), word));
  return static_cast<size_t>(found - words.begin());
}

Result<const Tensor*> output_at(std::span<const Tensor> outputs, int64_t index, const char* key) {
  if (index < static_cast<int64_t>(outputs.size())) return &outputs[static_cast<size_t>(index)];
  return invalid_input("output: {}: expected a number below the network's {} outputs, got {}", key, outputs.size(),
                       index);
}

DetectionBox box_of(std::span<const float> numbers, BoxCorners corners) {
  const double a = numbers[0], b = numbers[1], c = numbers[2], d = numbers[3];
  switch (corners) {
    case BoxCorners::tlbr:
      return {b, a, d, c};
    case BoxCorners::ltwh:
      return {a, b, a + c, b + d};
    case BoxCorners::cxcywh:
      return {a - c / 2, b - d / 2, a + c / 2, b + d / 2};
    default:
      return {a, b, c, d};
  }
}

// From what the network sees to the whole picture.
DetectionBox in_picture(DetectionBox box, const SeenSample& seen, bool fractions) {
  const PicturePlace& place = seen.place;
  if (place.height == 0) return box;  // an array: nobody knows of pixels
  const double height = fractions ? static_cast<double>(place.seen_height) : 1,
               width = fractions ? static_cast<double>(place.seen_width) : 1;
  const auto x = [&](double value) { return (value * width + static_cast<double>(place.left)) / place.scale_x; };
  const auto y = [&](double value) { return (value * height + static_cast<double>(place.top)) / place.scale_y; };
  return {x(box.left), y(box.top), x(box.right), y(box.bottom)};
}

// Greedy, per class, the most certain first (of equals the earlier).
std::vector<Found> without_overlaps(std::vector<Found> all, double most) {
  std::vector<Found> kept;
  if (all.size() > kMostBeforeNms) all.resize(kMostBeforeNms);
  for (const Found& one : all) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Found& other) {
      return other.label == one.label && overlap_of(one.box, other.box) > most;
    });
    if (!covered) kept.push_back(one);
  }
  return kept;
}

struct OutputColumns {
  std::span<const float> boxes, scores, classes;
  int64_t count = 0, labels = 1;  // labels > 1: a score per class
};

Result<OutputColumns> columns_of(std::span<const Tensor> outputs, const BoxFormat& format) {
  HALFTONE_ASSIGN(const Tensor* boxes, output_at(outputs, format.boxes, "boxes"));
  HALFTONE_ASSIGN(const Tensor* scores, output_at(outputs, format.scores, "scores"));
  OutputColumns columns{boxes->values<float>(), scores->values<float>(), {}, 0, 1};
  if (boxes->elements() % 4 != 0 || boxes->rank() < 2 || boxes->dim(boxes->rank() - 1) != 4)
    return invalid_input("output: boxes: expected rows of 4 numbers, got {}", text_of(boxes->shape()));
  columns.count = boxes->elements() / 4;
  if (columns.count > 0) columns.labels = scores->elements() / columns.count;
  if (columns.labels * columns.count != scores->elements() || (columns.count > 0 && columns.labels < 1))
    return invalid_input("output: scores: expected one number or one per class for each of {} boxes, got {}",
                         columns.count, text_of(scores->shape()));
  if (format.classes >= 0) {
    HALFTONE_ASSIGN(const Tensor* classes, output_at(outputs, format.classes, "classes"));
    columns.classes = classes->values<float>();
    if (columns.labels != 1 || classes->elements() != columns.count)
      return invalid_input("output: classes: expected one number and one score for each of {} boxes, got {} and {}",
                           columns.count, text_of(classes->shape()), text_of(scores->shape()));
  }
  return columns;
}

}  // namespace

Status parse_box_keys(YamlMap& map, SuiteSpec& spec) {
  HALFTONE_ASSIGN(YamlMap output, map.map("output"));
  BoxFormat& boxes = spec.boxes;
  HALFTONE_ASSIGN(boxes.boxes, output.integer("boxes", boxes.boxes));
  HALFTONE_ASSIGN(boxes.scores, output.integer("scores", boxes.scores));
  HALFTONE_ASSIGN(boxes.classes, output.integer("classes", boxes.classes));
  for (const auto& [key, index] : {std::pair("boxes", boxes.boxes), std::pair("scores", boxes.scores)})
    if (index < 0) return output.error(key, fmt::format("expected the number of an output, from 0, got {}", index));
  HALFTONE_ASSIGN(const size_t corners, one_of(output, "box", kCornerNames));
  boxes.corners = static_cast<BoxCorners>(corners);
  HALFTONE_ASSIGN(const size_t units, one_of<2>(output, "units", {"pixels", "fractions"}));
  boxes.fractions = units == 1;
  HALFTONE_ASSIGN(boxes.most_overlap, output.number("nms", boxes.most_overlap));
  HALFTONE_ASSIGN(boxes.least_score, output.number("score", boxes.least_score));
  if (!(boxes.most_overlap > 0 && boxes.most_overlap <= 1))
    return output.error("nms", fmt::format("expected an overlap above 0 and at most 1, got {}", boxes.most_overlap));
  return output.finish();
}

Result<std::vector<double>> detections_of(std::span<const Tensor> outputs, const SeenSample& seen,
                                          const BoxFormat& format) {
  HALFTONE_ASSIGN(const OutputColumns columns, columns_of(outputs, format));
  std::vector<Found> all;
  for (int64_t i = 0; i < columns.count; ++i)
    for (int64_t c = 0; c < columns.labels; ++c) {
      const auto at = static_cast<size_t>(i);
      const double score = columns.scores[static_cast<size_t>(i * columns.labels + c)];
      if (score < format.least_score) continue;
      const double label = columns.classes.empty() ? static_cast<double>(c) : std::nearbyint(columns.classes[at]);
      if (label < 0 || label >= 10'000)
        return invalid_input("output: classes: expected numbers from 0 to 9999, got {}", label);
      const DetectionBox box =
          in_picture(box_of(columns.boxes.subspan(4 * at, 4), format.corners), seen, format.fractions);
      // A box without area meets nothing; a network pads its list with such.
      if (box.right > box.left && box.bottom > box.top) all.push_back({static_cast<int64_t>(label), score, box});
    }
  std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.score > b.score; });
  if (format.most_overlap < 1) all = without_overlaps(std::move(all), format.most_overlap);
  if (all.size() > kMostBoxes) all.resize(kMostBoxes);
  std::vector<double> numbers;
  for (const Found& one : all) {
    numbers.push_back(static_cast<double>(one.label));
    numbers.push_back(round_significant(one.score, kScoreDigits));
    for (const double side : {one.box.left, one.box.top, one.box.right, one.box.bottom})
      numbers.push_back(round_significant(side, kBoxDigits));
  }
  return numbers;
}

}  // namespace halftone
