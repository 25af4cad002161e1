// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "formats/source_hash.h"
#include "halftone/status.h"
#include "quantize/assign.h"
#include "quantize/encode.h"
#include "quantize/observer.h"

namespace halftone {

// Packs tensor after tensor, tile after tile. While one tile is packed, the one before goes to the sink and the source
// is hashed: work for every thread.
class PackingStream {
 public:
  // Takes the bytes of tensors in order, from one thread at a time, in pieces: packed panels, a kept tensor as it is,
  // or a corrected bias in floats.
  using Sink = std::function<Status(size_t tensor, std::span<const std::byte> bytes)>;

  // `observer` gives the statistics that methods and corrected biases ask for; null where none does. Borrows all.
  PackingStream(const ModelFile& source, const std::vector<Assignment>& assignments, Observer* observer, Sink sink,
                ThreadPool& pool);

  // Tiles are of so many bytes of the source, counted as floats.
  Status run(int64_t tile_bytes, Progress& progress);
  const std::vector<Totals>& totals() const { return totals_; }
  std::vector<SourceFile> source_files() { return hash_.finish(); }

 private:
  // A run of panels of one tensor, or a whole kept tensor (panels = 0).
  struct Tile {
    size_t tensor;
    int64_t panel, panels;
    bool last;  // of its tensor
  };
  std::vector<Tile> cut_tiles(int64_t tile_bytes) const;
  int64_t source_bytes(const Tile& tile) const;
  Status prepare(const Assignment& assignment);
  void correct_bias(const Assignment& assignment);
  Status step(const Tile& tile, int64_t slab);
  Status pack(const Tile& tile, int64_t slab);
  void settle(const Tile& tile);
  Status add_up(const Tile& tile);

  const std::vector<Assignment>& assignments_;
  Observer* observer_;
  Sink sink_;
  ThreadPool& pool_;
  SourceHash hash_;
  std::vector<Totals> totals_;
  std::vector<PanelEncoder> encoders_;
  std::vector<PanelResult> results_;
  std::vector<std::byte> buffer_, owned_;
  std::span<const std::byte> pending_;  // of the tile before, not yet in the sink: owned_, or a kept tensor's bytes
  size_t pending_tensor_ = 0;
  std::vector<Guidance> guidance_ = {{}};
  std::vector<std::unique_ptr<Preparation>> preparations_;
  AlignedBuffer<std::byte> observed_;  // the panels so far of a tensor that the observer will compute with
};

}  // namespace halftone
