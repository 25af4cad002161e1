// SPDX-License-Identifier: Apache-2.0
#include "validate/evidence.h"

#include <algorithm>
#include <cmath>

#include "metrics/sample_size.h"
#include "metrics/special.h"

namespace halftone {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

constexpr double kOneSided = 0.95;
constexpr double kTwoSided = 0.975;  // each side of a 95 % interval

// Both bounds, each with `level` of confidence.
std::optional<Interval> bounds(const Evidence& evidence, double level) {
  using Bounds = std::optional<Interval>;
  return std::visit(Overloaded{
                        [&](const LossEvidence& e) -> Bounds {
                          return Interval{loss_lower(e.counts, level), loss_upper(e.counts, level)};
                        },
                        [&](const RateEvidence& e) -> Bounds {
                          const double x = e.proportion.effective_x(), n = e.proportion.effective_n;
                          if (!(n > 0)) return std::nullopt;
                          return Interval{clopper_pearson_lower(x, n, level), clopper_pearson_upper(x, n, level)};
                        },
                        [&](const MeanEvidence& e) -> Bounds {
                          if (!has_interval(e.mean)) return std::nullopt;
                          return Interval{bootstrap_lower(e.mean, level), bootstrap_upper(e.mean, level)};
                        },
                        [&](const TailEvidence& e) -> Bounds {
                          if (!e.quantile.upper || !e.quantile.lower) return std::nullopt;
                          return Interval{*e.quantile.lower, *e.quantile.upper};
                        },
                        [&](const FactEvidence& e) -> Bounds {
                          return e.one_sided ? *e.one_sided : Interval{e.value, e.value};
                        },
                    },
                    evidence);
}

// n effective samples in the unit of the n samples that were taken.
std::optional<int64_t> scaled(std::optional<int64_t> effective, double ratio) {
  if (!effective) return std::nullopt;
  const double n = std::ceil(static_cast<double>(*effective) * ratio);
  if (!(n <= static_cast<double>(kMaxNeeded))) return std::nullopt;
  return static_cast<int64_t>(n);
}

std::optional<int64_t> needed_for_tail(const TailEvidence& e, double limit) {
  const Exceedance seen = exceedance(*e.values, *e.groups, limit);
  if (!(seen.effective_n > 0)) return std::nullopt;
  const double ratio = seen.n / seen.effective_n;
  const auto needs = samples_for_proportion(seen.x / ratio, seen.effective_n, 1 - e.quantile.quantile);
  return scaled(needs ? std::max<int64_t>(*needs, e.quantile.needs) : needs, ratio);
}

}  // namespace

std::optional<double> value_of(const Evidence& evidence) {
  using Value = std::optional<double>;
  return std::visit(Overloaded{
                        [](const LossEvidence& e) -> Value { return paired_loss(e.counts); },
                        [](const RateEvidence& e) -> Value { return e.proportion.x / e.proportion.n; },
                        [](const MeanEvidence& e) -> Value { return e.mean.mean; },
                        [](const TailEvidence& e) -> Value { return e.quantile.value; },
                        [](const FactEvidence& e) -> Value { return e.value; },
                    },
                    evidence);
}

std::optional<Interval> interval_95(const Evidence& evidence) { return bounds(evidence, kTwoSided); }
std::optional<Interval> one_sided_95(const Evidence& evidence) { return bounds(evidence, kOneSided); }

std::optional<double> beyond_p(const Evidence& evidence, double limit) {
  using Value = std::optional<double>;
  return std::visit(Overloaded{
                        [&](const LossEvidence& e) -> Value { return loss_beyond_p(e.counts, limit); },
                        [&](const RateEvidence& e) -> Value {
                          return binomial_at_least(e.proportion.effective_x(), e.proportion.effective_n, limit);
                        },
                        [&](const MeanEvidence& e) -> Value {
                          if (!has_interval(e.mean)) return std::nullopt;
                          return mean_beyond_p(e.mean, limit);
                        },
                        [&](const TailEvidence& e) -> Value {
                          const Exceedance seen = exceedance(*e.values, *e.groups, limit);
                          const double x = seen.n > 0 ? seen.x / seen.n * seen.effective_n : 0;
                          return binomial_at_least(x, seen.effective_n, 1 - e.quantile.quantile);
                        },
                        [&](const FactEvidence& e) -> Value {
                          return (e.one_sided ? e.one_sided->low : e.value) > limit ? 0.0 : 1.0;
                        },
                    },
                    evidence);
}

std::optional<int64_t> needed_samples(const Evidence& evidence, double limit, int64_t n) {
  using Count = std::optional<int64_t>;
  const double taken = static_cast<double>(n);
  return std::visit(
      Overloaded{
          [&](const LossEvidence& e) -> Count { return scaled(samples_for_loss(e.counts, limit), taken / e.counts.n); },
          [&](const RateEvidence& e) -> Count {
            const GroupedProportion& p = e.proportion;
            return scaled(samples_for_proportion(p.effective_x(), p.effective_n, limit), taken / p.effective_n);
          },
          [&](const MeanEvidence& e) -> Count {
            if (e.mean.groups < 1) return std::nullopt;
            const auto groups = samples_for_mean(e.mean.deviation, e.mean.mean, limit);
            const Count enough = groups ? Count(std::max(*groups, kMinGroups)) : groups;
            return scaled(enough, taken / static_cast<double>(e.mean.groups));
          },
          [&](const TailEvidence& e) -> Count { return needed_for_tail(e, limit); },
          [](const FactEvidence&) -> Count { return std::nullopt; },
      },
      evidence);
}

std::string_view method_of(const Evidence& evidence) {
  return std::visit(
      Overloaded{
          [](const LossEvidence&) -> std::string_view { return "tango_score"; },
          [](const RateEvidence&) -> std::string_view { return "clopper_pearson"; },
          [](const MeanEvidence& e) -> std::string_view { return has_interval(e.mean) ? "bca_bootstrap" : "none"; },
          [](const TailEvidence&) -> std::string_view { return "order_statistics"; },
          [](const FactEvidence&) -> std::string_view { return "measured"; },
      },
      evidence);
}

}  // namespace halftone
