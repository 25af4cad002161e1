// SPDX-License-Identifier: Apache-2.0
// A float model with other numbers in some of its tensors: a transform gives one from another.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/file_map.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/transform/eighths.h"
#include "quantize/transform/scale_groups.h"

namespace halftone {

// Changes rows of one tensor in place: (rows, columns) from first_row on, whole blocks. Called from several threads.
struct Rewrite {
  int64_t block = 1;  // rows that must come together, counted from row 0; 0: all
  std::function<void(int64_t first_row, int64_t rows, std::span<float> values)> apply;
};

// By weight, in the order in which they are applied. A vector's numbers are those that the graph computes with:
// WeightRef::offset is in them.
using Rewrites = std::map<WeightId, std::vector<Rewrite>>;

// Producers divided by 2^(n/8), consumers multiplied by it.
void add_scaling(const ScaleGroup& group, const Eighths& eighths, Rewrites& rewrites);

// Owns what its tensors point to; `file.maps` are the maps of the model that it began with, so hashes of sources stay
// those of the sources.
struct RewrittenModel {
  ModelFile file;
  std::vector<std::shared_ptr<const FileMap>> temporary = {};
};

// What is named in `rewrites` becomes f32 rows in a file that is mapped and then removed, so that no killed process
// leaves it; everything else points to where it was. The file is written beside `target`, whose folder has the room for
// it. Memory: 16 MB of rows, or one tensor where a rewrite wants all rows. Errors: a disk without room, a number that
// is no longer finite.
Result<RewrittenModel> rewrite_model(const RewrittenModel& from, const Graph& graph, const Rewrites& rewrites,
                                     const std::filesystem::path& target, ThreadPool& pool, Progress& progress);

}  // namespace halftone
