// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "graph/network/ops.h"
#include "tensor/dtype.h"

namespace halftone::network {

using MaybeType = std::optional<DType>;  // empty: not known, or an absent value

// The element types of the `count` outputs of an op, as far as those of its inputs say them.
std::vector<MaybeType> output_types(const Op& op, std::span<const MaybeType> inputs, size_t count);

}  // namespace halftone::network
