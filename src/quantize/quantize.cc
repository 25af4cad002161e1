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
#include "quantize/encode.h"

namespace halftone {
namespace {

// A run of panels of one tensor, or a whole kept tensor (panels = 0).
struct Tile {
  size_t tensor;
  int64_t panel, panels;
};

// What the sums of a tensor's panels become.
struct Totals {
  double error_squared = 0, weight_squared = 0;
  float max_error = 0;
};

ArtifactTensor stored_as(const Assignment& assignment) {
  const StoredTensor& source = *assignment.source;
  if (assignment.layout == nullptr) return {source.name, source.shape, source.layout, source.order};
  return {source.name, source.shape, assignment.layout, Order::panel16};
}

std::vector<Tile> cut_tiles(const std::vector<Assignment>& assignments, int64_t tile_bytes) {
  std::vector<Tile> tiles;
  for (size_t i = 0; i < assignments.size(); ++i) {
    if (assignments[i].layout == nullptr) {
      tiles.push_back({i, 0, 0});
      continue;
    }
    const WeightView view = assignments[i].source->view();
    const int64_t panels = (view.rows + kPanelRows - 1) / kPanelRows;
    const int64_t step = std::max<int64_t>(1, tile_bytes / (kPanelRows * view.columns * int64_t{sizeof(float)}));
    for (int64_t panel = 0; panel < panels; panel += step) tiles.push_back({i, panel, std::min(step, panels - panel)});
  }
  return tiles;
}

// Packs tile after tile. While one is packed, the one before is written and the source is hashed: work for every
// thread.
class Stream {
 public:
  Stream(const ModelFile& source, const std::vector<Assignment>& assignments, ArtifactWriter& writer, ThreadPool& pool)
      : assignments_(assignments),
        writer_(writer),
        pool_(pool),
        hash_(source.maps),
        totals_(assignments.size()),
        encoders_(static_cast<size_t>(pool.threads())) {}

  Status run(const std::vector<Tile>& tiles, Progress& progress) {
    const int64_t slab = hash_.total_bytes() / std::max<int64_t>(1, static_cast<int64_t>(tiles.size())) + 1;
    for (const Tile& tile : tiles) {
      HALFTONE_TRY(step(tile, slab));
      progress.advance(source_bytes(tile));
    }
    return writer_.write(pending_);
  }
  const std::vector<Totals>& totals() const { return totals_; }
  std::vector<SourceFile> source_files() { return hash_.finish(); }

 private:
  int64_t source_bytes(const Tile& tile) const {
    const StoredTensor& source = *assignments_[tile.tensor].source;
    const auto bytes = static_cast<int64_t>(source.data.size());
    if (tile.panels == 0) return bytes;
    const int64_t panels = (source.view().rows + kPanelRows - 1) / kPanelRows;
    return bytes * (tile.panel + tile.panels) / panels - bytes * tile.panel / panels;
  }

  Status step(const Tile& tile, int64_t slab) {
    const Assignment& assignment = assignments_[tile.tensor];
    if (tile.panels == 0) HALFTONE_TRY(check_finite(*assignment.source, pool_));
    if (tile.panel == 0) HALFTONE_TRY(prepare(assignment));
    const auto panel_bytes =
        tile.panels == 0 ? 0 : static_cast<size_t>(assignment.layout->panel_bytes(assignment.source->view().columns));
    buffer_.resize(panel_bytes * static_cast<size_t>(tile.panels));
    results_.assign(static_cast<size_t>(tile.panels), {});
    Status written;
    pool_.parallel_for(tile.panels + 2, 1, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t item = begin; item < end; ++item) {
        if (item == 0) {
          written = writer_.write(pending_);
        } else if (item == 1) {
          hash_.advance(slab);
        } else {
          const auto index = static_cast<size_t>(item - 2);
          results_[index] = encoders_[static_cast<size_t>(thread)].encode(
              assignment, preparation_.get(), tile.panel + item - 2,
              std::span(buffer_).subspan(index * panel_bytes, panel_bytes));
        }
      }
    });
    HALFTONE_TRY(written);
    std::swap(buffer_, owned_);
    pending_ = tile.panels == 0 ? assignment.source->data : std::span<const std::byte>(owned_);
    return add_up(assignment, totals_[tile.tensor]);
  }

  // What rows of the next tensor share. Its weights are read here first, so this is where bad ones are found.
  Status prepare(const Assignment& assignment) {
    preparation_.reset();
    if (assignment.method == nullptr) return {};
    if (assignment.method->uses != Data::none)
      return invalid_input(
          "[quantize] {}: tensor '{}': expected calibration data for method '{}', got none; use a method without it",
          assignment.source->file.string(), assignment.source->name, assignment.method->name);
    if (assignment.method->prepare == nullptr) return {};
    HALFTONE_TRY(check_finite(*assignment.source, pool_));
    const WeightView view = assignment.source->view();
    const MatrixReader matrix = {view.rows, view.columns,
                                 [view](int64_t row, float* out) { decode_row(view, row, out); }};
    HALFTONE_ASSIGN(preparation_, assignment.method->prepare(*assignment.layout, matrix, {}, pool_));
    return {};
  }

  // In panel order, so that sums and the first problem do not depend on threads.
  Status add_up(const Assignment& assignment, Totals& totals) {
    for (const PanelResult& result : results_) {
      HALFTONE_TRY(describe(result, assignment));
      totals.error_squared += result.error_squared;
      totals.weight_squared += result.weight_squared;
      totals.max_error = std::max(totals.max_error, result.max_error);
    }
    return {};
  }

  const std::vector<Assignment>& assignments_;
  ArtifactWriter& writer_;
  ThreadPool& pool_;
  SourceHash hash_;
  std::vector<Totals> totals_;
  std::vector<PanelEncoder> encoders_;
  std::vector<PanelResult> results_;
  std::unique_ptr<Preparation> preparation_;  // of the tensor that tiles are of
  std::vector<std::byte> buffer_, owned_;
  std::span<const std::byte> pending_;  // of the tile before, not yet written: owned_, or a kept tensor's mapped bytes
};

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

Result<QuantizeReport> quantize_file(const ModelFile& source, const Graph& graph, const Recipe& recipe,
                                     const std::filesystem::path& target, const QuantizeOptions& options,
                                     ThreadPool& pool, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  HALFTONE_ASSIGN(const std::vector<Assignment> assignments, assign_layouts(source, graph, recipe));
  std::vector<ArtifactTensor> tensors;
  int64_t source_bytes = 0;
  for (const Assignment& assignment : assignments) {
    tensors.push_back(stored_as(assignment));
    source_bytes += static_cast<int64_t>(assignment.source->data.size());
  }
  HALFTONE_ASSIGN(ArtifactWriter writer, ArtifactWriter::create(target, options.replace, source, std::move(tensors)));
  Stream stream(source, assignments, writer, pool);
  progress.begin("quantize", source_bytes, "bytes");
  Status status = stream.run(cut_tiles(assignments, options.tile_bytes), progress);
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
