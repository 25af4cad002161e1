// SPDX-License-Identifier: Apache-2.0
// Ashkboos et al., "QuaRot: Outlier-Free 4-Bit Inference in Rotated LLMs", arXiv:2404.00456, its parts that cost
// nothing at run time: values are rotated per head and what reads them back; the residual stream is rotated where every
// norm is an RMS norm whose gain goes into the matrices behind it, and the head is a matrix of its own.
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "quantize/transform/residual.h"
#include "quantize/transform/rotation.h"
#include "quantize/transform/transforms.h"
#include "tensor/layout.h"

namespace halftone {
namespace {

using SharedRotation = std::shared_ptr<const Rotation>;

Rewrite columns_rotated(const SharedRotation& rotation, int64_t first, int64_t runs) {
  return {1,
          [=](int64_t, int64_t rows, std::span<float> values) { rotation->rotate_columns(values, rows, first, runs); }};
}

Rewrite rows_rotated(const SharedRotation& rotation, int64_t first, int64_t count) {
  const int64_t size = rotation->size();
  return {size, [=](int64_t begin, int64_t rows, std::span<float> values) {
            const auto columns = static_cast<int64_t>(values.size()) / rows;
            for (int64_t row = begin; row + size <= begin + rows; row += size)
              if (row >= first && row < first + count)
                rotation->rotate_rows(
                    values.subspan(static_cast<size_t>((row - begin) * columns), static_cast<size_t>(size * columns)));
          }};
}

void rotate_heads(const ScaleGroup& group, const SharedRotation& rotation, Rewrites& rewrites) {
  const int64_t size = rotation->size();
  for (const auto* parts : {&group.producers, &group.consumers}) {
    for (const ScaledPart& part : *parts) {
      const auto count = static_cast<int64_t>(part.channels.size());
      HALFTONE_CHECK(part.first % size == 0);  // every projection has whole heads
      rewrites[part.weight].push_back(part.rows ? rows_rotated(rotation, part.first, count)
                                                : columns_rotated(rotation, part.first, count / size));
    }
  }
}

std::vector<float> gains_of(const ScaleGroup& norm, const TransformInput& input) {
  const WeightRef& ref = input.graph.weight(norm.producers[0].weight);
  std::vector<float> gains(static_cast<size_t>(ref.columns));
  decode_row(input.model.file.find(ref.name)->view(), 0, gains.data());
  for (float& gain : gains) gain += ref.offset;
  return gains;
}

void rotate_stream(const Residual& residual, const TransformInput& input, Rewrites& rewrites) {
  const auto rotation = std::make_shared<const Rotation>(residual.width, 2);
  rewrites[residual.embedding].push_back(columns_rotated(rotation, 0, 1));
  for (const WeightId writer : residual.writers)
    rewrites[writer].push_back(input.graph.weight(writer).rows > 1 ? rows_rotated(rotation, 0, residual.width)
                                                                   : columns_rotated(rotation, 0, 1));
  for (const ScaleGroup* norm : residual.norms) {
    rewrites[norm->producers[0].weight].push_back(
        {1, [](int64_t, int64_t, std::span<float> values) { std::fill(values.begin(), values.end(), 1.0f); }});
    for (const ScaledPart& consumer : norm->consumers) {
      rewrites[consumer.weight].push_back(
          {1, [gains = gains_of(*norm, input)](int64_t, int64_t, std::span<float> values) {
             for (size_t i = 0; i < values.size(); ++i) values[i] *= gains[i % gains.size()];
           }});
      rewrites[consumer.weight].push_back(columns_rotated(rotation, 0, 1));
    }
  }
}

}  // namespace

Result<TransformPlan> plan_rotate(const TransformInput& input) {
  const ScaleGroups found = scale_groups(input.graph);
  TransformPlan plan;
  for (const ScaleGroup& group : found.groups) {
    if (group.kind != GroupKind::value) continue;
    rotate_heads(group, std::make_shared<const Rotation>(group.head_dim, 1), plan.rewrites);
    plan.report.groups.push_back({group.name, std::string(name_of(group.kind))});
  }
  const auto residual = find_residual(input.graph, found);
  if (!residual.ok()) {
    plan.report.left_out.emplace_back(residual.status().message());
    return plan;
  }
  rotate_stream(*residual, input, plan.rewrites);
  plan.report.groups.push_back({"residual stream", "residual"});
  return plan;
}

}  // namespace halftone
