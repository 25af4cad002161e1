// SPDX-License-Identifier: Apache-2.0
// One option for each item, least cost within so many bytes: the multiple-choice knapsack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace halftone {

struct BudgetOption {
  int64_t bytes = 0;
  double cost = 0;  // finite, may be negative
};
using BudgetItems = std::vector<std::vector<BudgetOption>>;  // every item has at least one option

struct BudgetChoice {
  std::vector<size_t> options;  // by item
  int64_t bytes = 0;
  double cost = 0;
};

struct BudgetSolution {
  // The best choice within the budget, then others of the front of (bytes, cost), each cheaper in bytes and higher in
  // cost than the one before; empty where nothing fits.
  std::vector<BudgetChoice> choices;
  // Cost that one more byte saves at the budget, were options divisible; 0 where it does not bind.
  double price = 0;
};

// Exact, by dynamic programming over the fronts of the first items (Nemhauser, Ullmann: "Discrete dynamic programming
// and capital allocation", 1969). Points are dropped only where they are dominated, or where the Lagrangian bound shows
// that nothing among the best `slack` of the cost can come of them (Dyer, Riha, Walker: "A hybrid dynamic
// programming/branch-and-bound algorithm for the multiple-choice knapsack problem", 1995). At most `count` choices;
// those beyond the first cost at most (1 + slack) times as much. Ties go to the earlier option.
BudgetSolution solve_budget(const BudgetItems& items, int64_t budget, size_t count = 1, double slack = 0);

int64_t fewest_bytes(const BudgetItems& items);
int64_t most_bytes(const BudgetItems& items);

}  // namespace halftone
