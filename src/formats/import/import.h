// SPDX-License-Identifier: Apache-2.0
// Models of containers whose numbers lie in another order than our kernels read: regrouped once, a row at a time and
// without choosing anything, into an artifact in the user's cache, and mapped from there. A container gives an
// ImportSource; where the cache is and how it is kept: cache.h.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/artifact/artifact.h"
#include "formats/model_file.h"
#include "halftone/status.h"

namespace halftone {

// Where one row goes; what a tensor's layout does not have is empty.
struct RowSlot {
  std::span<int8_t> codes;                   // integer layouts, signed
  std::span<uint16_t> scales, bases;         // f16 bits, scale_count; bases: affine layouts
  std::span<uint8_t> sub_scales, sub_bases;  // nested layouts: bytes, one per group
  std::span<std::byte> bytes;                // float layouts: the row as stored
};

// The rows of one tensor in the order of Hugging Face.
class RowSource {
 public:
  virtual ~RowSource() = default;
  // Fills the slot and gives the largest error that rounding made of a number, relative to the largest of its group; 0:
  // every one is the same float.
  // An error names file, tensor and place. Called from several threads.
  virtual Result<double> read(int64_t row, const RowSlot& slot) const = 0;
  // The same row as floats, as the container's own description has it: what verify_import compares with.
  virtual void decode(int64_t row, float* out) const = 0;
};

struct ImportTensor {
  ArtifactTensor stored;
  TensorLabel label;  // fidelity, error and bytes are found while reading
  std::shared_ptr<const RowSource> rows;
};

struct ImportSource {
  nlohmann::json config;
  std::map<std::string, std::filesystem::path> side_files;  // copied into the cache
  std::map<std::string, std::string> texts;                 // side files that were made here
  std::vector<std::shared_ptr<const FileMap>> maps;         // one per file, in the order of `files` below
  std::vector<ImportTensor> tensors;
  std::vector<std::string> notes;
  std::shared_ptr<const void> keep;  // what rows read from, where it is more than maps
};

// The model of `files`: from the cache where it has them, else what `read` gives, regrouped into the cache. The record
// of the import is in the result; path and container are the caller's to set.
Result<ModelFile> open_through_cache(const std::vector<std::filesystem::path>& files, std::string_view container,
                                     const std::function<Result<ImportSource>()>& read);

// Reads every byte: the hashes of the cached artifact, and each number of the container against the cached one: the
// same float where the label says bit-exact, within the label's error elsewhere. The first difference is the error.
Status verify_import(const ModelFile& model, const ImportSource& source, ThreadPool& pool, Progress& progress);

}  // namespace halftone
