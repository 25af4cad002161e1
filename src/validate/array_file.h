// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "halftone/status.h"
#include "tensor/tensor.h"
#include "validate/suite.h"

namespace halftone {

// One sample's numbers as f32: a .npy file (versions 1 and 2, row-major, little-endian), or the bare numbers that
// `format` describes. Errors name the file: a size or shape other than expected, a type that we do not read, NaN.
Result<Tensor> read_array(const std::filesystem::path& path, const ArrayFormat& format);

}  // namespace halftone
