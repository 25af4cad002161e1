// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/thread_pool.h"
#include "formats/artifact/artifact.h"
#include "formats/import/import.h"
#include "formats/source_hash.h"

namespace halftone {

// Streams every tensor through its rows into the writer, hashing the source meanwhile; completes the labels. Private
// memory: two tiles of some megabytes, or of one panel where that is more, and a panel of codes per thread.
Status regroup(std::vector<ImportTensor>& tensors, ArtifactWriter& writer, SourceHash& hash, ThreadPool& pool);

}  // namespace halftone
