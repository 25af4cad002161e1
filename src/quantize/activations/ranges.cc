// SPDX-License-Identifier: Apache-2.0
#include "quantize/activations/ranges.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "base/error.h"
#include "quantize/activations/magnitudes.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/evaluate/weight_table.h"

namespace halftone {
namespace {

// Called once per value that matrices read, with its numbers: (tokens, columns).
using Choose = std::function<Result<StaticRange>(const std::vector<std::string>& matrices, std::span<const float> x)>;

// The matrices by the value that they read.
Result<std::map<ValueId, std::vector<std::string>>> readers_of(const Graph& graph) {
  std::map<ValueId, std::vector<std::string>> readers;
  std::set<std::string_view> seen;
  for (const Node& node : graph.nodes) {
    const auto* linear = std::get_if<Linear>(&node.op);
    if (linear == nullptr) continue;
    const std::string& name = graph.weight(linear->weight).name;
    if (!seen.insert(name).second)
      return unsupported("[ranges] tensor {}: expected a matrix that is read once, got a second reader, {}", name,
                         node.name);
    readers[node.inputs[0]].push_back(name);
  }
  return readers;
}

// Computes the model with rounded inputs, up to the last value that is asked for.
class RoundedPass {
 public:
  RoundedPass(Evaluator& evaluator, std::map<ValueId, std::vector<std::string>> readers)
      : evaluator_(evaluator), readers_(std::move(readers)) {}

  Status run(const Choose& choose, Progress& progress) {
    const Graph& graph = evaluator_.graph();
    progress.begin("ranges", static_cast<int64_t>(readers_.size()), "inputs");
    Status status;
    for (size_t node = 0; node < graph.nodes.size() && ranges_.size() < readers_.size() && status.ok(); ++node)
      status = std::holds_alternative<Linear>(graph.nodes[node].op) ? run_linear(node, choose, progress)
                                                                    : evaluator_.run_node(node);
    progress.end();
    return status;
  }

 private:
  Status run_linear(size_t node, const Choose& choose, Progress& progress) {
    const ValueId input = evaluator_.graph().nodes[node].inputs[0];
    const std::span<const float> x = evaluator_.value(input);
    if (!ranges_.contains(input)) {
      HALFTONE_ASSIGN(const StaticRange range, choose(readers_.at(input), x));
      ranges_.emplace(input, range);
      progress.advance(1);
      if (ranges_.size() == readers_.size()) return {};  // what follows enters no matrix
    }
    original_.assign(x.begin(), x.end());
    rounded_.resize(original_.size());
    const int64_t width = evaluator_.width(input);
    for_rows(evaluator_.products().pool(), evaluator_.tokens(), width, [&](int64_t t) {
      round_to_range(original_.data() + t * width, width, ranges_.at(input), rounded_.data() + t * width);
    });
    evaluator_.set_value(input, rounded_);
    HALFTONE_TRY(evaluator_.run_node(node));
    if (evaluator_.has_value(input)) evaluator_.set_value(input, original_);  // others may read it as it is
    return {};
  }

