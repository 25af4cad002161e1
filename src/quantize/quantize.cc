// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <set>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/version.h"
#include "formats/artifact/artifact.h"
#include "formats/check.h"
#include "quantize/assign.h"
#include "quantize/observer.h"
#include "quantize/report.h"
#include "quantize/stream.h"

namespace halftone {
namespace {

double bits_per(int64_t bytes, int64_t elements) {
  return elements == 0 ? 0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(elements);
}

TensorReport report_of(const Assignment& assignment, bool tuned, const Totals& totals) {
  const ArtifactTensor stored = stored_as(assignment, tuned);
  TensorReport report;
  report.name = stored.name;
  report.op = assignment.op;
  report.rule = assignment.rule;
  report.layout = stored.layout->name;
  if (assignment.method != nullptr) report.method = assignment.method->name;
  report.elements = assignment.source->elements();
  report.bytes = stored.bytes();
  report.bits_per_weight = bits_per(report.bytes, report.elements);
  if (totals.error_squared > 0) report.relative_rms_error = std::sqrt(totals.error_squared / totals.weight_squared);
  report.max_abs_error = static_cast<double>(totals.max_error);
  return report;
}

std::vector<std::string> unused_tensors(const ModelFile& source, const std::vector<Assignment>& assignments) {
  std::set<std::string_view> used;
  for (const Assignment& assignment : assignments) used.insert(assignment.source->name);
  std::vector<std::string> unused;
  for (const StoredTensor& tensor : source.tensors)
    if (!used.contains(tensor.name)) unused.push_back(tensor.name);
  return unused;
}

}  // namespace

void add_tensors(const std::vector<Assignment>& assignments, bool tuned, const std::vector<Totals>& totals,
                 QuantizeReport& report) {
  int64_t bytes = 0, elements = 0;
  for (size_t i = 0; i < assignments.size(); ++i) {
    report.tensors.push_back(report_of(assignments[i], tuned, totals[i]));
    bytes += report.tensors.back().bytes;
    elements += report.tensors.back().elements;
  }
  report.bits_per_weight = bits_per(bytes, elements);
}

nlohmann::ordered_json provenance_of(const ModelFile& source, const Recipe& recipe, const QuantizeReport& report) {
  nlohmann::ordered_json provenance = {
      {"halftone", version()},
      {"recipe", {{"name", recipe.name}, {"yaml", recipe.text}}},
      {"source",
       {{"name", std::filesystem::absolute(source.path).lexically_normal().filename().string()},
        {"container", source.container},
        {"files", nlohmann::ordered_json::array()}}}};
  for (const SourceFile& file : report.source_files)
    provenance["source"]["files"].push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  const nlohmann::ordered_json json = report.to_json();
  for (const char* part : {"transforms", "tuned"})
    if (json.contains(part)) provenance[part] = json[part];
  if (report.activations) provenance["activations"] = report.activations->summary();
  provenance["tensors"] = json["tensors"];
  return provenance;
}

namespace {

nlohmann::ordered_json tuned_json(const TuneReport& tuned) {
  return {{"steps", tuned.steps},         {"tokens", tuned.tokens},     {"held_out_tokens", tuned.held_out_tokens},
          {"kl_before", tuned.kl_before}, {"kl_after", tuned.kl_after}, {"kept", tuned.kept}};
}

}  // namespace

nlohmann::ordered_json QuantizeReport::to_json() const {
  nlohmann::ordered_json json = {{"recipe", recipe},
                                 {"weights_bytes", weights_bytes},
                                 {"bits_per_weight", bits_per_weight},
                                 {"seconds", seconds},
                                 {"unused", unused},
                                 {"source_files", nlohmann::ordered_json::array()},
                                 {"tensors", nlohmann::ordered_json::array()}};
  for (const TransformReport& transform : transforms) json["transforms"].push_back(transform.to_json());
  if (tuned) json["tuned"] = tuned_json(*tuned);
  if (mixed) json["mixed"] = mixed->to_json();
  if (activations) json["activations"] = activations->to_json();
  for (const SourceFile& file : source_files)
    json["source_files"].push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  for (const TensorReport& tensor : tensors)
    json["tensors"].push_back({{"name", tensor.name},
                               {"op", tensor.op},
                               {"rule", tensor.rule},
                               {"layout", tensor.layout},
                               {"method", tensor.method},
                               {"elements", tensor.elements},
                               {"bytes", tensor.bytes},
                               {"bits_per_weight", tensor.bits_per_weight},
                               {"relative_rms_error", tensor.relative_rms_error},
                               {"max_abs_error", tensor.max_abs_error}});
  return json;
}

namespace {

// Null where no method wants statistics, so that nothing is computed for none.
Result<std::unique_ptr<Observer>> make_observer(const std::vector<Assignment>& assignments, const ModelFile& source,
                                                const Graph& graph, const Recipe& recipe, const Sequences* calibration,
                                                ThreadPool& pool) {
  const auto asks = std::find_if(assignments.begin(), assignments.end(), [](const Assignment& one) {
    return one.method != nullptr && one.method->uses != Data::none;
  });
  if (asks == assignments.end() && !recipe.bias_correction) return std::unique_ptr<Observer>();
  if (calibration == nullptr && recipe.bias_correction)
    return invalid_input(
        "[quantize] recipe {}: bias_correction: biases take the mean error on real text; expected --calibration FILE, "
        "got none",
        recipe.name);
  if (calibration == nullptr)
    return invalid_input(
        "[quantize] recipe {}: {}: method {} chooses numbers by what the model computes on real text; expected "
        "--calibration FILE, got none",
        recipe.name, asks->rule, asks->method->name);
  HALFTONE_ASSIGN(auto observer, GraphObserver::create(graph, source, *calibration, pool));
  return std::unique_ptr<Observer>(std::move(observer));
}

}  // namespace

namespace {

// One run, from assignments to an artifact. With tuning, what is packed waits in memory until its scales are tuned.
class Run {
 public:
  Run(const ModelFile& source, const Graph& graph, const Recipe& recipe, const QuantizeOptions& options,
      ThreadPool& pool, Progress& progress)
      : source_(source), graph_(graph), recipe_(recipe), options_(options), pool_(pool), progress_(progress) {}

