// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "metrics/proportion.h"

namespace halftone {

// Two models judged right or wrong on the same samples. Counts are real (effective sample sizes).
struct PairedCounts {
  double n = 0;       // pairs
  double lost = 0;    // reference right, candidate wrong
  double gained = 0;  // reference wrong, candidate right
};

// Loss = (lost - gained) / n: accuracy of the reference minus that of the candidate, as a fraction in [-1, 1].
double paired_loss(const PairedCounts& counts);

// Tango (Statistics in Medicine 17, 1998): the score statistic of "the true loss is `loss`"; about standard normal
// there.
double tango_z(const PairedCounts& counts, double loss);

// p-values of the two one-sided questions about a limit, and the bounds that invert them. Each is Tango's score test,
// but never sharper than the exact binomial test of the net count lost - gained, which Tango undercuts when discordant
// pairs are few (0 of 50 lost: Tango's bound 5.1 points, exact 5.8). Exact sizes at the limit stay below 6 %
// (paired_test.cc enumerates them).
double loss_inside_p(const PairedCounts& counts, double limit);  // H0: loss >= limit; small: the loss is inside
double loss_beyond_p(const PairedCounts& counts, double limit);  // H0: loss <= limit; small: the loss is beyond
double loss_upper(const PairedCounts& counts, double level);     // one-sided bounds
double loss_lower(const PairedCounts& counts, double level);
Interval loss_interval(const PairedCounts& counts, double level);  // two-sided, equal tails

// McNemar's test of "lost and gained are equally likely", two-sided, exact binomial with mid-p
// (Fagerland, Lydersen, Laake, BMC Medical Research Methodology 13, 2013). No discordant pair: 1.
double mcnemar_mid_p(double lost, double gained);

// Holm (Scandinavian Journal of Statistics 6, 1979): adjusted p-values in the given order; reject where <= alpha.
std::vector<double> holm_adjusted(std::span<const double> p_values);

}  // namespace halftone
