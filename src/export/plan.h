// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "export/export.h"
#include "formats/gguf/gguf.h"

namespace halftone {

// What happens to one tensor.
struct PlannedTensor {
  std::string name, stored_name;
  std::vector<int64_t> shape;
  const StoredTensor* source = nullptr;  // null: `computed` are its numbers
  std::vector<float> computed;
  const GgmlType* type = nullptr;
  Fidelity intent = Fidelity::bit_exact;
  float offset = 0;      // added to every number of a vector (GgufArchitecture::norms_hold_one_more)
  int64_t head_dim = 0;  // not 0: rows are reordered within heads of this many (formats/gguf/names.h)

  int64_t rows() const { return shape.size() == 2 ? shape[0] : 1; }
  int64_t columns() const { return shape.back(); }
  int64_t source_row(int64_t row) const;  // where row `row` of the file lies in the source
};

struct ExportPlan {
  std::string architecture;
  std::vector<PlannedTensor> tensors;  // in file order
  std::vector<std::string> notes;
};

Result<ExportPlan> plan_gguf(const LanguageModel& model, const ExportOptions& options);

// Everything in the file that is no tensor; what llama.cpp will do differently goes to plan.notes.
Result<GgufMetadata> gguf_metadata(const LanguageModel& model, const ExportOptions& options, ExportPlan& plan);

}  // namespace halftone
