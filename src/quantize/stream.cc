// SPDX-License-Identifier: Apache-2.0
#include "quantize/stream.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "formats/check.h"

namespace halftone {

PackingStream::PackingStream(const ModelFile& source, const std::vector<Assignment>& assignments, Observer* observer,
                             Sink sink, ThreadPool& pool)
    : assignments_(assignments),
      observer_(observer),
      sink_(std::move(sink)),
      pool_(pool),
      hash_(source.maps),
      totals_(assignments.size()),
      encoders_(static_cast<size_t>(pool.threads())) {}

std::vector<PackingStream::Tile> PackingStream::cut_tiles(int64_t tile_bytes) const {
  std::vector<Tile> tiles;
  for (size_t i = 0; i < assignments_.size(); ++i) {
    if (assignments_[i].layout == nullptr) {
      tiles.push_back({i, 0, 0, true});
      continue;
    }
    const WeightView view = assignments_[i].source->view();
    const int64_t panels = (view.rows + kPanelRows - 1) / kPanelRows;
    const int64_t step = std::max<int64_t>(1, tile_bytes / (kPanelRows * view.columns * int64_t{sizeof(float)}));
    for (int64_t panel = 0; panel < panels; panel += step)
      tiles.push_back({i, panel, std::min(step, panels - panel), panel + step >= panels});
  }
  return tiles;
}

Status PackingStream::run(int64_t tile_bytes, Progress& progress) {
  const std::vector<Tile> tiles = cut_tiles(tile_bytes);
  const int64_t slab = hash_.total_bytes() / std::max<int64_t>(1, static_cast<int64_t>(tiles.size())) + 1;
  for (const Tile& tile : tiles) {
    HALFTONE_TRY(step(tile, slab));
    progress.advance(source_bytes(tile));
  }
  return sink_(pending_tensor_, pending_);
}

int64_t PackingStream::source_bytes(const Tile& tile) const {
  const StoredTensor& source = *assignments_[tile.tensor].source;
  const auto bytes = static_cast<int64_t>(source.data.size());
  if (tile.panels == 0) return bytes;
  const int64_t panels = (source.view().rows + kPanelRows - 1) / kPanelRows;
  return bytes * (tile.panel + tile.panels) / panels - bytes * tile.panel / panels;
}

// What the method must know before the first panel of a tensor.
Status PackingStream::prepare(const Assignment& assignment) {
  guidance_.assign(1, {});
  preparations_.clear();
  const Method* method = assignment.method;
  if (method == nullptr) return {};
  if (observer_ != nullptr && observer_->has_inputs(assignment.source->name)) {
    HALFTONE_ASSIGN(const InputStatistics seen, observer_->observe(assignment.source->name, method->uses));
    guidance_.clear();
    for (int64_t run = 0; run < seen.runs; ++run)
      guidance_.push_back({of_run(seen, run, assignment.source->view().columns), nullptr});
  }
  if (method->prepare == nullptr) return {};
  const StoredTensor& source = *assignment.source;
  HALFTONE_TRY(check_finite(source, pool_));
  const WeightView view = source.view();
  const int64_t rows = view.rows / std::ssize(guidance_);
  for (Guidance& run : guidance_) {
    const int64_t first = std::ssize(preparations_) * rows;
    const MatrixReader reader{rows, view.columns,
                              [view, first](int64_t row, float* out) { decode_row(view, first + row, out); },
                              fmt::format("{}: tensor '{}'", source.file.string(), source.name)};
    HALFTONE_ASSIGN(auto preparation, method->prepare(*assignment.layout, reader, run.statistics, pool_));
    run.preparation = preparation.get();
    preparations_.push_back(std::move(preparation));
  }
  return {};
}

Status PackingStream::step(const Tile& tile, int64_t slab) {
  const Assignment& assignment = assignments_[tile.tensor];
  if (tile.panels == 0) HALFTONE_TRY(check_finite(*assignment.source, pool_));
  if (tile.panel == 0) HALFTONE_TRY(prepare(assignment));
  HALFTONE_TRY(pack(tile, slab));
  HALFTONE_TRY(add_up(tile));
  settle(tile);
  return {};
}

void PackingStream::correct_bias(const Assignment& assignment) {
  const std::vector<float> bias = observer_->correct_bias(assignment.corrects);
  const auto bytes = std::as_bytes(std::span(bias));
  buffer_.assign(bytes.begin(), bytes.end());
}

Status PackingStream::pack(const Tile& tile, int64_t slab) {
  const Assignment& assignment = assignments_[tile.tensor];
  const auto panel_bytes =
      tile.panels == 0 ? 0 : static_cast<size_t>(assignment.layout->panel_bytes(assignment.source->view().columns));
  const auto head = static_cast<size_t>(tile.panels > 0 && tile.panel == 0 ? assignment.layout->head_bytes() : 0);
  const bool corrected = !assignment.corrects.empty();
  if (corrected)
    correct_bias(assignment);
  else
    buffer_.resize(head + panel_bytes * static_cast<size_t>(tile.panels));
  results_.assign(static_cast<size_t>(tile.panels), {});
  Status written;
  pool_.parallel_for(tile.panels + 2, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t item = begin; item < end; ++item) {
      if (item == 0) {
        if (!pending_.empty()) written = sink_(pending_tensor_, pending_);
      } else if (item == 1) {
        hash_.advance(slab);
      } else {
        const auto index = static_cast<size_t>(item - 2);
        PanelEncoder& encoder = encoders_[static_cast<size_t>(thread)];
        results_[index] = encoder.encode(assignment, guidance_, tile.panel + item - 2,
                                         std::span(buffer_).subspan(head + index * panel_bytes, panel_bytes));
        if (index == 0 && head > 0) std::memcpy(buffer_.data(), encoder.head(*assignment.layout).data(), head);
      }
    }
  });
  HALFTONE_TRY(written);
  std::swap(buffer_, owned_);
  pending_ = tile.panels == 0 && !corrected ? assignment.source->data : std::span<const std::byte>(owned_);
  pending_tensor_ = tile.tensor;
  return {};
}

// The observer goes on with what was stored, not with what was meant.
void PackingStream::settle(const Tile& tile) {
  if (observer_ == nullptr || tile.panels == 0) return;
  const Assignment& assignment = assignments_[tile.tensor];
  const WeightView view = assignment.source->view();
  if (tile.panel == 0)
    observed_ = AlignedBuffer<std::byte>(
        static_cast<size_t>(assignment.layout->bytes(view.rows, view.columns, Order::panel16)));
  const auto at = static_cast<size_t>(tile.panel == 0 ? 0 : assignment.layout->panel_at(tile.panel, view.columns));
  std::memcpy(observed_.data() + at, owned_.data(), owned_.size());
  if (tile.last) observer_->settle(assignment.source->name, *assignment.layout, std::move(observed_));
}

// In panel order, so that sums and the first problem do not depend on threads.
Status PackingStream::add_up(const Tile& tile) {
  Totals& totals = totals_[tile.tensor];
  for (const PanelResult& result : results_) {
    HALFTONE_TRY(describe(result, assignments_[tile.tensor]));
    totals.error_squared += result.error_squared;
    totals.weight_squared += result.weight_squared;
    totals.max_error = std::max(totals.max_error, result.max_error);
  }
  return {};
}

}  // namespace halftone
