// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "halftone/status.h"
#include "tensor/tensor.h"

namespace halftone {

// What a .npy file has before its numbers: magic, version 1.0, length, a literal that ends at a multiple of 64 bytes.
// `type` as NumPy writes it: "<f4".
std::string npy_header(std::string_view type, std::span<const int64_t> shape);

// One array, row-major; bf16, which NumPy lacks, as f32. Errors: the file.
Status write_npy(const std::filesystem::path& path, const Tensor& tensor);

}  // namespace halftone
