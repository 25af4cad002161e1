// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/methods/method.h"

namespace halftone {

// Statistics of what enters each matrix while a model is quantized front to back: the model is computed up to the
// matrix, and everything before it already has the numbers it was given.
class Observer {
 public:
  virtual ~Observer() = default;

  // Does anything multiply with this matrix? An embedding alone has no inputs to observe.
  virtual bool has_inputs(std::string_view name) const = 0;
  // The spans live until the next call. REQUIRES: has_inputs(name), asked for in the order of the model
  virtual Result<InputStatistics> observe(std::string_view name, Data wanted) = 0;
  // From here on the model computes with these panels.
  virtual void settle(std::string_view name, const Layout& layout, AlignedBuffer<std::byte> panels) = 0;
  // The bias behind this matrix, less the mean error of its outputs over the calibration, and from here on what the
  // model computes with (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
  // arXiv:1906.04721, section 4.2, with means of data). REQUIRES: a bias; the matrix was the last that was observed of
  // those with its input, and is settled
  virtual std::vector<float> correct_bias(std::string_view name) = 0;
};

// Of a language model's graph. Matrices that read one value share its statistics. A table that is embedding and last
// matrix at once comes first and is read last: its statistics are those of tied_table.h, of the float model.
// Memory: the values of the evaluator (evaluate/evaluator.h), the packed matrices given so far, and one Hessian.
class GraphObserver final : public Observer {
 public:
  // Borrows all.
  static Result<std::unique_ptr<GraphObserver>> create(const Graph& graph, const ModelFile& source,
                                                       const Sequences& sequences, ThreadPool& pool);
  ~GraphObserver() override;

  bool has_inputs(std::string_view name) const override;
  Result<InputStatistics> observe(std::string_view name, Data wanted) override;
  void settle(std::string_view name, const Layout& layout, AlignedBuffer<std::byte> panels) override;
  std::vector<float> correct_bias(std::string_view name) override;

 private:
  struct State;
  explicit GraphObserver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace halftone
