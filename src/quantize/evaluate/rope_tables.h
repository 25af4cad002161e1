// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "graph/ops.h"
#include "quantize/evaluate/weight_table.h"

namespace halftone {

// cos and sin of positions 0.. as the runtime computes them, per frequencies.
class RopeTables {
 public:
  // Makes what at() gives for sequences of up to `longest` tokens.
  void prepare(const Rope& op, const WeightTable& weights, int64_t longest);
  // [position][2][rotary / 2]: cos, then sin, for a sequence of `length` tokens, which decides between short and long
  // frequencies. REQUIRES: prepared for as many
  const float* at(const Rope& op, int64_t length) const { return tables_.at(key(op, length)).data(); }

 private:
  using Key = std::tuple<WeightId, int32_t, float>;
  static Key key(const Rope& op, int64_t length) {
    const bool is_long = op.long_frequencies != kNoWeight && length > op.long_beyond;
    return {is_long ? op.long_frequencies : op.inverse_frequencies, op.rotary, op.magnitude};
  }
  std::map<Key, std::vector<float>> tables_;
};

}  // namespace halftone
