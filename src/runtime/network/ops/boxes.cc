// SPDX-License-Identifier: Apache-2.0
// What detectors end with: of boxes that overlap, the best alone.
#include <algorithm>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

struct Box {
  float top, left, bottom, right;

  float area() const { return (bottom - top) * (right - left); }
};

Box box_of(const float* numbers, bool centered) {
  if (centered) {
    const float x = numbers[0], y = numbers[1], half_width = numbers[2] / 2, half_height = numbers[3] / 2;
    return {y - half_height, x - half_width, y + half_height, x + half_width};
  }
  return {std::min(numbers[0], numbers[2]), std::min(numbers[1], numbers[3]), std::max(numbers[0], numbers[2]),
          std::max(numbers[1], numbers[3])};
}

// The intersection over the union.
float overlap(const Box& a, const Box& b) {
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (!(height > 0 && width > 0)) return 0;
  const float both = height * width, all = a.area() + b.area() - both;
  return all > 0 ? both / all : 0;
}

std::vector<int64_t> kept_boxes(const std::vector<Box>& boxes, const float* scores, int64_t most, double limit,
                                const double* least_score) {
  std::vector<int64_t> order, kept;
  for (size_t i = 0; i < boxes.size(); ++i)
    if (least_score == nullptr || static_cast<double>(scores[i]) > *least_score)
      order.push_back(static_cast<int64_t>(i));
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  for (const int64_t i : order) {
    if (static_cast<int64_t>(kept.size()) >= most) break;
    const Box& box = boxes[static_cast<size_t>(i)];
    if (std::ranges::none_of(
            kept, [&](int64_t k) { return static_cast<double>(overlap(boxes[static_cast<size_t>(k)], box)) > limit; }))
      kept.push_back(i);
  }
  return kept;
}

}  // namespace

Status run(const NonMaxSuppression& op, OpContext& context) {
  HALFTONE_TRY(need(context, 2));
  const Tensor &boxes = context.input(0), &scores = context.input(1);
  if (boxes.type() != DType::f32 || scores.type() != DType::f32 || boxes.rank() != 3 || scores.rank() != 3 ||
      boxes.dim(2) != 4 || boxes.dim(0) != scores.dim(0) || boxes.dim(1) != scores.dim(2))
    return invalid_input("expected f32 boxes (images, n, 4) and scores (images, classes, n), got {} and {}",
                         text_of(boxes.shape()), text_of(scores.shape()));
  double numbers[3] = {};
  for (size_t i = 0; i < 3; ++i) {
    if (!context.input(i + 2).present()) continue;
    HALFTONE_ASSIGN(numbers[i], number_of(context.input(i + 2), "limit"));
  }
  const auto most = static_cast<int64_t>(std::clamp(numbers[0], 0.0, 0x1p40));
  const int64_t images = boxes.dim(0), classes = scores.dim(1), count = boxes.dim(1);
  std::vector<int64_t> found;
  std::vector<Box> all(static_cast<size_t>(count));
  for (int64_t image = 0; image < images && boxes.elements() > 0; ++image) {
    for (int64_t i = 0; i < count; ++i)
      all[static_cast<size_t>(i)] = box_of(data<float>(boxes) + (image * count + i) * 4, op.centered);
    for (int64_t c = 0; c < classes; ++c) {
      const float* row = data<float>(scores) + (image * classes + c) * count;
      for (const int64_t i : kept_boxes(all, row, most, numbers[1], context.input(4).present() ? &numbers[2] : nullptr))
        found.insert(found.end(), {image, c, i});
    }
  }
  put(context, 0, Tensor::of<int64_t>(DType::i64, {static_cast<int64_t>(found.size() / 3), 3}, found));
  return {};
}

}  // namespace halftone::network::ops
