// SPDX-License-Identifier: Apache-2.0
#include "quantize/network/quantize_network.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "formats/artifact/artifact.h"
#include "quantize/network/network_weights.h"
#include "quantize/report.h"
#include "quantize/stream.h"

namespace halftone {
namespace {

Status check_recipe(const Recipe& recipe, const std::vector<Assignment>& assignments) {
  const std::string_view key = recipe.mixed                  ? "mixed"
                               : !recipe.transforms.empty()  ? "transform"
                               : recipe.tune.steps > 0       ? "tune"
                               : recipe.activations.bits > 0 ? "activations"
                               : recipe.bias_correction      ? "bias_correction"
                                                             : "";
  if (!key.empty())
    return unsupported(
        "[quantize] recipe {}: expected a recipe of rules alone for a network, got `{}`, which needs a "
        "language model",
        recipe.name, key);
  for (const Assignment& one : assignments)
    if (one.method != nullptr && one.method->uses != Data::none)
      return unsupported("[quantize] recipe {}: {}: expected a method that needs no data for a network, got {}",
                         recipe.name, one.rule, one.method->name);
  return {};
}

}  // namespace

Result<QuantizeReport> quantize_network(const NetworkFile& source, const Recipe& recipe,
                                        const std::filesystem::path& target, const QuantizeOptions& options,
                                        ThreadPool& pool, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  HALFTONE_ASSIGN(const NetworkWeights weights, weights_of(source, pool));
  HALFTONE_ASSIGN(const std::vector<Assignment> assignments, assign_rules(weights.uses, recipe));
  HALFTONE_TRY(check_recipe(recipe, assignments));
  std::vector<ArtifactTensor> stored;
  int64_t bytes = 0;
  for (const Assignment& one : assignments) {
    stored.push_back(stored_as(one, false));
    bytes += static_cast<int64_t>(one.source->data.size());
  }
  HALFTONE_ASSIGN(ArtifactWriter writer,
                  ArtifactWriter::create(target, options.replace, weights.file, std::move(stored)));
  PackingStream stream(
      weights.file, assignments, nullptr, [&](size_t, std::span<const std::byte> part) { return writer.write(part); },
      pool);
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
