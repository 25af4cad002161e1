// SPDX-License-Identifier: Apache-2.0
// What a container holds, in no container's terms. Readers validate everything they expose: offsets inside the file, no
// overlap, sizes that match shapes, unique names.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "halftone/status.h"
#include "tensor/dtype.h"
#include "tensor/layout.h"

namespace halftone {

struct StoredTensor {
  std::string name;            // Hugging Face name
  std::vector<int64_t> shape;  // logical; panels may store more rows and columns
  const Layout* layout = nullptr;  // null: an element type that is no weight layout (element_type says which)
  DType element_type = DType::u8;
  Order order = Order::rows;
  std::span<const std::byte> data;  // mapped; unaligned for Order::rows
  std::filesystem::path file;       // for messages

  int64_t elements() const;
  // As a matrix; a vector is one row. REQUIRES: layout != null, at most 2 dimensions.
  WeightView view() const;
};

struct ModelFile {
  std::filesystem::path path;   // as given by the user
  std::string container;        // "huggingface", "halftone"
  nlohmann::json config;        // Hugging Face config.json, or the one inside model.json
  nlohmann::json provenance;    // artifact: recipe, source hashes, tool version; else null
  std::vector<StoredTensor> tensors;  // by name, sorted
  std::vector<std::shared_ptr<const FileMap>> maps;
  std::map<std::string, std::filesystem::path> side_files;  // by name: "tokenizer.json", ...
  int64_t bytes_on_disk = 0;    // weight files

  const StoredTensor* find(std::string_view name) const;
};

// Opens a folder or file of any readable format (the table of formats is in formats.cc: one row each).
Result<ModelFile> open_model_file(const std::filesystem::path& path);

}  // namespace halftone
