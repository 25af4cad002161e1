// SPDX-License-Identifier: Apache-2.0
// A network as JSON, without the numbers of its constants: what an artifact's model.json holds.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "graph/network/network.h"

namespace halftone::network {

// Members that have their default are left out.
nlohmann::ordered_json to_json(const Network& network);
nlohmann::ordered_json to_json(const Op& op);

// Gives the numbers of a constant by its name.
using LoadConstant = std::function<Result<Constant>(const std::string& name, DType type, const Shape& shape)>;

// The network went through finish(). Anything that to_json() does not write is an error that begins with `where`.
Result<Network> network_from_json(const nlohmann::json& json, std::string_view where, const LoadConstant& load);
Result<Op> op_from_json(const nlohmann::json& json, std::string_view where);

}  // namespace halftone::network
