// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "quantize/assign.h"
#include "quantize/calibration/arrays.h"
#include "quantize/network/network_weights.h"
#include "quantize/network/sample_runs.h"
#include "quantize/observer.h"
#include "quantize/products.h"

namespace halftone {

// Of a network: two of them go through the samples side by side, as it was and with the numbers given so far. A matrix
// whose bias will be corrected has its mean error for nothing: its statistics are about the means. Palettes serve rows
// of several channels, so their matrices see one set of statistics, the mean over runs.
// Memory: what both have alive (SampleRuns), the network's numbers once more, the Hessian of one matrix twice.
class NetworkObserver final : public Observer {
 public:
  // Borrows all but `samples`. Errors: a network with several inputs or one that is not of floats, samples of another
  // shape.
  static Result<std::unique_ptr<Observer>> create(const NetworkWeights& weights,
                                                  const std::vector<Assignment>& assignments,
                                                  const CalibrationArrays& samples, ThreadPool& pool);

  bool has_inputs(std::string_view name) const override { return matrices_.find(name) != matrices_.end(); }
  Result<InputStatistics> observe(std::string_view name, Data wanted) override;
  void settle(std::string_view name, const Layout& layout, AlignedBuffer<std::byte> panels) override;
  std::vector<float> correct_bias(std::string_view name) override;

 private:
  struct Matrix {
    MatrixUse use;
    bool pooled = false, corrected = false;
  };
  // Of the matrix that was observed last, run after run.
  struct Moments {
    int64_t runs = 1, columns = 0, rows = 0;    // rows: seen by each run
    std::vector<float> mean, drift_mean;        // (runs, columns): of x, of f - x
    std::vector<float> second, hessian, drift;  // as InputStatistics
  };
  class Sums;

  NetworkObserver(const NetworkWeights& weights, std::vector<Tensor> samples, std::vector<std::string> names,
                  Products products, ThreadPool& pool);
  Status add_sample(const Matrix& matrix, size_t sample, std::vector<Sums>& sums);

  const NetworkWeights& weights_;
  ThreadPool& pool_;
  Products products_;
  std::vector<Tensor> samples_;
  std::vector<std::string> names_;
  std::map<std::string, Matrix, std::less<>> matrices_;
  SampleRuns float_, packed_;
  bool changed_ = false;  // whether anything is settled
  Moments moments_;
};

}  // namespace halftone
