// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "graph/network/network.h"
#include "models/language_model.h"

namespace halftone {

// Where a model's stored bytes go. A tensor that several ops share is counted once.
struct WeightItem {
  std::string part;    // "embedding", "embedding and output", "output", "attention", "feed-forward", "norms and biases"
  std::string layout;  // "int4_block32"
  int64_t tensors = 0, elements = 0, bytes = 0;
  int64_t scale_bytes = 0, padding_bytes = 0;  // in `bytes`
  double bits_per_weight() const {
    return elements > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(elements) : 0;
  }
};

struct WeightSummary {
  std::vector<WeightItem> items;
  int64_t parameters = 0, bytes = 0, scale_bytes = 0, padding_bytes = 0;
  double bits_per_weight = 0;  // everything counted
};

WeightSummary summarize_weights(const LanguageModel& model);
// Parts are the ops that read a constant: "conv", "depthwise", "linear", "bias", "constant". Codes of another container
// have its element type for a layout; their scales count as constants.
WeightSummary summarize_weights(const network::Network& network);
nlohmann::ordered_json to_json(const WeightSummary& summary);

}  // namespace halftone
