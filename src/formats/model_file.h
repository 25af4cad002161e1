// SPDX-License-Identifier: Apache-2.0
// What a container holds, in no container's terms. Readers validate everything they expose: offsets inside the file, no
// overlap, sizes that match shapes, unique names.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/fidelity.h"
#include "halftone/status.h"
#include "tensor/dtype.h"
#include "tensor/layout.h"
#include "tensor/static_range.h"

namespace halftone {

struct StoredTensor {
  std::string name;                // Hugging Face name
  std::vector<int64_t> shape;      // logical; panels may store more rows and columns
  const Layout* layout = nullptr;  // null: an element type that is no weight layout (element_type says which)
  DType element_type = DType::u8;
  Order order = Order::rows;
  std::span<const std::byte> data;  // mapped; unaligned for Order::rows
  std::filesystem::path file;       // for messages
  StaticRange input = {};           // of what a matrix is multiplied with, where an artifact fixes it

  int64_t elements() const;
  // As a matrix; a vector is one row. REQUIRES: layout != null, at most 2 dimensions.
  WeightView view() const;
};

// What a tensor of another container became in one of our layouts.
struct TensorLabel {
  std::string name, stored_name;  // Hugging Face's, the container's
  std::string stored_type;        // "q4_0"
  std::string layout;
  Fidelity fidelity = Fidelity::bit_exact;
  double max_relative_error = 0;  // of a number that was rounded, against the largest of its group
  int64_t stored_bytes = 0, bytes = 0;
  std::string note;  // what was done, where it is more than moving codes
};

// How a model of another container was made readable: its codes regrouped into panels, once, in a cache.
struct ImportRecord {
  double seconds = 0;           // 0: the cache had it
  std::filesystem::path cache;  // an artifact
  std::vector<TensorLabel> labels;
  std::vector<std::string> notes;  // contradictions in the container, and who was believed
};

struct ModelFile {
  std::filesystem::path path;  // as given by the user
  std::string container;       // "huggingface", "halftone", "gguf", "mlx"
  std::string config_name;     // stands for config in messages; empty: path / config.json
  nlohmann::json config;       // Hugging Face config.json, or the one inside model.json, or made from GGUF's metadata
  nlohmann::json provenance;   // artifact: recipe, source hashes, tool version; else null
  std::vector<StoredTensor> tensors;  // by name, sorted
  std::vector<std::shared_ptr<const FileMap>> maps;
  std::map<std::string, std::filesystem::path> side_files;  // by name: "tokenizer.json", ...
  int64_t bytes_on_disk = 0;                                // weight files
  std::optional<ImportRecord> import;                       // of containers that are regrouped first

  const StoredTensor* find(std::string_view name) const;
};

// Reads every byte of an opened model. An artifact: hashes, finite weights. GGUF and MLX: every number against the
// cache.
Status verify_model_file(const ModelFile& model, ThreadPool& pool, Progress& progress);

// Opens a folder or file of any readable format (the table of formats is in formats.cc: one row each).
Result<ModelFile> open_model_file(const std::filesystem::path& path);

}  // namespace halftone
