// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx/lowering.h"
namespace halftone::onnx {
std::span<const OpRow> loss_rows() { return {}; }
}
