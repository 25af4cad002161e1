// SPDX-License-Identifier: Apache-2.0
// What can be quantized in a network: constants that ops multiply with, as matrices whose rows are outputs.
#pragma once

#include <memory>
#include <vector>

#include "formats/network/network_file.h"
#include "quantize/assign.h"

namespace halftone {

// One place where a matrix is multiplied with.
struct MatrixUse {
  network::ValueId weight = network::kNoValue;
  size_t node = 0;
  // What the node adds to each row's product: a float per row that nobody else reads, of a matrix that nobody else
  // reads. Otherwise none.
  network::ValueId bias = network::kNoValue;
};

struct NetworkWeights {
  network::Network network;  // computes what the source computes; the matrices' rows come first
  // Every float constant as a tensor by the value's name: (outputs, everything else) where an op multiplies with it,
  // a vector elsewhere. Integers and empty constants are no tensors; they go into the config with the network.
  ModelFile file;
  std::vector<TensorUse> uses;   // of file.tensors, in the order in which nodes read them
  std::vector<MatrixUse> reads;  // each matrix where it is read first
};

// Ops as recipes name them: conv; depthwise (each output reads one channel); linear (MatMul, Gemm); bias; constant for
// all else. Errors: a network whose matrices are codes already. Codes of a network that computes in float (weights of 8
// bits alone) are the numbers that they stand for, which is what the source is compared as.
Result<NetworkWeights> weights_of(const NetworkFile& source, ThreadPool& pool);

}  // namespace halftone
