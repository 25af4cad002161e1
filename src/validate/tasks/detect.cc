// SPDX-License-Identifier: Apache-2.0
// Boxes: average precision as COCO defines it, per class and size; each image a sample.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/numbers.h"
#include "metrics/bootstrap_statistic.h"
#include "metrics/detection.h"
#include "validate/compare.h"
#include "validate/quantity_tools.h"
#include "validate/tasks/detections.h"
#include "validate/tasks/network_task.h"

namespace halftone {
namespace {

constexpr size_t kObjectNumbers = 6;  // label, left, top, right, bottom, crowd; label, score, left, top, right, bottom
constexpr int64_t kMostReplicates = 1000;  // each is a whole evaluation
constexpr int64_t kMostLabels = 10'000;

// "label left top right bottom" with ";" between; without a label the column "label" has it, or there is one class.
Status parse_boxes(const std::string& text, const std::map<std::string, std::string>& others, ChoiceSample& sample) {
  const auto column = others.find("label");
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(';', begin), text.size());
    std::string box = text.substr(begin, end - begin);
    begin = end + 1;
    std::vector<double> numbers;
    const bool crowd = box.ends_with(" crowd");
    if (crowd) box.resize(box.size() - 6);
    for (size_t at = 0; at < box.size();) {
      const size_t stop = std::min(box.find(' ', at), box.size());
      const auto number = parse_number(std::string_view(box).substr(at, stop - at));
      if (!number) return invalid_input("boxes: expected numbers with spaces between, got \"{}\"", box);
      numbers.push_back(*number);
      at = stop + 1;
    }
    if (numbers.size() == 4) {
      const auto label = column == others.end() ? std::optional<int64_t>(0) : parse_integer(column->second);
      if (!label) return invalid_input("label: expected the number of a class, got \"{}\"", column->second);
      numbers.insert(numbers.begin(), static_cast<double>(*label));
    }
    if (numbers.size() != 5 || numbers[0] != std::floor(numbers[0]) || numbers[0] < 0 || numbers[0] >= kMostLabels ||
        numbers[3] <= numbers[1] || numbers[4] <= numbers[2])
      return invalid_input("boxes: expected [label] left top right bottom, right and bottom the larger, got \"{}\"",
                           box);
    numbers.push_back(crowd ? 1 : 0);
    sample.numbers.insert(sample.numbers.end(), numbers.begin(), numbers.end());
  }
  return {};
}

void begin_detect(const ChoiceSample& sample, const Suite&, SampleRecord& record) { record.objects = sample.numbers; }

Status score_boxes(std::span<const Tensor> outputs, const SeenSample& seen, const PreparedSuite& prepared, Side side,
                   SampleRecord& record) {
  HALFTONE_ASSIGN((side == Side::reference ? record.reference_boxes : record.candidate_boxes),
                  detections_of(outputs, seen, prepared.spec.boxes));
  return {};
}

void write_detect(const SampleRecord& record, nlohmann::ordered_json& line) {
  line["objects"] = record.objects;
  line["reference_boxes"] = record.reference_boxes;
  line["candidate_boxes"] = record.candidate_boxes;
}

bool are_boxes(const std::vector<double>& boxes) {
  constexpr double kMostCoordinate = 1e12;
  if (std::any_of(boxes.begin(), boxes.end(), [](double number) { return std::fabs(number) > kMostCoordinate; }))
    return false;
  for (size_t i = 0; i < boxes.size(); i += kObjectNumbers)
    if (boxes[i] != std::floor(boxes[i]) || boxes[i] < 0 || boxes[i] >= kMostLabels) return false;
  return boxes.size() % kObjectNumbers == 0;
}

void read_detect(RecordFields& fields, SampleRecord& record) {
  fields.numbers("objects", record.objects);
  fields.numbers("reference_boxes", record.reference_boxes);
  fields.numbers("candidate_boxes", record.candidate_boxes);
  for (const auto* boxes : {&record.objects, &record.reference_boxes, &record.candidate_boxes})
    if (!are_boxes(*boxes))
      fields.note("objects", fmt::format("expected {} numbers per box, the number of its class first", kObjectNumbers));
}

// Both models' boxes met with the objects of the same records.
struct Matched {
  DetectionMatches reference, candidate;
  std::vector<int64_t> objects_of_class;
};

std::vector<DetectedObject> detected(const SampleView& view, std::vector<double> SampleRecord::*boxes) {
  std::vector<DetectedObject> found;
  for (size_t i = 0; i < view.records.size(); ++i) {
    const std::vector<double>& all = view.records[i]->*boxes;
    for (size_t b = 0; b < all.size(); b += kObjectNumbers)
      found.push_back({static_cast<int64_t>(i),
                       static_cast<int>(all[b]),
                       {all[b + 2], all[b + 3], all[b + 4], all[b + 5]},
                       all[b + 1]});
  }
  return found;
}

Matched match(const SampleView& view) {
  std::vector<TrueObject> truth;
  int classes = 1;
  for (size_t i = 0; i < view.records.size(); ++i) {
    const std::vector<double>& all = view.records[i]->objects;
    for (size_t b = 0; b < all.size(); b += kObjectNumbers)
      truth.push_back({static_cast<int64_t>(i),
                       static_cast<int>(all[b]),
                       {all[b + 1], all[b + 2], all[b + 3], all[b + 4]},
                       0,
                       all[b + 5] != 0});
  }
  const auto reference = detected(view, &SampleRecord::reference_boxes),
             candidate = detected(view, &SampleRecord::candidate_boxes);
  for (const TrueObject& one : truth) classes = std::max(classes, one.label + 1);
  for (const auto* boxes : {&reference, &candidate})
    for (const DetectedObject& one : *boxes) classes = std::max(classes, one.label + 1);
  const auto images = static_cast<int64_t>(view.records.size());
  Matched matched{{truth, reference, images, classes}, {truth, candidate, images, classes}, {}};
  matched.objects_of_class.assign(static_cast<size_t>(classes), 0);
  for (const TrueObject& one : truth) matched.objects_of_class[static_cast<size_t>(one.label)] += !one.crowd;
  return matched;
}

