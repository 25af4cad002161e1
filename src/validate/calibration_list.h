// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "quantize/calibration/arrays.h"
#include "validate/suite.h"

namespace halftone {

// What a network is calibrated on: a .csv list with the column path, relative to it; a suite's .yaml, whose list,
// `input` and `max_samples` are meant; a folder of .npy files, in the order of their names; or a .npy file whose first
// axis counts samples. Lists name what suites name: pictures, arrays, rows of arrays. `input`: sizes of what the
// network reads (sample_shape). `format`: where no suite says it. Errors name file and line.
Result<CalibrationArrays> load_calibration_arrays(const std::filesystem::path& path, const Shape& input = {},
                                                  const InputFormat& format = {});

}  // namespace halftone
