// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "formats/gguf/gguf.h"
#include "formats/gguf/unpack.h"
#include "formats/import/import.h"

namespace halftone {

// A tensor of a GGUF file, or a run of its rows (of its numbers, for a vector), as a tensor of Hugging Face.
struct GgufPart {
  const GgufTensor* tensor = nullptr;  // borrowed until the rows are made
  std::shared_ptr<const FileMap> map;
  int64_t first = 0;
  std::vector<int64_t> shape;
  int64_t head_dim = 0;  // not 0: rows are reordered within heads of this many (names.h)
  float offset = 0;      // vectors: what every stored number has too much (Gemma's norms)
};

std::shared_ptr<const RowSource> gguf_rows(const GgufPart& part, const GgufUnpack& unpack);

}  // namespace halftone
