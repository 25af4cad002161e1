// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed/mixed.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "quantize/mixed/refine.h"
#include "quantize/mixed/sensitivity.h"

namespace halftone {
namespace {

constexpr int64_t kLeastTrials = 100;

double bits_of(int64_t bytes, int64_t elements) {
  return 8.0 * static_cast<double>(bytes) / static_cast<double>(std::max<int64_t>(1, elements));
}

// What is stored beside the choice, and what that leaves for it.
struct Sizes {
  int64_t elements = 0;                 // of all tensors
  int64_t kept_bytes = 0;               // vectors
  int64_t budget = 0, least = 0;        // of all tensors
  std::vector<ArtifactTensor> largest;  // every tensor in its largest candidate, for the header
};

Sizes sizes_of(const std::vector<Assignment>& all, const std::vector<CandidateTensor>& tensors, bool tuned) {
  Sizes sizes;
  for (const Assignment& one : all) {
    sizes.elements += one.source->elements();
    if (one.source->shape.size() > 1) continue;
    sizes.largest.push_back(stored_as(one, tuned));
    sizes.kept_bytes += sizes.largest.back().bytes();
  }
  sizes.least = sizes.kept_bytes;
  for (const CandidateTensor& tensor : tensors) {
    const auto [least, most] =
        std::minmax_element(tensor.candidates.begin(), tensor.candidates.end(),
                            [](const Candidate& a, const Candidate& b) { return a.bytes() < b.bytes(); });
    sizes.least += least->bytes();
    sizes.largest.push_back(stored_as(most->assignment, tuned));
  }
  return sizes;
}

Status set_budget(const Recipe& recipe, Sizes& sizes) {
  const MixedOptions& options = *recipe.mixed;
  int64_t head = 0;
  if (options.max_bytes > 0) {
    head = artifact_weights_bytes(sizes.largest);
    for (const ArtifactTensor& one : sizes.largest) head -= one.bytes();
    sizes.budget = options.max_bytes - head;
  } else {
    sizes.budget = static_cast<int64_t>(options.target_bits * static_cast<double>(sizes.elements) / 8);
  }
  if (sizes.budget >= sizes.least) return {};
  std::vector<std::string_view> names;
  for (const Layout* layout : options.layouts) names.push_back(layout->name);
  const int64_t reached = sizes.least + head;
  // Rounded up, so that what is named can be reached.
  const double bits = std::ceil(1000 * bits_of(sizes.least, sizes.elements)) / 1000;
  const std::string wanted = options.max_bytes > 0 ? fmt::format("{} bytes", options.max_bytes)
                                                   : fmt::format("{} bits per weight", options.target_bits);
  return invalid_input(
      "[mixed] recipe {}: expected a target that can be reached, got {}; the least with {} is {} bytes, {:.3f} bits "
      "per "
      "weight (vectors and scales counted): ask for that, or give layouts of fewer bits",
      recipe.name, wanted, fmt::join(names, ", "), reached, bits);
}

struct Costs {
  BudgetItems alone;
  std::vector<std::vector<double>> extra;
};

// A table that is only looked up is not multiplied with: its weights take no time.
Costs costs_of(const std::vector<CandidateTensor>& tensors, const MixedOptions& options) {
  Costs costs;
  for (const CandidateTensor& tensor : tensors) {
    costs.alone.emplace_back();
    costs.extra.emplace_back();
    for (const Candidate& one : tensor.candidates) {
      const auto at = std::find(options.layouts.begin(), options.layouts.end(), one.assignment.layout);
      const bool timed =
          !options.nanoseconds.empty() && at != options.layouts.end() && one.assignment.op != "embedding";
      const double nanoseconds = timed ? options.nanoseconds[static_cast<size_t>(at - options.layouts.begin())] : 0;
      const double extra =
          options.kl_per_millisecond * nanoseconds * 1e-6 * static_cast<double>(one.assignment.source->elements());
      costs.extra.back().push_back(extra);
      costs.alone.back().push_back({one.bytes(), one.kl + extra});
    }
  }
  return costs;
}

std::string layout_name(const Candidate& one) {
  return one.assignment.layout == nullptr ? "keep" : std::string(one.assignment.layout->name);
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// A rule per matrix. What is no tensor's (a name, tuning) stays.
Result<Recipe> explicit_recipe(const Recipe& recipe, const std::vector<CandidateTensor>& tensors,
                               const Selection& selection, const MixedReport& report) {
  std::string yaml =
      fmt::format("# chosen by measurement: {:.3f} bits per weight, KL {:.5f} on {} tokens\nname: {}\nrules:\n",
                  report.bits_per_weight, report.kl, report.tokens, in_quotes(recipe.name));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Candidate& one = tensors[i].candidates[selection[i]];
    const std::string method = one.method().empty() ? "" : fmt::format(", method: {}", one.method());
    yaml += fmt::format("  - {{match: {}, layout: {}{}}}\n", in_quotes(tensors[i].name()), layout_name(one), method);
  }
  if (recipe.bias_correction) yaml += recipe.needs_biases ? "bias_correction: true\n" : "bias_correction: if_any\n";
  if (recipe.activations.bits > 0) yaml += fmt::format("activations: {}\n", recipe.activations.to_json().dump());
  if (!recipe.transforms.empty()) yaml += fmt::format("transform: [{}]\n", fmt::join(recipe.transforms, ", "));
  if (recipe.tune.steps > 0)
    yaml += fmt::format("tune: {{steps: {}, rate: {}, batch_tokens: {}}}\n", recipe.tune.steps, recipe.tune.rate,
                        recipe.tune.batch_tokens);
  return parse_recipe(yaml, recipe.name);
}

class Chooser {
 public:
  Chooser(const ModelFile& source, const Graph& graph, const Recipe& recipe, ThreadPool& pool, Progress& progress)
      : source_(source), graph_(graph), recipe_(recipe), options_(*recipe.mixed), pool_(pool), progress_(progress) {}

