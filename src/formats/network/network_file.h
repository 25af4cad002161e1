// SPDX-License-Identifier: Apache-2.0
// A network and where it came from, in no container's terms.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "graph/network/network.h"
#include "halftone/status.h"

namespace halftone {

struct NetworkFile {
  std::filesystem::path path;  // as given by the user
  std::string container;       // "onnx", "tflite", "halftone"
  std::shared_ptr<const network::Network> network;
  nlohmann::json provenance;  // of an artifact: recipe, source hashes, tool version; else null
  nlohmann::json input;       // of an artifact: how samples become its input (validate/input_format.h); else null
  int64_t bytes_on_disk = 0;
  std::vector<std::shared_ptr<const FileMap>> maps;
};

// Whether the path is a network's rather than a language model's: by what it holds, not by its name alone.
bool is_network(const std::filesystem::path& path);
// Opens a file or folder of any readable format (the table is in network_file.cc: one row each).
Result<NetworkFile> open_network(const std::filesystem::path& path);

}  // namespace halftone
