// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace halftone {

// Distribution functions that the intervals of this room are made of. Own numerics: no global state (lgamma writes
// signgam), the same bits on every platform up to the C library's exp and log. Absolute error below 1e-12 unless said.

// ln Gamma(x), x > 0. Stirling's series after shifting x above 12 (DLMF 5.11.1).
double log_gamma(double x);

// Regularised incomplete beta I_x(a, b), a, b > 0, x clamped to [0, 1]. Continued fraction DLMF 8.17.22, evaluated by
// Lentz's method; P(Bin(n, p) >= k) = I_p(k, n - k + 1) also serves real k and n.
double incomplete_beta(double a, double b, double x);
double inverse_incomplete_beta(double a, double b, double probability);  // x with I_x(a, b) = probability

double normal_cdf(double z);
double normal_quantile(double probability);  // probability in (0, 1); the ends give -infinity and +infinity
double student_t_cdf(double t, double degrees);
double student_t_quantile(double probability, double degrees);

// P(Bin(n, p) <= k) and P(Bin(n, p) >= k). Real k and n are allowed (effective sample sizes).
double binomial_at_most(double k, double n, double p);
double binomial_at_least(double k, double n, double p);

// The x in [low, high] where increasing `f` crosses zero, by bisection to the last bit. Without a crossing: the nearer
// end.
double solve_increasing(const std::function<double(double)>& f, double low, double high);

}  // namespace halftone