  Result<MixedChoice> run(const Sequences& calibration) {
    HALFTONE_ASSIGN(tensors_, list_candidates(graph_, source_, recipe_, options_.layouts, options_.method));
    HALFTONE_ASSIGN(const std::vector<Assignment> all, assign_layouts(source_, graph_, Recipe()));
    sizes_ = sizes_of(all, tensors_, recipe_.tune.steps > 0);
    HALFTONE_TRY(set_budget(recipe_, sizes_));
    HALFTONE_ASSIGN(SplitTexts texts, split_texts(calibration, options_.tokens));
    HALFTONE_ASSIGN(const auto model, TrialModel::create(graph_, source_, std::move(texts.judge), pool_));
    CandidatePacker packer(graph_, source_, texts.learn, pool_);
    HALFTONE_TRY(measure_candidates(tensors_, packer, *model, true, progress_));
    costs_ = costs_of(tensors_, options_);
    SelectionKl kl(tensors_, *model);
    int64_t candidates = 0;
    for (const CandidateTensor& tensor : tensors_) candidates += static_cast<int64_t>(tensor.candidates.size());
    const int64_t most = options_.trials > 0 ? options_.trials : std::max(kLeastTrials, candidates);
    HALFTONE_ASSIGN(const Refined refined,
                    refine(costs_.alone, costs_.extra, kl, {sizes_.budget - sizes_.kept_bytes, most}, progress_));
    MixedChoice choice;
    choice.report.tokens = model->tokens();
    HALFTONE_TRY(explain(refined, kl, choice.report));
    choice.report.trials = candidates + kl.trials();
    HALFTONE_ASSIGN(choice.recipe, explicit_recipe(recipe_, tensors_, refined.selection, choice.report));
    return choice;
  }