// One figure of average precision: which sizes, which overlaps.
struct Precision {
  std::string_view name;
  AreaRange range;
  int first, last;
};
constexpr Precision kPrecisions[] = {{"map", AreaRange::all, 0, kOverlaps},
                                     {"ap50", AreaRange::all, 0, 1},
                                     {"ap75", AreaRange::all, 5, 6},
                                     {"map_small", AreaRange::small, 0, kOverlaps},
                                     {"map_medium", AreaRange::medium, 0, kOverlaps},
                                     {"map_large", AreaRange::large, 0, kOverlaps}};

std::vector<Quantity> detect_means(const SampleView& view, int64_t replicates, uint64_t seed) {
  const Matched matched = match(view);
  std::vector<Quantity> quantities;
  std::vector<double> of_image(view.records.size());
  for (const Precision& one : kPrecisions) {
    const auto precision = [&](const DetectionMatches& matches, std::span<const double> weights) {
      return matches.mean_precision(one.range, one.first, one.last, weights);
    };
    Quantity quantity;
    quantity.reference = precision(matched.reference, {});
    if (*quantity.reference < 0) continue;  // no object of this size
    quantity.candidate = precision(matched.candidate, {});
    quantity.name = one.name;
    quantity.n = static_cast<int64_t>(view.records.size());
    quantity.n_unit = "samples";
    quantity.groups = view.group_count;
    quantity.scale = -1;
    // A draw without any object of the size says nothing: no loss.
    const auto loss = [&](std::span<const double> weights) {
      for (size_t i = 0; i < of_image.size(); ++i) of_image[i] = weights[static_cast<size_t>(view.groups[i])];
      return precision(matched.reference, of_image) - precision(matched.candidate, of_image);
    };
    quantity.evidence =
        MeanEvidence{bootstrap_statistic(view.group_count, std::min(replicates, kMostReplicates), seed, loss)};
    bound_if_unchanged(view, quantity);
    quantities.push_back(std::move(quantity));
  }
  return quantities;
}

std::vector<Quantity> detect_rates(const SampleView&) { return {}; }

// Average precision within the one image; an image without objects is right when nothing was found in it.
double image_precision(const SampleRecord& record, std::vector<double> SampleRecord::*boxes) {
  if (record.objects.empty()) return (record.*boxes).empty() ? 1 : 0;
  SampleRecord copy = record;
  copy.reference_boxes = record.*boxes;
  copy.candidate_boxes.clear();
  return std::max(0.0, match(view_of({&copy})).reference.mean_precision());
}

double precision_lost(const SampleRecord& record) {
  if (record.reference_boxes == record.candidate_boxes) return 0;
  return image_precision(record, &SampleRecord::reference_boxes) -
         image_precision(record, &SampleRecord::candidate_boxes);
}

std::vector<Distribution> detect_distributions(const SampleView& view) {
  return {distribution(view, "image_precision", "samples",
                       [](const SampleRecord& record, Values& values) { values.push_back(precision_lost(record)); })};
}

std::string shown_boxes(const SampleRecord& record, std::vector<double> SampleRecord::*boxes) {
  return fmt::format("{} boxes, precision {:.2f}", (record.*boxes).size() / kObjectNumbers,
                     image_precision(record, boxes));
}

void detect_worst(const SampleRecord& record, WorstRow& row) {
  row.loss = precision_lost(record);
  if (row.loss <= 0) return;
  row.expected = fmt::format("{} objects", record.objects.size() / kObjectNumbers);
  row.reference = shown_boxes(record, &SampleRecord::reference_boxes);
  row.candidate = shown_boxes(record, &SampleRecord::candidate_boxes);
}

// Each class that has objects.
void detect_classes(const SampleView& view, const std::string& suite, std::vector<SliceRow>& rows) {
  const Matched matched = match(view);
  for (int label = 0; label < matched.reference.classes(); ++label) {
    SliceRow row{suite, "class", std::to_string(label), {}, 0};
    row.accuracy.name = "map";
    row.accuracy.suite = suite;
    row.accuracy.reference = matched.reference.class_precision(label, AreaRange::all, 0, kOverlaps);
    if (*row.accuracy.reference < 0) continue;
    row.accuracy.candidate = matched.candidate.class_precision(label, AreaRange::all, 0, kOverlaps);
    row.accuracy.delta = *row.accuracy.candidate - *row.accuracy.reference;
    row.accuracy.n = matched.objects_of_class[static_cast<size_t>(label)];
    rows.push_back(std::move(row));
  }
}

}  // namespace

const NetworkTask kDetectTask = {.task = Task::detect,
                                 .column = "boxes",
                                 .primary = "map",
                                 .tail = "image_precision",
                                 .parse_keys = parse_box_keys,
                                 .parse_target = parse_boxes,
                                 .begin = begin_detect,
                                 .score = score_boxes,
                                 .finish = nullptr,
                                 .write = write_detect,
                                 .read = read_detect,
                                 .rates = detect_rates,
                                 .means = detect_means,
                                 .distributions = detect_distributions,
                                 .worst = detect_worst,
                                 .classes = detect_classes};

}  // namespace halftone
