// SPDX-License-Identifier: Apache-2.0
// Latency of networks: one sample at a time, models in turn.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/progress.h"
#include "bench/bench.h"

namespace halftone {

struct NetworkBench {
  std::string model, activations;  // activations: that run
  int threads = 0;
  double load_seconds = 0;              // file or folder to a runner, the file already in the page cache; median
  std::vector<double> seconds_samples;  // mean of the runs of a round
  MedianInterval latency_seconds, samples_per_second;
  MemoryResult memory;
};

struct NetworkBenchReport {
  std::vector<NetworkBench> models;
  std::string isa;
  int rounds = 0;
  std::vector<std::string> warnings;
  // The `results` and `settings` of the envelope (docs/schema/bench.json, `latency`).
  nlohmann::ordered_json to_json() const;
  nlohmann::ordered_json settings_json() const;
};

// Inputs are random numbers of a fixed seed in the shapes that the network declares; what varies is 1. Of `options`
// rounds, threads, activations and allow_noisy count. Errors: a build or machine that cannot be measured, a network
// that cannot run on such inputs.
Result<NetworkBenchReport> bench_networks(const std::vector<std::filesystem::path>& models, const BenchOptions& options,
                                          Progress& progress);

}  // namespace halftone