  Evaluator& evaluator_;
  std::map<ValueId, std::vector<std::string>> readers_;
  std::map<ValueId, StaticRange> ranges_;
  std::vector<float> original_, rounded_;
};

Status run_pass(const ModelFile& stored, const Graph& graph, const Sequences& sequences, const Choose& choose,
                ThreadPool& pool, Progress& progress) {
  HALFTONE_ASSIGN(auto readers, readers_of(graph));
  HALFTONE_ASSIGN(const WeightTable weights, WeightTable::create(graph, stored));
  HALFTONE_ASSIGN(const std::unique_ptr<Evaluator> evaluator, Evaluator::create(graph, weights, sequences, pool));
  return RoundedPass(*evaluator, std::move(readers)).run(choose, progress);
}

StaticRange choose_range(const Magnitudes& magnitudes, const ActivationOptions& options) {
  StaticRange range = {options.bits, 0};
  const float levels = range.largest();
  float border = options.rule == RangeRule::max          ? magnitudes.largest()
                 : options.rule == RangeRule::percentile ? magnitudes.percentile(options.percentile)
                                                         : magnitudes.best_border(levels);
  if (border == 0) border = magnitudes.largest() > 0 ? magnitudes.largest() : 1;  // most or all values are zero
  range.scale = std::max(border / levels, std::numeric_limits<float>::min());
  return range;
}

// Values that are cut.
int64_t count_outside(std::span<const float> x, const StaticRange& range, ThreadPool& pool) {
  constexpr int64_t kChunk = 1 << 16;
  const float border = range.border();
  std::atomic<int64_t> outside{0};
  pool.parallel_for(static_cast<int64_t>(x.size()), kChunk, [&](int64_t begin, int64_t end, int) {
    int64_t own = 0;
    for (int64_t i = begin; i < end; ++i) own += std::fabs(x[static_cast<size_t>(i)]) > border ? 1 : 0;
    outside += own;
  });
  return outside;
}

// Sums shares of values over inputs.
struct Share {
  int64_t values = 0, outside = 0;
  double add(int64_t count, int64_t cut) {
    values += count;
    outside += cut;
    return 1 - static_cast<double>(cut) / static_cast<double>(count);
  }
  double inside() const { return 1 - static_cast<double>(outside) / static_cast<double>(values); }
};

nlohmann::ordered_json to_json(const RangeCoverage& coverage) {
  return {{"inside", coverage.inside}, {"largest", coverage.largest}};
}

}  // namespace

std::map<std::string, StaticRange> RangesReport::by_matrix() const {
  std::map<std::string, StaticRange> ranges;
  for (const InputRange& input : inputs)
    for (const std::string& matrix : input.matrices) ranges.emplace(matrix, input.range);
  return ranges;
}

nlohmann::ordered_json RangesReport::summary() const {
  nlohmann::ordered_json json = options.to_json();
  json.update({{"tokens", tokens}, {"inside", inside}});
  return json;
}

nlohmann::ordered_json RangesReport::to_json() const {
  nlohmann::ordered_json json = summary();
  if (held_out_inside) json.update({{"held_out_tokens", held_out_tokens}, {"held_out_inside", *held_out_inside}});
  json["inputs"] = nlohmann::ordered_json::array();
  for (const InputRange& input : inputs) {
    json["inputs"].push_back({{"matrices", input.matrices},
                              {"scale", input.range.scale},
                              {"relative_rms_error", input.relative_rms_error},
                              {"calibration", halftone::to_json(input.calibration)}});
    if (input.held_out) json["inputs"].back()["held_out"] = halftone::to_json(*input.held_out);
  }
  return json;
}

Result<RangesReport> find_ranges(const ModelFile& stored, const Graph& graph, const Sequences& calibration,
                                 const ActivationOptions& options, ThreadPool& pool, Progress& progress) {
  RangesReport report;
  report.options = options;
  report.tokens = calibration.size();
  Share all;
  const Choose choose = [&](const std::vector<std::string>& matrices, std::span<const float> x) -> Result<StaticRange> {
    Magnitudes magnitudes;
    magnitudes.add(x, pool);
    if (!magnitudes.is_finite())
      return invalid_input("[ranges] the inputs of '{}': expected finite values, got {} on the calibration",
                           matrices.front(), magnitudes.largest());
    InputRange input = {matrices, choose_range(magnitudes, options), 0, {}, {}};
    const auto levels = static_cast<double>(input.range.largest());
    const double power = magnitudes.second_moment();
    if (power > 0)
      input.relative_rms_error =
          std::sqrt(magnitudes.squared_error(static_cast<double>(input.range.scale) * levels, levels) / power);
    input.calibration = {all.add(magnitudes.count(), count_outside(x, input.range, pool)), magnitudes.largest()};
    report.inputs.push_back(std::move(input));
    return report.inputs.back().range;
  };
  HALFTONE_TRY(run_pass(stored, graph, calibration, choose, pool, progress));
  report.inside = all.inside();
  return report;
}

Status cover_held_out(const ModelFile& stored, const Graph& graph, const Sequences& held_out, RangesReport& report,
                      ThreadPool& pool, Progress& progress) {
  Share all;
  size_t next = 0;
  const Choose choose = [&](const std::vector<std::string>& matrices, std::span<const float> x) -> Result<StaticRange> {
    InputRange& input = report.inputs[next++];
    HALFTONE_CHECK(input.matrices == matrices);
    Magnitudes magnitudes;
    magnitudes.add(x, pool);
    if (!magnitudes.is_finite())
      return invalid_input("[ranges] the inputs of '{}': expected finite values, got {} on the held-out text",
                           matrices.front(), magnitudes.largest());
    input.held_out = {all.add(magnitudes.count(), count_outside(x, input.range, pool)), magnitudes.largest()};
    return input.range;
  };
  HALFTONE_TRY(run_pass(stored, graph, held_out, choose, pool, progress));
  report.held_out_tokens = held_out.size();
  report.held_out_inside = all.inside();
  return {};
}

}  // namespace halftone
