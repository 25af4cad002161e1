// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "export/export.h"
#include "export/mlx.h"
#include "export/searched_rows.h"
#include "formats/mlx/mlx.h"

namespace halftone {

// What happens to one tensor.
struct MlxPlanned {
  const StoredTensor* source = nullptr;
  bool packed = false;
  MlxPacking packing;            // where packed
  const Layout* like = nullptr;  // whose codes the packing has, where they are chosen now
  DType type = DType::f16;       // of floats
  Fidelity intent = Fidelity::bit_exact;

  int64_t rows() const { return source->shape.size() == 2 ? source->shape.front() : 1; }
  int64_t columns() const { return source->shape.back(); }
  std::string module() const;  // the name without ".weight"
  int64_t row_bytes() const;   // of codes, or of floats
  int64_t groups() const { return columns() / packing.group; }
};

// What becomes of a tensor, or why it cannot. `note` gets what the user should know.
Result<MlxPlanned> plan_mlx_tensor(const StoredTensor& source, const MlxExportOptions& options, std::string& note);

// Encodes rows. One per thread; rows in order, by sixteens, where codes are chosen.
class MlxRowEncoder {
 public:
  // `codes` has row_bytes(); scales and biases have groups() numbers, or none for floats.
  Status encode(const MlxPlanned& tensor, int64_t row, std::byte* codes, uint16_t* scales, uint16_t* biases);

 private:
  Status encode_floats(const MlxPlanned& tensor, int64_t row, std::byte* out);
  void carry(const MlxPlanned& tensor, int64_t row, uint16_t* scales, uint16_t* biases);
  Status choose(const MlxPlanned& tensor, int64_t row, uint16_t* scales, uint16_t* biases);
  std::vector<float> values_;
  SearchedRows searched_;
  std::vector<int8_t> codes_;  // as layouts count: u - 2^(bits - 1)
};

}  // namespace halftone
