// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "halftone/status.h"
#include "tensor/tensor.h"
#include "validate/input_format.h"

namespace halftone {

// Numbers as a file holds them.
struct StoredArray {
  DType type = DType::f32;
  Shape shape;
  std::span<const std::byte> data;  // borrowed from the file
};

// A .npy file (versions 1 and 2, row-major, little-endian), or the bare numbers that `format` describes; of a .npy file
// the row of the first axis, from 0; -1: all of it. Errors begin with `name`: a size or shape other than expected, a
// type that we do not read, a row that is not there.
Result<StoredArray> stored_array(std::span<const std::byte> file, const std::string& name, bool npy,
                                 const ArrayFormat& format, int64_t row = -1);
// Its numbers as f32. Errors: NaN or infinity.
Result<Tensor> numbers_of(const StoredArray& array, const std::string& name, const ArrayFormat& format);

// Both, for one sample's file.
Result<Tensor> read_array(const std::filesystem::path& path, const ArrayFormat& format);

// How many samples a .npy file holds along its first axis. Error: fewer than two axes.
Result<int64_t> rows_of(const std::filesystem::path& path);

}  // namespace halftone
