// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/shell.h"

namespace halftone::cli {

struct NetworkRun {
  std::string model, output;        // output: folder for .npy files; empty: none are written
  std::vector<std::string> inputs;  // .npy files, in the order of the network's inputs
  Activations activations = Activations::automatic;
};
// Runs a network once, and says what came out.
Result<int> run_network(Shell& shell, const NetworkRun& arguments);

}  // namespace halftone::cli
