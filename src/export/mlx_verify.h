// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "export/mlx_rows.h"

namespace halftone {

// Reads a written folder with the reader that opens anybody's, and compares every number with its source. A number that
// is not what the plan promised is an error with its place.
Result<std::vector<ExportedTensor>> verify_mlx(const std::filesystem::path& folder, const std::vector<MlxPlanned>& plan,
                                               ThreadPool& pool, Progress& progress);

}  // namespace halftone
