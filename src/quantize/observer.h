// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/methods/method.h"

namespace halftone {

// Statistics of what enters each matrix while a model is quantized front to back: the graph is computed up to the
// matrix, and everything before it already has the numbers it was given. Matrices that read one value share its
// statistics. A table that is embedding and last matrix at once comes first and is read last: its statistics are those
// of tied_table.h, of the float model.
// Memory: the values of the evaluator (evaluate/evaluator.h), the packed matrices given so far, and one Hessian.
class Observer {
 public:
  // Borrows all.
  static Result<std::unique_ptr<Observer>> create(const Graph& graph, const ModelFile& source,
                                                  const Sequences& sequences, ThreadPool& pool);
  ~Observer();

  // Does anything multiply with this matrix? An embedding alone has no inputs to observe.
  bool has_inputs(std::string_view name) const;
  // The spans live until the next call. REQUIRES: has_inputs(name), asked for in the order of the graph
  Result<InputStatistics> observe(std::string_view name, Data wanted);
  // From here on the graph computes with these panels.
  void settle(std::string_view name, const Layout& layout, AlignedBuffer<std::byte> panels);
  // The bias of the Linear that reads this matrix, less the mean error of its outputs over the calibration, and from
  // here on what the graph computes with (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and
  // Bias Correction", arXiv:1906.04721, section 4.2, with means of data). REQUIRES: a bias; the matrix was the last
  // that was observed of those with its input, and is settled
  std::vector<float> correct_bias(std::string_view name);

 private:
  struct State;
  explicit Observer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace halftone