  Status begin(const std::filesystem::path& target) {
    HALFTONE_ASSIGN(assignments_, assign_layouts(source_, graph_, recipe_));
    if (recipe_.tune.steps > 0 && options_.calibration == nullptr)
      return invalid_input(
          "[quantize] recipe {}: tuning compares with the float model on real text; expected --calibration FILE, got "
          "none",
          recipe_.name);
    if (recipe_.activations.bits > 0 && options_.calibration == nullptr)
      return invalid_input(
          "[quantize] recipe {}: static ranges of activations follow from what the model computes on real text; "
          "expected --calibration FILE, got none",
          recipe_.name);
    HALFTONE_ASSIGN(observer_, make_observer(assignments_, source_, graph_, recipe_, options_.calibration, pool_));
    std::vector<ArtifactTensor> stored;
    for (const Assignment& one : assignments_) stored.push_back(stored_as(one, tuned()));
    HALFTONE_ASSIGN(writer_, ArtifactWriter::create(target, options_.replace, source_, std::move(stored)));
    return {};
  }

  Status pack() {
    const auto write = [&](size_t, std::span<const std::byte> bytes) { return writer_->write(bytes); };
    const auto hold = [&](size_t tensor, std::span<const std::byte> bytes) {
      held_[tensor].insert(held_[tensor].end(), bytes.begin(), bytes.end());
      return Status();
    };
    if (tuned()) held_.resize(assignments_.size());
    PackingStream stream(source_, assignments_, observer_.get(), tuned() ? PackingStream::Sink(hold) : write, pool_);
    int64_t bytes = 0;
    for (const Assignment& one : assignments_) bytes += static_cast<int64_t>(one.source->data.size());
    progress_.begin("quantize", bytes, "bytes");
    const Status status = stream.run(options_.tile_bytes, progress_);
    progress_.end();
    HALFTONE_TRY(status);
    observer_ = nullptr;  // a Hessian and activations that nobody needs any more
    totals_ = stream.totals();
    report_.source_files = stream.source_files();
    return {};
  }

  Status tune_and_write() {
    std::vector<TunedTensor> tensors;
    for (size_t i = 0; i < assignments_.size(); ++i) tensors.push_back(held_tensor(i));
    HALFTONE_ASSIGN(report_.tuned,
                    tune(graph_, source_, *options_.calibration, recipe_.tune, tensors, pool_, progress_));
    for (size_t i = 0; i < tensors.size(); ++i) {
      const std::span<const std::byte> bytes(tensors[i].bytes.data(), tensors[i].bytes.size());
      if (report_.tuned->kept && assignments_[i].method != nullptr) totals_[i] = measure(assignments_[i], bytes);
      HALFTONE_TRY(writer_->write(bytes));
    }
    return {};
  }

