// SPDX-License-Identifier: Apache-2.0
// Does a calibration cover what the model will see, and is it long enough? Two texts run through the float model side
// by side, and the inputs of every matrix are compared: what is kept grows with its columns only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/evaluate/weight_table.h"

namespace halftone {

struct ChannelCoverage {
  int64_t channel = 0;
  float low = 0, high = 0;            // what calibration saw
  float held_low = 0, held_high = 0;  // what the held-out text has
  double outside = 0;                 // fraction of its held-out values outside of low .. high
};

// The input that one or more Linear nodes read.
struct TensorCoverage {
  std::vector<std::string> readers;  // node names: "layers.0.q_proj"
  int64_t columns = 0;
  double inside = 0;  // fraction of held-out values within the calibrated range of their channel, in [0, 1]
  std::vector<ChannelCoverage> worst;  // largest fractions outside, above 0, the lowest channel of equals first
  // First half of the calibration against all of it: |m_half - m| / |m| over the second moments m, and the mean over
  // channels of the part of the range that only the second half reached. Both shrink as text is enough.
  double moment_change = 0, range_growth = 0;
};

struct SampleCoverage {
  int64_t sample = 0;  // index of the held-out sequence
  double outside = 0;  // fraction of its values that lie outside
  double excess = 0;   // mean over all channels of how far it leaves their range, in widths of the range
};

struct CoverageReport {
  std::vector<TensorCoverage> tensors;  // in graph order
  std::vector<SampleCoverage> samples;  // largest excess first: what to add to the calibration
  double inside = 0;                    // of all held-out values

  nlohmann::ordered_json to_json() const;
};

struct CoverageOptions {
  size_t worst_channels = 5, samples = 10;  // how many are reported
};

// Peak memory: that of two evaluators. Calibration of a single sequence has no halves: its changes are 0.
Result<CoverageReport> measure_coverage(const Graph& graph, const WeightTable& weights, const Sequences& calibration,
                                        const Sequences& held_out, ThreadPool& pool,
                                        const CoverageOptions& options = {});

}  // namespace halftone
