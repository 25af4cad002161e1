// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/network/network_file.h"
#include "quantize/quantize.h"

namespace halftone {

// As quantize(), for a network: weights of convolutions and products become matrices of (outputs, everything else) in
// the recipe's layouts; biases, norms and other constants stay as they are. The artifact holds the network in its
// model.json. What methods that use data see are options.samples (network_observer.h). Errors: a recipe that asks for
// what only language models have (mixed, transform, tune, activations).
Result<QuantizeReport> quantize_network(const NetworkFile& source, const Recipe& recipe,
                                        const std::filesystem::path& target, const QuantizeOptions& options,
                                        ThreadPool& pool, Progress& progress);

}  // namespace halftone
