// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "halftone/status.h"
#include "metrics/proportion.h"

namespace halftone {

// One measured point of the surface bits x granularity x method. Divergences and losses are nats per token; what the
// number of tokens does not carry is absent.
struct SweepPoint {
  std::string name;  // "int4_block32-gptq": of its files
  std::string layout, granularity, method;
  int64_t bits = 0;                 // of one code
  std::string key;                  // hash of everything that the figures follow from
  int64_t bytes = 0;                // of weights.safetensors
  double bits_per_weight = 0;       // of all tensors, scales and kept vectors counted
  int64_t windows = 0, tokens = 0;  // judged
  double kl = 0;                    // mean
  std::optional<Interval> kl_interval;
  std::optional<double> kl_p99, kl_p999;
  double kl_max = 0;
  double loss = 0;  // increase of log-perplexity
  std::optional<Interval> loss_interval;
  double same_top = 0;  // share of tokens where both models find the same one most probable
  std::optional<Interval> same_top_interval;
  double quantize_seconds = 0, judge_seconds = 0;
};

nlohmann::ordered_json to_json(const SweepPoint& point);
// Strict: `name` stands for the file in messages.
Result<SweepPoint> parse_point(const nlohmann::ordered_json& json, std::string_view name);

}  // namespace halftone
