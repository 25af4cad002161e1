// SPDX-License-Identifier: Apache-2.0
// The classifier of drawn pictures that comes with the repository, on pictures of a seed it was not trained on.
#include "models/shapes/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "formats/network/network_file.h"
#include "runtime/network/runner.h"

namespace halftone {
namespace {

constexpr int64_t kPictures = 4000, kBatch = 100;
constexpr uint64_t kHeldOut = 2;

// Pictures [first, first + kBatch) as the network reads them, and their classes.
std::pair<Tensor, std::vector<int>> held_out(int64_t first) {
  std::vector<uint8_t> bytes(shapes::kPictureBytes);
  std::vector<float> values;
  std::vector<int> classes;
  for (int64_t i = 0; i < kBatch; ++i) {
    const std::span<uint8_t, shapes::kPictureBytes> picture(bytes);
    classes.push_back(shapes::draw(kHeldOut, static_cast<uint64_t>(first + i), picture).id());
    values.insert(values.end(), bytes.begin(), bytes.end());
  }
  return {Tensor::of<float>(DType::f32, {kBatch, shapes::kSide, shapes::kSide, shapes::kChannels}, values), classes};
}

TEST(ShapesModel, KnowsNineOfTenPicturesItHasNotSeen) {
  const auto file = open_network(std::filesystem::path(HALFTONE_SOURCE_DIR) / "models/shapes/model.onnx");
  ASSERT_TRUE(file.ok()) << file.status().message();
  ThreadPool pool(2);
  network::Runner runner(file->network, pool);
  int64_t right = 0;
  for (int64_t first = 0; first < kPictures; first += kBatch) {
    auto [input, classes] = held_out(first);
    const auto outputs = runner.run(std::span<const Tensor>(&input, 1));
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    const std::span<const float> scores = outputs->at(0).values<float>();
    ASSERT_EQ(scores.size(), static_cast<size_t>(kBatch * shapes::kClasses));
    for (int64_t i = 0; i < kBatch; ++i) {
      const auto row = scores.subspan(static_cast<size_t>(i * shapes::kClasses), shapes::kClasses);
      right += std::max_element(row.begin(), row.end()) - row.begin() == classes[static_cast<size_t>(i)];
    }
  }
  EXPECT_GE(right, kPictures * 88 / 100);
  EXPECT_LE(right, kPictures * 96 / 100) << "too easy to show what is lost";
}

}  // namespace
}  // namespace halftone
