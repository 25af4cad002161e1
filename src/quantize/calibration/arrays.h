// SPDX-License-Identifier: Apache-2.0
// Samples that a network is calibrated on.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "halftone/status.h"
#include "tensor/tensor.h"

namespace halftone {

struct CalibrationArray {
  std::string name;  // messages name it: a file, or a row of one
  Tensor values;     // f32, without the batch
};

struct CalibrationArrays {
  std::string path, kind;  // "list", "folder", "array"
  std::vector<CalibrationArray> samples;
  int64_t duplicates = 0;  // samples that repeat an earlier one, number for number

  nlohmann::ordered_json to_json() const;
};

// Of the bytes of a tensor: equal where every number is.
std::string hash_of(const Tensor& values);

// Errors: no sample, nothing but one sample repeated, samples that differ in shape, NaN or infinity; with the sample.
// REQUIRES: f32
Result<CalibrationArrays> make_calibration_arrays(std::string path, std::string kind,
                                                  std::vector<CalibrationArray> samples);

}  // namespace halftone
