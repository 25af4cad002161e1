// SPDX-License-Identifier: Apache-2.0
#include "validate/quantity_tools.h"

namespace halftone {
namespace {

// Per group: how many samples, and the sum of a value over them.
std::vector<GroupSum> sums_by_group(const SampleView& view, const std::function<GroupSum(const SampleRecord&)>& value) {
  std::vector<GroupSum> sums(static_cast<size_t>(view.group_count));
  for (size_t i = 0; i < view.records.size(); ++i) {
    const GroupSum one = value(*view.records[i]);
    sums[static_cast<size_t>(view.groups[i])].count += one.count;
    sums[static_cast<size_t>(view.groups[i])].sum += one.sum;
  }
  return sums;
}

}  // namespace

std::string_view samples_unit(const SampleView& view) {
  return is_of_network(view.task) ? "samples" : view.task == Task::choices ? "questions" : "tokens";
}

Quantity rate(const SampleView& view, std::string_view name, std::string_view n_unit, double borrowed,
              const std::function<GroupSum(const SampleRecord&)>& value) {
  Quantity quantity;
  quantity.name = name;
  const GroupedProportion proportion = grouped_proportion(sums_by_group(view, value), borrowed);
  quantity.n = static_cast<int64_t>(proportion.n);
  quantity.n_unit = n_unit;
  quantity.groups = view.group_count;
  quantity.evidence = RateEvidence{proportion};
  return quantity;
}

Quantity paired_rate(const SampleView& view, std::string_view name, double borrowed,
                     const std::function<RightPair(const SampleRecord&)>& right_of) {
  double n = 0, lost = 0, gained = 0, right = 0;
  std::vector<GroupSum> sums(static_cast<size_t>(view.group_count));
  for (size_t i = 0; i < view.records.size(); ++i) {
    const RightPair both = right_of(*view.records[i]);
    const double change = both.reference - both.candidate;
    n += 1;
    lost += change > 0;
    gained += change < 0;
    right += both.reference;
    sums[static_cast<size_t>(view.groups[i])].count += 1;
    sums[static_cast<size_t>(view.groups[i])].sum += change;
  }
  const double loss = (lost - gained) / n;
  const double variance = (lost + gained) / n - loss * loss;
  const double worth = worth_of_groups(sums, variance, lost + gained, borrowed).effective_n / n;
  Quantity quantity;
  quantity.name = name;
  quantity.reference = right / n;
  quantity.candidate = (right - lost + gained) / n;
  quantity.n = static_cast<int64_t>(n);
  quantity.n_unit = samples_unit(view);
  quantity.groups = view.group_count;
  quantity.evidence = LossEvidence{{n * worth, lost * worth, gained * worth}};
  quantity.scale = -1;
  return quantity;
}

std::vector<Quantity> bootstrapped(const SampleView& view, std::vector<MeanPlan> plans,
                                   const std::function<double(const SampleRecord&)>& count, int64_t replicates,
                                   uint64_t seed) {
  GroupTable table;
  table.quantities = static_cast<int64_t>(plans.size());
  table.counts.assign(static_cast<size_t>(view.group_count), 0.0);
  table.sums.assign(static_cast<size_t>(view.group_count) * plans.size(), 0.0);
  double n = 0;
  for (size_t i = 0; i < view.records.size(); ++i) {
    const SampleRecord& record = *view.records[i];
    const size_t group = static_cast<size_t>(view.groups[i]);
    const double counts = count(record);
    table.counts[group] += counts;
    n += counts;
    for (size_t p = 0; p < plans.size(); ++p) table.sums[group * plans.size() + p] += plans[p].sum(record);
  }
  std::vector<BootstrapMean> means = bootstrap_means(table, replicates, seed);
  std::vector<Quantity> quantities;
  for (size_t p = 0; p < plans.size(); ++p) {
    Quantity quantity = std::move(plans[p].quantity);
    quantity.n = static_cast<int64_t>(n);
    quantity.n_unit = samples_unit(view);
    quantity.groups = view.group_count;
    quantity.evidence = MeanEvidence{std::move(means[p])};
    quantities.push_back(std::move(quantity));
  }
  return quantities;
}

MeanPlan mean_change(const SampleView& view, std::string_view name, int better,
                     const std::function<double(const SampleRecord&)>& reference,
                     const std::function<double(const SampleRecord&)>& candidate) {
  double sums[2] = {};
  for (const SampleRecord* record : view.records) {
    sums[0] += reference(*record);
    sums[1] += candidate(*record);
  }
  MeanPlan plan;
  plan.quantity.name = name;
  plan.quantity.scale = -better;
  plan.quantity.reference = sums[0] / static_cast<double>(view.records.size());
  plan.quantity.candidate = sums[1] / static_cast<double>(view.records.size());
  plan.sum = [=](const SampleRecord& record) { return better * (reference(record) - candidate(record)); };
  return plan;
}

void bound_if_unchanged(const SampleView& view, Quantity& quantity) {
  const auto* mean = std::get_if<MeanEvidence>(&quantity.evidence);
  if (mean == nullptr || mean->mean.deviation > 0 || mean->mean.mean != 0) return;
  const auto nothing = [](const SampleRecord&) { return GroupSum{1, 0}; };
  quantity.evidence = rate(view, quantity.name, quantity.n_unit, 0, nothing).evidence;
}

Distribution distribution(const SampleView& view, std::string_view name, std::string_view n_unit,
                          const std::function<void(const SampleRecord&, Values&)>& spread) {
  auto values = std::make_shared<Values>();
  auto groups = std::make_shared<std::vector<int64_t>>();
  for (size_t i = 0; i < view.records.size(); ++i) {
    spread(*view.records[i], *values);
    groups->resize(values->size(), view.groups[i]);
  }
  Distribution result{name, n_unit, values, groups, {}};
  result.tails = tails_of(*values, *groups);
  return result;
}

}  // namespace halftone
