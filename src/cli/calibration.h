// SPDX-License-Identifier: Apache-2.0
// The options of verbs that calibrate.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "quantize/calibration/calibration.h"

namespace halftone::cli {

struct CalibrationArguments {
  std::filesystem::path file;
  CalibrationOptions options;
};

void add_calibration(CLI::App* verb, CalibrationArguments& arguments);

}  // namespace halftone::cli
