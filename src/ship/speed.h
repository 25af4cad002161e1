// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/progress.h"
#include "halftone/status.h"
#include "kernels/linear/linear.h"

namespace halftone {

struct SpeedOptions {
  int64_t prompt_tokens = 128, decode_tokens = 32;
  int rounds = 6, threads = 0;
  Activations activations = Activations::automatic;
};

// What `ship` needs of a bench.
struct Speed {
  nlohmann::ordered_json json;  // the bench's own result for this model
  int64_t memory_bytes = 0;     // mapped weights and peak private memory
  // Tokens per second of decoding; of a network samples per second, one at a time.
  double decode_median = 0, decode_low = 0, decode_high = 0;
};

struct SpeedReport {
  std::vector<Speed> models;  // in the order given
  std::vector<std::string> warnings;
  nlohmann::ordered_json limits;  // read bandwidth and peaks of the machine, measured in the same run
  nlohmann::ordered_json settings;
};

// A noisy machine is a warning here: the evidence carries it.
Result<SpeedReport> measure_speed(const std::vector<std::filesystem::path>& models, const SpeedOptions& options,
                                  Progress& progress);
Result<SpeedReport> measure_latency(const std::vector<std::filesystem::path>& networks, const SpeedOptions& options,
                                    Progress& progress);

}  // namespace halftone
