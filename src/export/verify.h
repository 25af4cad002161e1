// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "export/plan.h"

namespace halftone {

// Reads a written file with the reader that opens anybody's, and compares every number with its source. Fills in each
// tensor's fidelity and errors. A number that is not what the plan promised is an error with its place.
Result<std::vector<ExportedTensor>> verify_gguf(const std::filesystem::path& path, const ExportPlan& plan,
                                                ThreadPool& pool, Progress& progress);

}  // namespace halftone
