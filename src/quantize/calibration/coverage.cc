// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/coverage.h"

#include <algorithm>
#include <cmath>

#include "quantize/calibration/statistics.h"
#include "quantize/evaluate/evaluator.h"

namespace halftone {
namespace {

// Linear nodes by the value they read, at the first of them.
struct Reading {
  size_t node;
  ValueId value;
  std::vector<std::string> names;
};

std::vector<Reading> readings_of(const Graph& graph) {
  std::vector<Reading> readings;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!std::holds_alternative<Linear>(node.op)) continue;
    const auto known = std::find_if(readings.begin(), readings.end(),
                                    [&](const Reading& reading) { return reading.value == node.inputs[0]; });
    if (known != readings.end()) {
      known->names.push_back(node.name);
    } else {
      readings.push_back({i, node.inputs[0], {node.name}});
    }
  }
  return readings;
}

void measure_convergence(const ChannelStatistics& half, const ChannelStatistics& all, TensorCoverage& tensor) {
  if (half.tokens() == 0) return;
  const std::vector<float> before = half.second_moment(), after = all.second_moment();
  double change = 0, size = 0, growth = 0;
  for (size_t i = 0; i < after.size(); ++i) {
    const double difference = static_cast<double>(before[i]) - static_cast<double>(after[i]);
    change += difference * difference;
    size += static_cast<double>(after[i]) * static_cast<double>(after[i]);
    const double width = static_cast<double>(all.maximum()[i]) - static_cast<double>(all.minimum()[i]);
    const double known = static_cast<double>(half.maximum()[i]) - static_cast<double>(half.minimum()[i]);
    if (width > 0) growth += (width - known) / width;
  }
  tensor.moment_change = size > 0 ? std::sqrt(change / size) : 0;
  tensor.range_growth = growth / static_cast<double>(after.size());
}

// Of one held-out sequence, over all tensors.
struct SampleSums {
  int64_t values = 0, outside = 0, channels = 0;
  double excess = 0;
};

// What held-out rows do with the calibrated ranges of one tensor.
class Outside {
 public:
  explicit Outside(const ChannelStatistics& calibrated)
      : calibrated_(calibrated), held_(calibrated.columns()), counts_(static_cast<size_t>(calibrated.columns())) {}

  void add(std::span<const float> rows, SampleSums& sample) {
    const auto columns = static_cast<size_t>(calibrated_.columns());
    ChannelStatistics own(calibrated_.columns());
    own.add(rows);
    held_.add(rows);
    const std::vector<float>&low = calibrated_.minimum(), &high = calibrated_.maximum();
    for (size_t at = 0; at < rows.size(); at += columns) {
      for (size_t i = 0; i < columns; ++i) {
        const bool is_inside = rows[at + i] >= low[i] && rows[at + i] <= high[i];
        counts_[i] += is_inside ? 0 : 1;
        sample.outside += is_inside ? 0 : 1;
      }
    }
    sample.values += static_cast<int64_t>(rows.size());
    sample.channels += calibrated_.columns();
    for (size_t i = 0; i < columns; ++i) {
      const double width = static_cast<double>(high[i]) - static_cast<double>(low[i]);
      const double over = std::max(0.0, static_cast<double>(own.maximum()[i]) - static_cast<double>(high[i]));
      const double under = std::max(0.0, static_cast<double>(low[i]) - static_cast<double>(own.minimum()[i]));
      if (width > 0) sample.excess += (over + under) / width;
    }
  }

  void finish(size_t worst, TensorCoverage& tensor) const {
    int64_t outside = 0;
    std::vector<size_t> order;
    for (size_t i = 0; i < counts_.size(); ++i) {
      outside += counts_[i];
      if (counts_[i] > 0) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return counts_[a] > counts_[b]; });
    order.resize(std::min(order.size(), worst));
    const auto tokens = static_cast<double>(held_.tokens());
    tensor.columns = calibrated_.columns();
    tensor.inside = 1 - static_cast<double>(outside) / (tokens * static_cast<double>(tensor.columns));
    for (const size_t i : order) {
      tensor.worst.push_back({static_cast<int64_t>(i), calibrated_.minimum()[i], calibrated_.maximum()[i],
                              held_.minimum()[i], held_.maximum()[i], static_cast<double>(counts_[i]) / tokens});
    }
  }

 private:
  const ChannelStatistics& calibrated_;
  ChannelStatistics held_;
  std::vector<int64_t> counts_;  // by channel
};

class CoverageRun {
 public:
  CoverageRun(Evaluator& calibration, Evaluator& held_out, const CoverageOptions& options)
      : calibration_(calibration),
        held_out_(held_out),
        options_(options),
        sums_(static_cast<size_t>(held_out.sequences().count())) {}

