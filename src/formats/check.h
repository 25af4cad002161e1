// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "halftone/status.h"

namespace halftone {

// No NaN and no infinity: in the weights of float layouts, in the scales of the others (their codes cannot be either).
// The error names file, tensor, row and column or group of the first. Streams; a tensor that is no weight passes.
Status check_finite(const StoredTensor& tensor, ThreadPool& pool);

}  // namespace halftone
