// SPDX-License-Identifier: Apache-2.0
#include "models/shapes/shapes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "base/atomic_write.h"
#include "base/hash.h"
#include "base/temp_folder.h"

namespace halftone::shapes {
namespace {

using Pixels = std::array<uint8_t, kPictureBytes>;

// The weights of models/shapes were trained on these very bytes.
TEST(Shapes, PicturesAreTheSameOnEveryMachine) {
  Sha256 hash;
  Pixels pixels;
  for (uint64_t i = 0; i < 256; ++i) {
    draw(7, i, pixels);
    hash.add(std::as_bytes(std::span(pixels)));
  }
  EXPECT_EQ(hash.hex(), "dc03d41c31d9de84305861d94938c6b9e0e53292da9b8d02ed233d2e42c05178");
}

TEST(Shapes, EveryClassIsDrawnAndNamedOnce) {
  std::array<int, kClasses> seen{};
  Pixels pixels;
  for (uint64_t i = 0; i < 6400; ++i) ++seen[static_cast<size_t>(draw(1, i, pixels).id())];
  for (const int count : seen) {
    EXPECT_GT(count, 50);
    EXPECT_LT(count, 150);
  }
  std::set<std::string> names;
  for (int id = 0; id < kClasses; ++id) names.insert(class_name(id));
  EXPECT_EQ(names.size(), static_cast<size_t>(kClasses));
  EXPECT_EQ(class_name(0), "disc solid 1");
  EXPECT_EQ(class_name(kClasses - 1), "crescent dots 3");
}

TEST(Shapes, BoxesHoldTheFiguresAndDoNotOverlap) {
  Pixels pixels;
  for (uint64_t i = 0; i < 2000; ++i) {
    const Label label = draw(3, i, pixels);
    ASSERT_EQ(static_cast<int>(label.boxes.size()), kCounts[static_cast<size_t>(label.count)]);
    for (size_t a = 0; a < label.boxes.size(); ++a) {
      const Box& box = label.boxes[a];
      EXPECT_GT(box.right - box.left, 6) << i;
      EXPECT_GT(box.bottom - box.top, 6) << i;
      EXPECT_TRUE(box.left >= 0 && box.top >= 0 && box.right <= kSide && box.bottom <= kSide) << i;
      for (size_t b = 0; b < a; ++b) {
        const Box& other = label.boxes[b];
        EXPECT_TRUE(box.left >= other.right - 2 || other.left >= box.right - 2 || box.top >= other.bottom - 2 ||
                    other.top >= box.bottom - 2)
            << i;
      }
    }
  }
}

TEST(Shapes, ASetHoldsWhatIsDrawn) {
  const TempFolder folder;
  ThreadPool pool(2);
  const auto report = write_set(folder.path() / "set", 1500, 9, false, pool, no_progress());
  ASSERT_TRUE(report.ok()) << report.status().message();
  const auto array = read_text_file(folder.path() / "set" / "pictures.npy");
  ASSERT_TRUE(array.ok());
  ASSERT_EQ(array->size() % 64, 1500 * kPictureBytes % 64);
  const size_t header = array->size() - static_cast<size_t>(1500 * kPictureBytes);
  EXPECT_EQ(header % 64, 0U);
  EXPECT_NE(array->find("'shape': (1500, 40, 40, 3)"), std::string::npos);
  Pixels pixels;
  const Label label = draw(9, 1234, pixels);
  EXPECT_EQ(0, std::memcmp(array->data() + header + 1234 * kPictureBytes, pixels.data(), pixels.size()));
  const auto csv = read_text_file(folder.path() / "set" / "labels.csv");
  ASSERT_TRUE(csv.ok());
  EXPECT_NE(csv->find("\npictures.npy#1234," + std::to_string(label.id()) + ","), std::string::npos);
  EXPECT_FALSE(
      write_set(folder.path() / "set", 1, 9, false, pool, no_progress()).ok());  // never over a folder that is there
}

}  // namespace
}  // namespace halftone::shapes
