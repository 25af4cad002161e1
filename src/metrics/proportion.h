// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace halftone {

struct Interval {
  double low = 0;
  double high = 0;
};

// Intervals of one proportion x / n. Counts are real, so that an effective sample size can take the place of n.
// `level` is the confidence: 0.95 two-sided leaves 2.5 % in each tail, a one-sided bound leaves all 5 % beyond it.

// Clopper & Pearson (Biometrika 26, 1934): exact, never undercovers. 0 of n: the upper 95 % bound is 1 - 0.05^(1/n).
double clopper_pearson_upper(double x, double n, double level);
double clopper_pearson_lower(double x, double n, double level);
Interval clopper_pearson(double x, double n, double level);

// Wilson (JASA 22, 1927): score interval; about nominal on average over p.
Interval wilson(double x, double n, double level);

// One group of samples that belong together (a document, a window, a story): how many there are, and the sum of the
// value over them.
struct GroupSum {
  double count = 0;
  double sum = 0;
};

// A proportion whose samples come in groups.
struct GroupedProportion {
  double n = 0;  // samples
  double x = 0;  // events
  double groups = 0;
  double design_effect = 1;  // how much wider than for independent samples the variance is, at least 1
  double effective_n = 0;    // independent samples that carry as much evidence, at most n
  double effective_x() const { return n > 0 ? x / n * effective_n : 0; }
};

// Below this many events (or this many samples without) their own design effect cannot be estimated.
inline constexpr double kFewEvents = 10;

// Korn & Graubard (Survey Methodology 24, 1998): n divided by the design effect (variance between groups, linearised,
// over p (1 - p) / n, never below 1) and by (t / z)^2 for the groups - 1 degrees of freedom. With few events the design
// effect is at least `borrowed`, that of a commoner event in the same groups. With no event at all and nothing to
// borrow (0), each group counts once. All groups of one sample: effective_n == n.
GroupedProportion grouped_proportion(std::span<const GroupSum> groups, double borrowed = 0);

// The same for a value of any sign with variance `variance` per sample and `events` values that are not zero.
struct GroupedWorth {
  double design_effect = 1, effective_n = 0;
};
GroupedWorth worth_of_groups(std::span<const GroupSum> groups, double variance, double events, double borrowed = 0);

}  // namespace halftone
