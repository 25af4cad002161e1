// SPDX-License-Identifier: Apache-2.0
#include "quantize/network/quantize_network.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "formats/artifact/artifact.h"
#include "quantize/network/network_observer.h"
#include "quantize/network/network_weights.h"
#include "quantize/report.h"
#include "quantize/stream.h"

namespace halftone {
namespace {

Status check_recipe(const Recipe& recipe) {
  const std::string_view key = recipe.mixed                  ? "mixed"
                               : !recipe.transforms.empty()  ? "transform"
                               : recipe.tune.steps > 0       ? "tune"
                               : recipe.activations.bits > 0 ? "activations"
                                                             : "";
  if (!key.empty())
    return unsupported(
        "[quantize] recipe {}: expected a recipe of rules alone for a network, got `{}`, which needs a "
        "language model",
        recipe.name, key);
  return {};
}

// A bias is kept in full precision by every rule, so that it can take what its matrix lost.
Status find_biases(const NetworkWeights& weights, const Recipe& recipe, std::vector<Assignment>& assignments) {
  const auto named = [&](network::ValueId id) {
    return std::find_if(assignments.begin(), assignments.end(),
                        [&](const Assignment& one) { return one.source->name == weights.network.name_of(id); });
  };
  bool any = false;
  for (const MatrixUse& use : weights.reads) {
    const auto matrix = named(use.weight);
    if (use.bias == network::kNoValue || matrix->method == nullptr) continue;
    const auto bias = named(use.bias);
    bias->corrects = matrix->source->name;
    bias->rule += "; takes the mean error of " + bias->corrects;
    any = true;
  }
  if (any || !recipe.needs_biases) return {};
  return unsupported(
      "[quantize] recipe {}: bias_correction: expected convolutions or products that get codes and have a bias of "
      "their own, got none; remove it",
      recipe.name);
}

// Null where nothing asks for data.
Result<std::unique_ptr<Observer>> make_observer(const NetworkWeights& weights, const Recipe& recipe,
                                                const std::vector<Assignment>& assignments,
                                                const CalibrationArrays* samples, ThreadPool& pool) {
  const auto asks = std::find_if(assignments.begin(), assignments.end(), [](const Assignment& one) {
    return !one.corrects.empty() || (one.method != nullptr && one.method->uses != Data::none);
  });
  if (asks == assignments.end()) return std::unique_ptr<Observer>();
  if (samples == nullptr)
    return invalid_input(
        "[quantize] recipe {}: {} ({}) is chosen by what the network computes on real samples; expected --calibration "
        "LIST, got none",
        recipe.name, asks->source->name, asks->rule);
  return NetworkObserver::create(weights, assignments, *samples, pool);
}

}  // namespace

Result<QuantizeReport> quantize_network(const NetworkFile& source, const Recipe& recipe,
                                        const std::filesystem::path& target, const QuantizeOptions& options,
                                        ThreadPool& pool, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  HALFTONE_TRY(check_recipe(recipe));
  HALFTONE_ASSIGN(const NetworkWeights weights, weights_of(source, pool));
  HALFTONE_ASSIGN(std::vector<Assignment> assignments, assign_rules(weights.uses, recipe));
  if (recipe.bias_correction) HALFTONE_TRY(find_biases(weights, recipe, assignments));
  HALFTONE_ASSIGN(const auto observer, make_observer(weights, recipe, assignments, options.samples, pool));
  std::vector<ArtifactTensor> stored;
  int64_t bytes = 0;
  for (const Assignment& one : assignments) {
    stored.push_back(stored_as(one, false));
    bytes += static_cast<int64_t>(one.source->data.size());
  }
  HALFTONE_ASSIGN(ArtifactWriter writer,
                  ArtifactWriter::create(target, options.replace, weights.file, std::move(stored)));
  PackingStream stream(
      weights.file, assignments, observer.get(),
      [&](size_t, std::span<const std::byte> part) { return writer.write(part); }, pool);
  progress.begin("quantize", bytes, "bytes");
  const Status packed = stream.run(options.tile_bytes, progress);
  progress.end();
  HALFTONE_TRY(packed);
  QuantizeReport report;
  report.recipe = recipe.name;
  report.source_files = stream.source_files();
  add_tensors(assignments, false, stream.totals(), report);
  report.weights_bytes = writer.weights_bytes();
  HALFTONE_TRY(writer.finish(provenance_of(weights.file, recipe, report)));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace halftone