  Result<CoverageReport> run() {
    size_t done = 0;
    for (const Reading& reading : readings_of(calibration_.graph())) {
      HALFTONE_TRY(calibration_.run(done, reading.node));
      HALFTONE_TRY(held_out_.run(done, reading.node));
      done = reading.node;
      HALFTONE_TRY(compare(reading));
    }
    add_samples();
    return std::move(report_);
  }

 private:
  static std::span<const float> rows_of(const Evaluator& evaluator, ValueId value, int64_t begin, int64_t end) {
    const auto width = static_cast<size_t>(evaluator.width(value));
    return evaluator.value(value).subspan(static_cast<size_t>(begin) * width, static_cast<size_t>(end - begin) * width);
  }

  Status compare(const Reading& reading) {
    TensorCoverage tensor;
    tensor.readers = reading.names;
    const Sequences& sequences = calibration_.sequences();
    const int64_t middle = sequences.begin(sequences.count() / 2);  // 0: there is but one
    ChannelStatistics all(calibration_.width(reading.value));
    all.add(rows_of(calibration_, reading.value, 0, middle));
    const ChannelStatistics half = all;
    all.add(rows_of(calibration_, reading.value, middle, sequences.size()));
    HALFTONE_TRY(all.check_finite(reading.names[0]));
    measure_convergence(half, all, tensor);
    Outside outside(all);
    const Sequences& held = held_out_.sequences();
    for (int64_t i = 0; i < held.count(); ++i) {
      outside.add(rows_of(held_out_, reading.value, held.begin(i), held.end(i)), sums_[static_cast<size_t>(i)]);
    }
    outside.finish(options_.worst_channels, tensor);
    report_.tensors.push_back(std::move(tensor));
    return {};
  }

  void add_samples() {
    int64_t values = 0, outside = 0;
    for (size_t i = 0; i < sums_.size(); ++i) {
      const SampleSums& sums = sums_[i];
      values += sums.values;
      outside += sums.outside;
      if (sums.values == 0) continue;
      report_.samples.push_back({static_cast<int64_t>(i),
                                 static_cast<double>(sums.outside) / static_cast<double>(sums.values),
                                 sums.excess / static_cast<double>(sums.channels)});
    }
    if (values > 0) report_.inside = 1 - static_cast<double>(outside) / static_cast<double>(values);
    std::stable_sort(report_.samples.begin(), report_.samples.end(),
                     [](const SampleCoverage& a, const SampleCoverage& b) { return a.excess > b.excess; });
    report_.samples.resize(std::min(report_.samples.size(), options_.samples));
  }

  Evaluator &calibration_, &held_out_;
  const CoverageOptions& options_;
  std::vector<SampleSums> sums_;
  CoverageReport report_;
};

}  // namespace

nlohmann::ordered_json CoverageReport::to_json() const {
  nlohmann::ordered_json json = {
      {"inside", inside}, {"tensors", nlohmann::ordered_json::array()}, {"samples", nlohmann::ordered_json::array()}};
  for (const TensorCoverage& tensor : tensors) {
    nlohmann::ordered_json worst = nlohmann::ordered_json::array();
    for (const ChannelCoverage& channel : tensor.worst) {
      worst.push_back({{"channel", channel.channel},
                       {"low", channel.low},
                       {"high", channel.high},
                       {"held_out_low", channel.held_low},
                       {"held_out_high", channel.held_high},
                       {"outside", channel.outside}});
    }
    json["tensors"].push_back({{"readers", tensor.readers},
                               {"columns", tensor.columns},
                               {"inside", tensor.inside},
                               {"moment_change", tensor.moment_change},
                               {"range_growth", tensor.range_growth},
                               {"worst", std::move(worst)}});
  }
  for (const SampleCoverage& sample : samples) {
    json["samples"].push_back({{"sample", sample.sample}, {"outside", sample.outside}, {"excess", sample.excess}});
  }
  return json;
}

Result<CoverageReport> measure_coverage(const Graph& graph, const WeightTable& weights, const Sequences& calibration,
                                        const Sequences& held_out, ThreadPool& pool, const CoverageOptions& options) {
  HALFTONE_ASSIGN(const std::unique_ptr<Evaluator> first, Evaluator::create(graph, weights, calibration, pool));
  HALFTONE_ASSIGN(const std::unique_ptr<Evaluator> second, Evaluator::create(graph, weights, held_out, pool));
  return CoverageRun(*first, *second, options).run();
}

}  // namespace halftone
