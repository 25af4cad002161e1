// SPDX-License-Identifier: Apache-2.0
// Where the time of an executor goes, step by step.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace halftone {

// One step of the plan, or a stretch between steps ("prepare": checks, KV blocks, rope tables; "caller": what is done
// with logits and between calls), summed over its calls. Stretches follow each other without a gap, so their seconds
// sum to the time from start_profile to take_profile.
struct StepTotal {
  std::string_view op;  // "linear", "attention", "norm", ...
  std::string name;     // the weights or the state that it works on; empty where there is none
  int64_t calls = 0;
  double seconds = 0;
  double weight_bytes = 0, kv_bytes = 0;  // read, and for keys and values also written
  double activation_bytes = 0;            // read and written, mostly in caches
  double int8_operations = 0, f32_operations = 0,
         bf16_operations = 0;  // of linear and attention; a multiply-add is two
};

}  // namespace halftone
