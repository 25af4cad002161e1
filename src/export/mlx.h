// SPDX-License-Identifier: Apache-2.0
// A model as a folder that mlx-lm loads. What is in it: formats/mlx/FORMAT.md.
#pragma once

#include <filesystem>

#include "export/export.h"

namespace halftone {

struct MlxExportOptions {
  int bits = 0;        // of all matrices: 2, 3, 4, 5, 6 or 8; 0: as stored (floats stay floats)
  int64_t group = 64;  // columns that share a scale and a bias: 32, 64 or 128; of matrices as stored: their own
  bool allow_requantize = false;  // else a tensor that would be re-quantized is an error
  bool allow_float = false;       // quantized matrices whose rows are no multiple of the group become f16
  bool replace = false;
};

// Writes config.json, model.safetensors (several of at most 5 GiB when it is larger) with an index, and copies
// tokenizer files. Streams; the folder appears whole and verified or not at all. Float matrices whose rows are no
// multiple of the group stay floats, as mlx-lm keeps them. Errors name the tensor.
Result<ExportReport> export_mlx(const LanguageModel& model, const std::filesystem::path& target,
                                const MlxExportOptions& options, ThreadPool& pool, Progress& progress = no_progress());

}  // namespace halftone
