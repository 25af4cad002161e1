// SPDX-License-Identifier: Apache-2.0
// How an artifact holds a network: the graph and its integers in model.json's config, every float constant as a tensor
// of weights.safetensors.
#pragma once

#include <nlohmann/json.hpp>

#include "formats/model_file.h"
#include "graph/network/network.h"
#include "halftone/status.h"

namespace halftone {

inline constexpr const char* kNetworkKey = "network";  // of the config
inline constexpr const char* kInputKey = "input";      // of the config, where somebody said it

nlohmann::ordered_json network_config(const network::Network& network);
// Constants are read where they are mapped; codes stay codes. Errors name the artifact and the constant.
Result<network::Network> network_of(const ModelFile& artifact);

}  // namespace halftone
