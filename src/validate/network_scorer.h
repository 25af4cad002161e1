// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "formats/network/network_file.h"
#include "runtime/network/runner.h"
#include "validate/scorer.h"

namespace halftone {

// Sizes of what the first input reads, without the batch; -1: any; empty: any rank.
Shape sample_shape(const network::Network& network);

// A network with one input. As a classifier its first output tells classes apart: probabilities where a softmax gives
// them, otherwise logits. Integer inputs and outputs are read on the network's own grid.
class NetworkScorer final : public Classifier {
 public:
  // Error when the network is of another form. threads 0: all cores.
  static Result<std::unique_ptr<NetworkScorer>> create(NetworkFile file, int threads,
                                                       Activations activations = Activations::automatic);

  Result<std::vector<double>> log_probabilities(const Tensor& sample) override;
  Result<std::vector<Tensor>> outputs(const Tensor& sample) override;
  Shape input_shape() const override { return sample_shape(*file_.network); }
  Result<InputFormat> own_input() const override { return input_from_json(file_.input, file_.path.string()); }
  const NetworkFile& file() const { return file_; }
  int threads() const { return pool_->threads(); }
  Activations activations_used() const { return runner_->activations_used(); }

 private:
  // value = scale * (code - zero); scale 0: the port is of floats.
  struct Grid {
    float scale = 0, zero = 0;
  };
  NetworkScorer(NetworkFile file, int threads, Activations activations);
  static Result<Grid> grid_of(const network::Network& network, network::ValueId value, DType type, bool reads);
  Result<std::vector<Tensor>> run(const Tensor& sample);  // as it gives them
  Result<Tensor> input_of(const Tensor& sample) const;

  NetworkFile file_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<network::Runner> runner_;
  Grid input_, output_;
  bool probabilities_ = false;
};

}  // namespace halftone
