// SPDX-License-Identifier: Apache-2.0
// Models that compute the same function and are easier to quantize. One file per transform, its paper on the first
// line; the table is in transform.cc.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/assign.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/recipe.h"
#include "quantize/transform/rewrite.h"

namespace halftone {

// What was done to one group of tensors.
struct GroupReport {
  std::string name, kind;                    // "layers.0.input_layernorm", "norm"
  double alpha = 0;                          // of awq: the exponent that was chosen
  double error_before = 0, error_after = 0;  // by the transform's own measure; 0 where it has none
};

struct TransformReport {
  std::string name;
  std::vector<GroupReport> groups;    // those that were changed
  int64_t unchanged = 0;              // groups that are best as they are
  std::vector<std::string> left_out;  // and why
  nlohmann::ordered_json to_json() const;
};

// What a transform sees. Borrowed.
struct TransformInput {
  const RewrittenModel& model;
  const Graph& graph;
  const std::vector<Assignment>& assignments;  // of the model's tensors
  const Sequences* calibration;                // null: none
  ThreadPool& pool;
  Progress& progress;
};

struct TransformPlan {
  Rewrites rewrites;
  TransformReport report;
};

struct Transform {
  std::string_view name;
  bool uses_data = false;  // an error where there is no calibration
  Result<TransformPlan> (*plan)(const TransformInput& input) = nullptr;
};

std::span<const Transform> all_transforms();
const Transform* find_transform(std::string_view name);  // null when unknown

struct TransformedModel {
  RewrittenModel model;
  std::vector<TransformReport> reports;
};

// The recipe's transforms, one after the other; without any, the source as it is. Temporary files lie beside `target`.
// The same numbers on every machine and for every number of threads. Errors: a transform that finds nothing to change
// anywhere, one that needs calibration and has none.
Result<TransformedModel> transform_model(const ModelFile& source, const Graph& graph, const Recipe& recipe,
                                         const std::filesystem::path& target, const Sequences* calibration,
                                         ThreadPool& pool, Progress& progress);

}  // namespace halftone
