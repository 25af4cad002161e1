// SPDX-License-Identifier: Apache-2.0
// The oracle: every combination.
#include "quantize/mixed/budget.h"

#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <limits>

#include "base/rng.h"

namespace halftone {
namespace {

BudgetItems random_items(Rng& rng, size_t count, size_t options, uint64_t grain) {
  BudgetItems items(count);
  for (auto& item : items)
    for (size_t i = 0; i < options; ++i)
      item.push_back({static_cast<int64_t>(1 + rng.below(60)) * static_cast<int64_t>(grain), rng.normal()});
  return items;
}

// Calls body(bytes, cost) for each combination.
template <class Body>
void for_all(const BudgetItems& items, const Body& body) {
  std::vector<size_t> at(items.size());
  while (true) {
    int64_t bytes = 0;
    double cost = 0;
    for (size_t i = 0; i < items.size(); ++i) {
      bytes += items[i][at[i]].bytes;
      cost += items[i][at[i]].cost;
    }
    body(bytes, cost);
    size_t i = 0;
    while (i < items.size() && ++at[i] == items[i].size()) at[i++] = 0;
    if (i == items.size()) return;
  }
}

double best_of_all(const BudgetItems& items, int64_t budget) {
  double best = std::numeric_limits<double>::infinity();
  for_all(items, [&](int64_t bytes, double cost) {
    if (bytes <= budget) best = std::min(best, cost);
  });
  return best;
}

TEST(Budget, IsTheBestOfAllCombinations) {
  Rng rng(7);
  int feasible = 0;
  for (int round = 0; round < 300; ++round) {
    const BudgetItems items = random_items(rng, 1 + rng.below(6), 1 + rng.below(4), round % 2 == 0 ? 1 : 1000);
    const int64_t least = fewest_bytes(items), most = most_bytes(items);
    const int64_t budget = least - 3 + static_cast<int64_t>(rng.below(static_cast<uint64_t>(most - least + 6)));
    const BudgetSolution solution = solve_budget(items, budget, 5, 0.5);
    const double best = best_of_all(items, budget);
    ASSERT_EQ(solution.choices.empty(), std::isinf(best));
    if (solution.choices.empty()) continue;
    ++feasible;
    EXPECT_NEAR(solution.choices[0].cost, best, 1e-12);
    for (const BudgetChoice& choice : solution.choices) {
      int64_t bytes = 0;
      double cost = 0;
      for (size_t i = 0; i < items.size(); ++i) {
        bytes += items[i][choice.options[i]].bytes;
        cost += items[i][choice.options[i]].cost;
      }
      EXPECT_EQ(choice.bytes, bytes);
      EXPECT_NEAR(choice.cost, cost, 1e-12);
      EXPECT_LE(bytes, budget);
      EXPECT_NEAR(choice.cost, best_of_all(items, bytes), 1e-12);  // of the front: the best within its own bytes
    }
  }
  EXPECT_GT(feasible, 200);
}

TEST(Budget, GivesTheFrontFromTheBudgetDown) {
  const BudgetItems items = {{{10, 4.0}, {20, 2.0}, {30, 1.5}}, {{10, 3.0}, {20, 2.9}}};
  const BudgetSolution solution = solve_budget(items, 45, 3, 1);
  ASSERT_EQ(solution.choices.size(), 3u);
  EXPECT_EQ(solution.choices[0].bytes, 40);
  EXPECT_EQ(solution.choices[0].options, (std::vector<size_t>{2, 0}));
  EXPECT_EQ(solution.choices[1].options, (std::vector<size_t>{1, 0}));
  EXPECT_EQ(solution.choices[2].options, (std::vector<size_t>{0, 0}));
  EXPECT_NEAR(solution.price, 0.1 / 10, 1e-12);  // the second item's step is the one that does not fit whole
  EXPECT_EQ(solve_budget(items, 50).price, 0);
  EXPECT_TRUE(solve_budget(items, 19).choices.empty());
}

// A point at exactly the budget, and one byte less.
TEST(Budget, TakesWhatFitsExactly) {
  const BudgetItems items = {{{5, 1.0}, {9, 0.0}}, {{5, 1.0}, {9, 0.5}}};
  EXPECT_EQ(solve_budget(items, 18).choices[0].bytes, 18);
  EXPECT_EQ(solve_budget(items, 17).choices[0].options, (std::vector<size_t>{1, 0}));
  EXPECT_EQ(solve_budget(items, 10).choices[0].bytes, 10);
}

// 16 layers of a 1b shape, its table, and 6 layouts whose sizes share no large divisor.
TEST(Budget, OfALargeModelTakesLessThanASecond) {
  Rng rng(3);
  BudgetItems items;
  const double bits[] = {3.001, 3.5, 4.003, 4.5, 6.5, 8.51};
  int64_t elements = 0;
  for (int i = 0; i < 113; ++i) {
    const int64_t sizes[] = {1 << 22, 1 << 20, 1 << 20, 1 << 22, 1 << 24, 1 << 24, 1 << 24};
    const int64_t size = i == 0 ? int64_t{128256} * 2048 : sizes[i % 7];
    elements += size;
    const double weight = std::exp(2 * rng.normal()) * static_cast<double>(size);
    items.emplace_back();
    for (const double b : bits)
      items.back().push_back(
          {static_cast<int64_t>(b * static_cast<double>(size) / 8) + static_cast<int64_t>(rng.below(9)),
           weight * std::exp2(-2 * b) * (1 + 0.1 * rng.normal())});
  }
  for (const double target : {3.2, 4.0, 4.5, 7.0}) {
    const std::clock_t begin = std::clock();  // of this process: the machine may be busy
    const auto solution =
        solve_budget(items, static_cast<int64_t>(target * static_cast<double>(elements) / 8), 4, 0.001);
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    EXPECT_EQ(solution.choices.size(), 4u);
    EXPECT_LT(seconds, 1) << target;
  }
}

}  // namespace
}  // namespace halftone
