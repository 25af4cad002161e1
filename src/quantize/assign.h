// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/artifact.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/methods/method.h"
#include "quantize/recipe.h"

namespace halftone {

// What happens to one tensor.
struct Assignment {
  const StoredTensor* source = nullptr;
  std::string op;    // ops that read it, "embedding+linear" for a tied one
  std::string rule;  // "rule 1: match * -> int4_block32", "vector, kept", "rule 1: ...; allow_float, kept"
  const Layout* layout = nullptr;  // null: keep as found
  const Method* method = nullptr;  // null for float layouts and kept tensors
  std::string corrects = {};       // of a bias: the matrix whose mean error it takes (Recipe::bias_correction)
};

// A float tensor and the ops that read it, whatever graph they are of.
struct TensorUse {
  const StoredTensor* source = nullptr;
  std::set<std::string_view> ops;
};
// The rules of a recipe on such tensors, in their order. Errors: a rule or allow_float entry that hits nothing, a
// tensor that cannot take its layout and is not under allow_float.
Result<std::vector<Assignment>> assign_rules(const std::vector<TensorUse>& tensors, const Recipe& recipe);

// Every stored tensor of the graph, in the order in which the graph reads them first. Errors: a tensor that is missing
// or of another shape, a source that is already quantized, those of assign_rules, a bias correction without a bias.
Result<std::vector<Assignment>> assign_layouts(const ModelFile& source, const Graph& graph, const Recipe& recipe);

// As the artifact has it. Vectors that tuning or a correction moves are stored as f32: the steps are finer than half
// precision.
ArtifactTensor stored_as(const Assignment& assignment, bool tuned);

}  // namespace halftone
