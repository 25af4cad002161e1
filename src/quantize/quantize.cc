// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/version.h"
#include "formats/artifact/artifact.h"
#include "formats/check.h"
#include "quantize/assign.h"
#include "quantize/observer.h"
#include "quantize/stream.h"

namespace halftone {
namespace {

ArtifactTensor stored_as(const Assignment& assignment) {
  const StoredTensor& source = *assignment.source;
  if (assignment.layout == nullptr) return {source.name, source.shape, source.layout, source.order};
  return {source.name, source.shape, assignment.layout, Order::panel16};
}

double bits_per(int64_t bytes, int64_t elements) {
  return elements == 0 ? 0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(elements);
}

TensorReport report_of(const Assignment& assignment, const Totals& totals) {
  const ArtifactTensor stored = stored_as(assignment);
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

// Without times and paths: the same source and recipe give the same artifact, byte for byte.
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
  provenance["tensors"] = report.to_json()["tensors"];
  return provenance;
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
  if (asks == assignments.end()) return std::unique_ptr<Observer>();
  if (calibration == nullptr)
    return invalid_input(
        "[quantize] recipe {}: {}: method {} chooses numbers by what the model computes on real text; expected "
        "--calibration FILE, got none",
        recipe.name, asks->rule, asks->method->name);
  return Observer::create(graph, source, *calibration, pool);
}

}  // namespace

Result<QuantizeReport> quantize_file(const ModelFile& source, const Graph& graph, const Recipe& recipe,
                                     const std::filesystem::path& target, const QuantizeOptions& options,
                                     ThreadPool& pool, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  HALFTONE_ASSIGN(const std::vector<Assignment> assignments, assign_layouts(source, graph, recipe));
  HALFTONE_ASSIGN(const auto observer, make_observer(assignments, source, graph, recipe, options.calibration, pool));
  std::vector<ArtifactTensor> tensors;
  int64_t source_bytes = 0;
  for (const Assignment& assignment : assignments) {
    tensors.push_back(stored_as(assignment));
    source_bytes += static_cast<int64_t>(assignment.source->data.size());
  }
  HALFTONE_ASSIGN(ArtifactWriter writer, ArtifactWriter::create(target, options.replace, source, std::move(tensors)));
  PackingStream stream(
      source, assignments, observer.get(),
      [&](size_t, std::span<const std::byte> bytes) { return writer.write(bytes); }, pool);
  progress.begin("quantize", source_bytes, "bytes");
  Status status = stream.run(options.tile_bytes, progress);
  progress.end();
  HALFTONE_TRY(status);
  QuantizeReport report;
  report.recipe = recipe.name;
  int64_t bytes = 0, elements = 0;
  for (size_t i = 0; i < assignments.size(); ++i) {
    report.tensors.push_back(report_of(assignments[i], stream.totals()[i]));
    bytes += report.tensors.back().bytes;
    elements += report.tensors.back().elements;
  }
  report.unused = unused_tensors(source, assignments);
  report.source_files = stream.source_files();
  report.bits_per_weight = bits_per(bytes, elements);
  report.weights_bytes = writer.weights_bytes();
  HALFTONE_TRY(writer.finish(provenance_of(source, recipe, report)));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

Result<QuantizeReport> quantize(const LanguageModel& source, const Recipe& recipe, const std::filesystem::path& target,
                                const QuantizeOptions& options, ThreadPool& pool, Progress& progress) {
  return quantize_file(source.file, source.model->graph(), recipe, target, options, pool, progress);
}

}  // namespace halftone
