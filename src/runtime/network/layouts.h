// SPDX-License-Identifier: Apache-2.0
// Plans in which order the channels of images lie: convolutions compute with channels last, so chains of them and of
// what may stand between them do, and numbers are turned where a chain begins or ends.
#pragma once

#include <memory>

#include "graph/network/network.h"

namespace halftone::network {

// The same network, bit for bit; itself where nothing is to be turned. Nodes keep their names.
std::shared_ptr<const Network> plan_layouts(std::shared_ptr<const Network> network);

}  // namespace halftone::network
