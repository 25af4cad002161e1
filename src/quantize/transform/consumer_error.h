// SPDX-License-Identifier: Apache-2.0
// What the layouts of a group's consumers do to their outputs when the group is scaled.
#pragma once

#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "halftone/status.h"
#include "quantize/assign.h"
#include "quantize/products.h"
#include "quantize/transform/eighths.h"
#include "quantize/transform/scale_groups.h"

namespace halftone {

// Inputs of the consumers, in the model as it is.
struct GroupInputs {
  int64_t tokens = 0;
  std::vector<float> second_moment;  // (columns)
  std::vector<float> hessian;        // (columns, columns)
};

// Sum over the consumers of trace(D H D^T), D being what quantization by a cheap method changes of the scaled matrix,
// scaled back: the mean squared error of the outputs, whatever the scaling. Of large matrices evenly spread panels
// stand for all.
class ConsumerError {
 public:
  // `weighted`: methods without data see second moments, too, as they do in a recipe that observes. Borrows all.
  ConsumerError(const ScaleGroup& group, const Graph& graph, const std::vector<Assignment>& assignments,
                const GroupInputs& inputs, bool weighted, Products& products);

  bool empty() const { return consumers_.empty(); }  // no consumer gets codes
  Result<double> of(const Eighths& eighths);

 private:
  struct Consumer {
    const Assignment* assignment;
    const ScaledPart* part;
    const Method* method;
    int64_t rows, columns;
    std::vector<float> values;  // (rows, columns)
  };
  Result<double> of(const Consumer& consumer, const Eighths& eighths);
  // False where the layout cannot express what is scaled.
  bool decode_scaled(const Consumer& consumer, const std::vector<float>& scaled, const InputStatistics& statistics,
                     const Preparation* preparation, std::vector<float>& decoded);

  const GroupInputs& inputs_;
  bool weighted_;
  Products& products_;
  std::vector<Consumer> consumers_;
};

}  // namespace halftone
