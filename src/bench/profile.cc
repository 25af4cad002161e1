// SPDX-License-Identifier: Apache-2.0
#include "bench/profile.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kBetween = " + ", kWeightSuffix = ".weight";

std::string_view last_part(std::string_view name) {
  if (name.ends_with(kWeightSuffix)) name.remove_suffix(kWeightSuffix.size());
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

Json phase_json(const PhaseProfile& phase) {
  Json ops = Json::array();
  for (const OpProfile& op : by_op(phase)) {
    ops.push_back({{"op", op.op},
                   {"role", op.role},
                   {"calls", op.calls},
                   {"seconds", op.seconds},
                   {"memory_bytes", static_cast<int64_t>(op.memory_bytes)},
                   {"activation_bytes", static_cast<int64_t>(op.activation_bytes)},
                   {"int8_operations", op.int8_operations},
                   {"f32_operations", op.f32_operations},
                   {"bf16_operations", op.bf16_operations}});
  }
  return {{"tokens", phase.tokens},
          {"seconds", phase.seconds},
          {"attributed", phase.attributed()},
          {"ops", std::move(ops)}};
}

}  // namespace

std::string role_of(std::string_view step_name) {
  std::string role;
  while (!step_name.empty()) {
    const size_t end = step_name.find(kBetween);
    role += (role.empty() ? "" : std::string(kBetween)) + std::string(last_part(step_name.substr(0, end)));
    step_name = end == std::string_view::npos ? std::string_view() : step_name.substr(end + kBetween.size());
  }
  return role;
}

void PhaseProfile::add(int64_t more_tokens, double whole_seconds, std::vector<StepTotal> more) {
  tokens += more_tokens;
  seconds += whole_seconds;
  if (steps.empty()) {
    steps = std::move(more);
    return;
  }
  HALFTONE_CHECK(steps.size() == more.size());
  for (size_t i = 0; i < more.size(); ++i) {
    steps[i].calls += more[i].calls;
    steps[i].seconds += more[i].seconds;
    steps[i].weight_bytes += more[i].weight_bytes;
    steps[i].kv_bytes += more[i].kv_bytes;
    steps[i].activation_bytes += more[i].activation_bytes;
    steps[i].int8_operations += more[i].int8_operations;
    steps[i].f32_operations += more[i].f32_operations;
    steps[i].bf16_operations += more[i].bf16_operations;
  }
}

double PhaseProfile::attributed() const {
  double sum = 0;
  for (const StepTotal& step : steps) sum += step.seconds;
  return seconds > 0 ? sum / seconds : 0;
}

std::vector<OpProfile> by_op(const PhaseProfile& phase) {
  std::vector<OpProfile> ops;
  for (const StepTotal& step : phase.steps) {
    const std::string role = step.op == "linear" || step.op == "norm" || step.op == "embed" ? role_of(step.name) : "";
    auto at =
        std::find_if(ops.begin(), ops.end(), [&](const OpProfile& op) { return op.op == step.op && op.role == role; });
    if (at == ops.end()) at = ops.insert(ops.end(), OpProfile{std::string(step.op), role});
    at->calls += step.calls;
    at->seconds += step.seconds;
    at->memory_bytes += step.weight_bytes + step.kv_bytes;
    at->activation_bytes += step.activation_bytes;
    at->int8_operations += step.int8_operations;
    at->f32_operations += step.f32_operations;
    at->bf16_operations += step.bf16_operations;
  }
  std::stable_sort(ops.begin(), ops.end(),
                   [](const OpProfile& a, const OpProfile& b) { return a.seconds > b.seconds; });
  return ops;
}

Json to_json(const ModelProfile& profile) {
  return {{"prefill", phase_json(profile.prefill)}, {"decode", phase_json(profile.decode)}};
}

}  // namespace halftone
