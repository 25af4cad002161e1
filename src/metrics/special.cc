// SPDX-License-Identifier: Apache-2.0
#include "metrics/special.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace halftone {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// DLMF 8.17.22 by the modified Lentz method. REQUIRES: x < (a + 1) / (a + b + 2), where it converges fast.
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr int kMaxTerms = 20000;  // grows like sqrt(max(a, b)): enough for 10^8 samples
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::fabs(d) < kTiny ? kTiny : d);
  double value = d;
  for (int m = 1; m <= kMaxTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double change = 1;
    for (const double term : {even, odd}) {
      d = 1 + term * d;
      d = 1 / (std::fabs(d) < kTiny ? kTiny : d);
      c = 1 + term / c;
      if (std::fabs(c) < kTiny) c = kTiny;
      change = c * d;
      value *= change;
    }
    if (std::fabs(change - 1) < 1e-16) break;
  }
  return value;
}

}  // namespace

double log_gamma(double x) {
  double shift = 0;
  while (x < 12) {
    shift += std::log(x);
    x += 1;
  }
  const double r = 1 / (x * x);
  const double series =
      (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r * (1.0 / 1188 - r * 691.0 / 360360))))) / x;
  return (x - 0.5) * std::log(x) - x + 0.91893853320467274178 + series - shift;  // 0.5 ln(2 pi)
}

double incomplete_beta(double a, double b, double x) {
  if (!(x > 0)) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log1p(-x));
  const bool direct = x < (a + 1) / (a + b + 2);
  const double value = direct ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, 1 - x) / b;
  return std::clamp(value, 0.0, 1.0);
}

double solve_increasing(const std::function<double(double)>& f, double low, double high) {
  for (int i = 0; i < 200; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (f(middle) < 0 ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

double inverse_incomplete_beta(double a, double b, double probability) {
  if (!(probability > 0)) return 0;
  if (probability >= 1) return 1;
  return solve_increasing([&](double x) { return incomplete_beta(a, b, x) - probability; }, 0, 1);
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z * 0.70710678118654752440); }

double normal_quantile(double probability) {
  if (!(probability > 0)) return -kInfinity;
  if (probability >= 1) return kInfinity;
  if (probability > 0.5) return -normal_quantile(1 - probability);  // the lower tail keeps all digits
  return solve_increasing([&](double z) { return normal_cdf(z) - probability; }, -40, 0);
}

double student_t_cdf(double t, double degrees) {
  const double tail = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
  return t < 0 ? tail : 1 - tail;
}

double student_t_quantile(double probability, double degrees) {
  if (!(probability > 0)) return -kInfinity;
  if (probability >= 1) return kInfinity;
  if (probability > 0.5) return -student_t_quantile(1 - probability, degrees);
  return solve_increasing([&](double t) { return student_t_cdf(t, degrees) - probability; }, -1e8, 0);
}

double binomial_at_least(double k, double n, double p) {
  if (k <= 0) return 1;
  if (k > n) return 0;
  return incomplete_beta(k, n - k + 1, p);
}

double binomial_at_most(double k, double n, double p) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return incomplete_beta(n - k, k + 1, 1 - p);
}

}  // namespace halftone
