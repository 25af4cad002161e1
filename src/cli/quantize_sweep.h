// SPDX-License-Identifier: Apache-2.0
// quantize --sweep: its options, its table.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/calibration.h"
#include "cli/shell.h"
#include "ship/sweep/sweep.h"

namespace halftone::cli {

struct SweepArguments {
  bool wanted = false, surface_only = false;
  SweepOptions options;
};

// After the verb's other options, some of which a sweep excludes.
void add_sweep(CLI::App* verb, SweepArguments& arguments);
Result<int> run_sweep(Shell& shell, const std::string& model, const std::string& output,
                      const CalibrationArguments& calibration, const SweepArguments& arguments);

}  // namespace halftone::cli
