// SPDX-License-Identifier: Apache-2.0
// What the matrix of a network's op is multiplied with, as rows: the patches of a convolution, the rows of a product.
#pragma once

#include <vector>

#include "graph/network/network.h"
#include "halftone/status.h"
#include "tensor/tensor.h"

namespace halftone {

// How many equal runs of the matrix' rows see inputs of their own: groups of a convolution.
int64_t input_runs(const network::Node& node);

// Adds what run `run` is multiplied with to `rows`, (.., columns), columns in the order of the weight's numbers.
// REQUIRES: a node of NetworkWeights::reads; x and the weight f32
Status add_input_rows(const network::Node& node, const Tensor& x, const Tensor& weight, int64_t run,
                      std::vector<float>& rows);

}  // namespace halftone
