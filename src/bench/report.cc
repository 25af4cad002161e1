// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "bench/bench.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const MedianInterval& interval) {
  return {{"median", interval.median}, {"low", interval.low}, {"high", interval.high}};
}

Json json_of(const PhaseResult& phase) {
  return {{"tokens", phase.tokens},
          {"seconds_samples", phase.seconds_samples},
          {"tokens_per_second", json_of(phase.tokens_per_second)},
          {"bytes_per_token", phase.bytes_per_token},
          {"bandwidth_fraction", phase.bandwidth_fraction},
          {"peak_fraction", phase.peak_fraction}};
}

Json json_of(const MemoryResult& memory) {
  return {{"weights_bytes", memory.weights_bytes},
          {"kv_bytes", memory.kv_bytes},
          {"scratch_bytes", memory.scratch_bytes},
          {"peak_private_bytes", memory.peak_private_bytes},
          {"peak_mapped_bytes", memory.peak_mapped_bytes}};
}

Json json_of(const ModelBench& model) {
  return {{"model", model.model},
          {"activations", model.activations},
          {"load_seconds", model.load_seconds},
          {"first_token_seconds", json_of(model.first_token_seconds)},
          {"prefill", json_of(model.prefill)},
          {"decode", json_of(model.decode)},
          {"read_bandwidth_bytes_per_second", model.read_bandwidth},
          {"memory", json_of(model.memory)},
          {"generated_tokens", model.generated_tokens},
          {"stop_reason", model.stop_reason}};
}

}  // namespace

Json BenchReport::to_json() const {
  Json list = Json::array();
  for (const ModelBench& model : models) list.push_back(json_of(model));
  return {{"models", std::move(list)},
          {"read_bandwidth_bytes_per_second", read_bandwidth},
          {"int8_peak_operations_per_second", int8_peak},
          {"f32_peak_operations_per_second", f32_peak},
          {"warnings", warnings}};
}

Json BenchReport::settings_json() const {
  return {{"prompt_tokens", options.prompt_tokens},
          {"decode_tokens", options.decode_tokens},
          {"rounds", options.rounds},
          {"threads", threads},
          {"isa", isa},
          {"activations", options.activations == Activations::int8 ? "int8" : "exact"},
          {"allow_noisy", options.allow_noisy}};
}

}  // namespace halftone
