// SPDX-License-Identifier: Apache-2.0
// Element types of ONNX. Integers of 2 and 4 bits lie in a byte each once they are read: what makes them narrow is the
// range, which the importer keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tensor/dtype.h"

namespace halftone::onnx {

struct ElementType {
  DType type;
  int bits;             // in the file
  int64_t least, most;  // of integers narrower than a byte; 0, 0 otherwise
  bool narrow() const { return bits < 8; }
};

std::optional<ElementType> element_type(int64_t number);  // empty: text, complex, 8-bit floats, unknown numbers
std::string element_name(int64_t number);                 // "float8e4m3fn", "type 77"

}  // namespace halftone::onnx
