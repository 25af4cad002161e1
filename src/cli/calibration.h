// SPDX-License-Identifier: Apache-2.0
// The options of verbs that calibrate.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>

#include "graph/network/network.h"
#include "quantize/calibration/arrays.h"
#include "quantize/calibration/calibration.h"

namespace halftone::cli {

struct CalibrationArguments {
  std::filesystem::path file;
  CalibrationOptions options;
};

// Samples for the network; empty where no file was named. Options that are of tokens alone are an error.
Result<std::optional<CalibrationArrays>> arrays_of(const CalibrationArguments& arguments,
                                                   const network::Network& network);

void add_calibration(CLI::App* verb, CalibrationArguments& arguments);

}  // namespace halftone::cli
