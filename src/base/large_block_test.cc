// SPDX-License-Identifier: Apache-2.0
#include "base/large_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace halftone {
namespace {

TEST(LargeBlock, IsZeroAlignedAndCopied) {
  constexpr size_t kPage = size_t{2} << 20;
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, kPage / 2, kPage - 64, kPage, kPage + 64, 4 * kPage}) {
    LargeBlock block(bytes);
    ASSERT_EQ(block.size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.data()) % 64, 0u);
    EXPECT_TRUE(std::all_of(block.data(), block.data() + bytes, [](std::byte b) { return b == std::byte{0}; }));
    for (size_t i = 0; i < bytes; ++i) block.data()[i] = static_cast<std::byte>(i * 7);
    LargeBlock copy(block);
    EXPECT_NE(copy.data(), block.data());
    EXPECT_TRUE(std::equal(copy.data(), copy.data() + bytes, block.data()));
  }
}

// A block that fills whole huge pages begins with one; a smaller one does not take memory that it would leave unused.
TEST(LargeBlock, BeginsOnAHugePageWhereItFillsOne) {
  constexpr size_t kPage = size_t{2} << 20;
  for (const size_t bytes : {kPage - 64, kPage, 3 * kPage}) {
    LargeBlock block(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.data()) % kPage, 0u) << bytes;
  }
}

}  // namespace
}  // namespace halftone
