// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "formats/import/import.h"
#include "formats/mlx/mlx.h"

namespace halftone {

// The tensors of one module; biases is null for mxfp4. All are mapped and outlive the rows.
struct MlxTensors {
  const StoredTensor *weight = nullptr, *scales = nullptr, *biases = nullptr;
};

// The layout that holds the codes of a packing as they are, in more bits where there is none of as many.
const Layout& mlx_layout(const MlxPacking& packing);
std::string mlx_type_name(const MlxPacking& packing);  // "4-bit affine, groups of 64"

// Rows of a packed matrix. REQUIRES: shapes that fit each other.
std::shared_ptr<const RowSource> mlx_rows(const MlxTensors& tensors, const MlxPacking& packing, int64_t columns);
// Rows of floats as they are stored.
std::shared_ptr<const RowSource> float_rows(const StoredTensor& tensor);

}  // namespace halftone
