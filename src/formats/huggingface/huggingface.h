// SPDX-License-Identifier: Apache-2.0
// A model folder as the Hugging Face library writes it. What is read and what is checked: FORMAT.md.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_file.h"
#include "halftone/status.h"

namespace halftone {

bool probe_huggingface(const std::filesystem::path& path);
Result<ModelFile> open_huggingface(const std::filesystem::path& path);

// model.safetensors.index.json: which shard holds which tensor.
struct ShardIndex {
  std::map<std::string, std::string> shard_of;  // tensor name to file name
  std::vector<std::string> shards;              // sorted, each once
};

// Shard names must be plain file names: an index cannot reach outside its folder. `name` stands for the file in
// messages.
Result<ShardIndex> parse_shard_index(std::string_view text, std::string_view name);

// Files beside the weights that belong to the model: tokenizers, generation settings, chat template. Those that exist.
std::map<std::string, std::filesystem::path> find_side_files(const std::filesystem::path& folder);

}  // namespace halftone
