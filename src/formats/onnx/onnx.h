// SPDX-License-Identifier: Apache-2.0
// ONNX files as networks. What is read, what is refused and how operators become ops: FORMAT.md.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "formats/onnx/tensors.h"
#include "graph/network/network.h"
#include "halftone/status.h"

namespace halftone::onnx {

inline constexpr int64_t kLeastOpset = 7, kMostOpset = 27;
inline constexpr size_t kMostNodes = 1'000'000;  // after functions and branches are put in their places

// Constants stay mapped. Of what halftone does not have (operators, attributes, types) one error names everything, with
// how many nodes have it. The network went through finish().
Result<network::Network> import_model(const std::filesystem::path& path);
Result<network::Network> import_model(const Source& source);

// Every operator that has a row, as (domain, name).
std::vector<std::pair<std::string_view, std::string_view>> known_operators();

}  // namespace halftone::onnx