 private:
  Status explain(const Refined& refined, SelectionKl& kl, MixedReport& report) const {
    for (const Layout* layout : options_.layouts) report.candidates.emplace_back(layout->name);
    report.method = options_.method;
    report.budget_bytes = sizes_.budget;
    report.target_bits = bits_of(sizes_.budget, sizes_.elements);
    report.kl = refined.kl;
    report.predicted_kl = refined.predicted_kl;
    report.first_kl = refined.first_kl;
    report.price_per_megabyte = refined.price * 1e6;
    report.refine_trials = refined.trials;
    report.bytes = sizes_.kept_bytes;
    HALFTONE_TRY(kl.settle(refined.selection));
    for (size_t i = 0; i < tensors_.size(); ++i) {
      const size_t at = refined.selection[i];
      const Candidate& one = tensors_[i].candidates[at];
      MixedTensor tensor;
      tensor.name = tensors_[i].name();
      tensor.op = one.assignment.op;
      tensor.layout = layout_name(one);
      tensor.method = one.method();
      tensor.elements = one.assignment.source->elements();
      tensor.bytes = one.bytes();
      tensor.kl = one.kl;
      HALFTONE_ASSIGN(tensor.down, step_to(i, step_down(costs_.alone[i], at), refined, kl));
      HALFTONE_ASSIGN(tensor.up, step_to(i, step_up(costs_.alone[i], at), refined, kl));
      for (const Candidate& other : tensors_[i].candidates)
        tensor.candidates.push_back({layout_name(other), std::string(other.method()), other.bytes(), other.kl});
      report.bytes += tensor.bytes;
      report.tensors.push_back(std::move(tensor));
    }
    report.bits_per_weight = bits_of(report.bytes, sizes_.elements);
    return {};
  }

  Result<MixedStep> step_to(size_t tensor, size_t candidate, const Refined& refined, SelectionKl& kl) const {
    MixedStep step;
    if (candidate == refined.selection[tensor]) return step;
    Selection changed = refined.selection;
    changed[tensor] = candidate;
    HALFTONE_ASSIGN(const double there, kl.measure(changed));
    const std::vector<Candidate>& candidates = tensors_[tensor].candidates;
    step.layout = candidates[candidate].assignment.layout->name;
    step.bytes = candidates[candidate].bytes() - candidates[refined.selection[tensor]].bytes();
    step.kl = there - refined.kl;
    return step;
  }

  const ModelFile& source_;
  const Graph& graph_;
  const Recipe& recipe_;
  const MixedOptions& options_;
  ThreadPool& pool_;
  Progress& progress_;
  std::vector<CandidateTensor> tensors_;
  Sizes sizes_;
  Costs costs_;
};

nlohmann::ordered_json step_json(const MixedStep& step) {
  if (step.layout.empty()) return nullptr;
  return {{"layout", step.layout}, {"bytes", step.bytes}, {"kl", step.kl}, {"kl_per_megabyte", step.kl_per_megabyte()}};
}

}  // namespace

nlohmann::ordered_json MixedReport::to_json() const {
  nlohmann::ordered_json json = {{"candidates", candidates},
                                 {"method", method},
                                 {"tokens", tokens},
                                 {"budget_bytes", budget_bytes},
                                 {"bytes", bytes},
                                 {"target_bits", target_bits},
                                 {"bits_per_weight", bits_per_weight},
                                 {"kl", kl},
                                 {"predicted_kl", predicted_kl},
                                 {"first_kl", first_kl},
                                 {"price_per_megabyte", price_per_megabyte},
                                 {"trials", trials},
                                 {"refine_trials", refine_trials},
                                 {"seconds", seconds},
                                 {"tensors", nlohmann::ordered_json::array()}};
  for (const MixedTensor& one : tensors) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const MixedCandidate& other : one.candidates)
      all.push_back({{"layout", other.layout}, {"method", other.method}, {"bytes", other.bytes}, {"kl", other.kl}});
    json["tensors"].push_back({{"name", one.name},
                               {"op", one.op},
                               {"layout", one.layout},
                               {"method", one.method},
                               {"elements", one.elements},
                               {"bytes", one.bytes},
                               {"kl", one.kl},
                               {"down", step_json(one.down)},
                               {"up", step_json(one.up)},
                               {"candidates", std::move(all)}});
  }
  return json;
}

Result<MixedChoice> choose_mixed(const ModelFile& source, const Graph& graph, const Recipe& recipe,
                                 const Sequences* calibration, ThreadPool& pool, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  if (calibration == nullptr)
    return invalid_input(
        "[mixed] recipe {}: layouts are chosen by what they cost on real text; expected --calibration FILE, got none",
        recipe.name);
  HALFTONE_ASSIGN(MixedChoice choice, Chooser(source, graph, recipe, pool, progress).run(*calibration));
  choice.report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return choice;
}

}  // namespace halftone
