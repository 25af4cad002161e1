// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/merges.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace halftone {
namespace {

// Looks at every pair every time.
std::vector<TokenId> merged_slowly(std::vector<TokenId> symbols, const MergeTable& table) {
  while (true) {
    size_t best = symbols.size();
    uint32_t rank = MergeTable::kNone;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const uint32_t found = table.find(symbols[i], symbols[i + 1]).rank;
      if (found < rank) rank = found, best = i;
    }
    if (best == symbols.size()) return symbols;
    symbols[best] = table.find(symbols[best], symbols[best + 1]).result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// Merges of random pairs into new symbols; `ties`: many share a rank, as scores may.
MergeTable random_table(Rng& rng, TokenId letters, int merges, bool ties) {
  MergeTable table;
  TokenId next = letters;
  for (int i = 0; i < merges; ++i) {
    const auto left = static_cast<TokenId>(rng.below(static_cast<uint64_t>(next)));
    const auto right = static_cast<TokenId>(rng.below(static_cast<uint64_t>(next)));
    const auto rank = static_cast<uint32_t>(ties ? rng.below(4) : static_cast<uint64_t>(i));
    if (table.add(left, right, rank, next)) ++next;
  }
  return table;
}

TEST(Merger, AgreesWithLookingAtEveryPair) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    const auto letters = static_cast<TokenId>(1 + rng.below(4));
    const MergeTable table = random_table(rng, letters, 40, seed % 2 == 0);
    Merger merger(table);
    for (const size_t length : {0u, 1u, 2u, 3u, 17u, 40u, 41u, 42u, 120u}) {
      std::vector<TokenId> symbols(length);
      for (TokenId& symbol : symbols) symbol = static_cast<TokenId>(rng.below(static_cast<uint64_t>(letters)));
      const std::vector<TokenId> expected = merged_slowly(symbols, table);
      merger.merge(symbols);
      ASSERT_EQ(symbols, expected) << "seed " << seed << " length " << length;
    }
  }
}

TEST(Merger, AMillionEqualLettersMerge) {
  MergeTable table;
  for (TokenId i = 0; i < 10; ++i)
    table.add(i, i, static_cast<uint32_t>(i), i + 1);  // letter 0: runs of 2, 4, ... 1024
  std::vector<TokenId> symbols(1'000'000, 0);
  Merger(table).merge(symbols);
  // 1,000,000 = 976 * 1024 + 512 + 64
  ASSERT_EQ(symbols.size(), 978u);
  EXPECT_EQ(symbols.front(), 10);
  EXPECT_EQ(symbols[976], 9);
  EXPECT_EQ(symbols[977], 6);
}

TEST(MergeTable, KeepsTheFirstOfAPairAndFindsNothingWhenEmpty) {
  MergeTable table;
  EXPECT_EQ(table.find(1, 2).rank, MergeTable::kNone);
  EXPECT_TRUE(table.add(1, 2, 7, 3));
  EXPECT_FALSE(table.add(1, 2, 5, 4));
  EXPECT_EQ(table.find(1, 2).rank, 7u);
  EXPECT_EQ(table.find(2, 1).rank, MergeTable::kNone);
  for (TokenId i = 0; i < 5000; ++i) table.add(i, i + 10, static_cast<uint32_t>(i), i);
  EXPECT_EQ(table.size(), 5001u);
  EXPECT_EQ(table.find(4321, 4331).result, 4321);
  EXPECT_EQ(table.find(1, 2).result, 3);
}

}  // namespace
}  // namespace halftone