  // On the bytes that were written: the inputs are those that the quantized matrices give.
  Status fix_ranges() {
    HALFTONE_ASSIGN(const ModelFile stored, writer_->stage());
    HALFTONE_ASSIGN(report_.activations,
                    find_ranges(stored, graph_, *options_.calibration, recipe_.activations, pool_, progress_));
    if (options_.held_out != nullptr)
      HALFTONE_TRY(cover_held_out(stored, graph_, *options_.held_out, *report_.activations, pool_, progress_));
    writer_->set_inputs(report_.activations->by_matrix());
    return {};
  }

  Result<QuantizeReport> finish(std::vector<TransformReport> transforms) {
    report_.recipe = recipe_.name;
    report_.transforms = std::move(transforms);
    add_tensors(assignments_, tuned(), totals_, report_);
    report_.unused = unused_tensors(source_, assignments_);
    report_.weights_bytes = writer_->weights_bytes();
    HALFTONE_TRY(writer_->finish(provenance_of(source_, recipe_, report_)));
    return std::move(report_);
  }

  bool tuned() const { return recipe_.tune.steps > 0; }

 private:
  TunedTensor held_tensor(size_t i) {
    const Assignment& assignment = assignments_[i];
    const ArtifactTensor stored = stored_as(assignment, true);
    TunedTensor tensor{&assignment, AlignedBuffer<std::byte>(static_cast<size_t>(stored.payload_bytes()))};
    if (assignment.layout == nullptr && stored.layout != assignment.source->layout && assignment.corrects.empty())
      decode_row(assignment.source->view(), 0, reinterpret_cast<float*>(tensor.bytes.data()));
    else
      std::memcpy(tensor.bytes.data(), held_[i].data(), held_[i].size());
    held_[i] = {};
    return tensor;
  }

  const ModelFile& source_;
  const Graph& graph_;
  const Recipe& recipe_;
  const QuantizeOptions& options_;
  ThreadPool& pool_;
  Progress& progress_;
  std::vector<Assignment> assignments_;
  std::unique_ptr<Observer> observer_;
  std::optional<ArtifactWriter> writer_;
  std::vector<std::vector<std::byte>> held_;  // by assignment
  std::vector<Totals> totals_;
  QuantizeReport report_;
};

// Static ranges hold for the numbers that they were measured on.
Status check_ranges(const ModelFile& source, const Recipe& recipe) {
  if (recipe.activations.bits > 0) return {};
  const auto fixed = std::find_if(source.tensors.begin(), source.tensors.end(),
                                  [](const StoredTensor& one) { return one.input.exists(); });
  if (fixed == source.tensors.end()) return {};
  return invalid_input(
      "[quantize] {}: tensor '{}': has a static range of {} bits for what it is multiplied with, measured on the "
      "weights as they are here; expected a recipe that measures anew (activations: {{bits: {}}}), got {} without; or "
      "give the float model that this one was made from",
      source.path.string(), fixed->name, fixed->input.bits, fixed->input.bits, recipe.name);
}

}  // namespace

Result<QuantizeReport> quantize_file(const ModelFile& source, const Graph& graph, const Recipe& recipe,
                                     const std::filesystem::path& target, const QuantizeOptions& options,
                                     ThreadPool& pool, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  HALFTONE_TRY(check_ranges(source, recipe));
  if (recipe.mixed || !recipe.transforms.empty())
    HALFTONE_TRY(AtomicFolder::create(target, options.replace).status());  // what is in the way is told before minutes
  if (recipe.mixed) {
    HALFTONE_ASSIGN(MixedChoice choice, choose_mixed(source, graph, recipe, options.calibration, pool, progress));
    HALFTONE_ASSIGN(QuantizeReport report,
                    quantize_file(source, graph, choice.recipe, target, options, pool, progress));
    report.seconds += choice.report.seconds;
    report.mixed = std::move(choice.report);
    return report;
  }
  HALFTONE_ASSIGN(TransformedModel transformed,
                  transform_model(source, graph, recipe, target, options.calibration, pool, progress));
  Run run(transformed.model.file, graph, recipe, options, pool, progress);
  HALFTONE_TRY(run.begin(target));
  HALFTONE_TRY(run.pack());
  if (run.tuned()) HALFTONE_TRY(run.tune_and_write());
  if (recipe.activations.bits > 0) HALFTONE_TRY(run.fix_ranges());
  HALFTONE_ASSIGN(QuantizeReport report, run.finish(std::move(transformed.reports)));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

Result<QuantizeReport> quantize(const LanguageModel& source, const Recipe& recipe, const std::filesystem::path& target,
                                const QuantizeOptions& options, ThreadPool& pool, Progress& progress) {
  return quantize_file(source.file, source.model->graph(), recipe, target, options, pool, progress);
}

}  // namespace halftone
