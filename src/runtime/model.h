// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "kernels/attention/attention.h"
#include "tensor/layout.h"
#include "tensor/static_range.h"

namespace halftone {

// A graph whose weights are bound to stored bytes. Immutable; many executors may run it.
class Model {
 public:
  // find(name) gives the stored weight, or an empty layout when there is none (an error naming it).
  // keep: whatever owns the mapped bytes. input_of(name) gives the static range of what a matrix is multiplied with:
  // either every such matrix has one, and nothing else does, or none (an error naming the first that differs).
  static Result<std::shared_ptr<const Model>> bind(Graph graph, const std::function<WeightView(std::string_view)>& find,
                                                   std::shared_ptr<const void> keep,
                                                   const std::function<StaticRange(std::string_view)>& input_of = {});

  const Graph& graph() const { return graph_; }
  const WeightView& weight(WeightId id) const { return weights_[static_cast<size_t>(id)]; }
  const StaticRange& input(WeightId id) const { return inputs_[static_cast<size_t>(id)]; }
  const std::vector<float>& vector(WeightId id) const { return vectors_[static_cast<size_t>(id)]; }
  int64_t weight_bytes() const { return weight_bytes_; }  // mapped bytes that the graph reads, shared ones once
  int64_t vocabulary() const { return vocabulary_; }
  int64_t kv_bytes_per_token(KvType type = KvType::f16) const;
  // Bytes of weights that decoding one token reads (the embedding table only one row, unless it is also the output).
  int64_t decode_bytes() const { return decode_bytes_; }

 private:
  Model() = default;
  Graph graph_;
  std::vector<WeightView> weights_;          // matrices, by WeightId
  std::vector<StaticRange> inputs_;          // by WeightId
  std::vector<std::vector<float>> vectors_;  // norms, biases and constants as floats: small, decoded once
  std::shared_ptr<const void> keep_;
  int64_t weight_bytes_ = 0, vocabulary_ = 0, decode_bytes_ = 0;
};

}  // namespace halftone
