// SPDX-License-Identifier: Apache-2.0
// Where the time of a phase goes: the steps of the executor, grouped.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "runtime/profile.h"

namespace halftone {

// Steps of one kind and role, all layers together: "linear gate_proj + up_proj".
struct OpProfile {
  std::string op, role;
  int64_t calls = 0;
  double seconds = 0;
  double memory_bytes = 0;  // weights, keys and values
  double activation_bytes = 0;
  double int8_operations = 0, f32_operations = 0, bf16_operations = 0;
  double operations() const { return int8_operations + f32_operations + bf16_operations; }
};

struct PhaseProfile {
  int64_t tokens = 0;            // over all repetitions
  double seconds = 0;            // of the whole, by a clock outside
  std::vector<StepTotal> steps;  // in order of execution; their seconds sum to `seconds` within 2 %
  double attributed() const;     // sum of the steps over the whole
  // One more repetition; its steps come in the same order as those of the ones before.
  void add(int64_t more_tokens, double whole_seconds, std::vector<StepTotal> more);
};

struct ModelProfile {
  PhaseProfile prefill, decode;
};

std::vector<OpProfile> by_op(const PhaseProfile& phase);  // the longest first
std::string role_of(std::string_view step_name);  // "a.0.q_proj.weight + a.0.k_proj.weight" -> "q_proj + k_proj"
nlohmann::ordered_json to_json(const ModelProfile& profile);

}  // namespace halftone
