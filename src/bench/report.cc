// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "bench/bench.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const PhaseResult& phase) {
  return {{"tokens", phase.tokens},
          {"seconds_samples", phase.seconds_samples},
          {"tokens_per_second", to_json(phase.tokens_per_second)},
          {"bytes_per_token", phase.bytes_per_token},
          {"bandwidth_fraction", phase.bandwidth_fraction.median},
          {"bandwidth_fraction_interval", to_json(phase.bandwidth_fraction)},
          {"peak_fraction", phase.peak_fraction.median},
          {"peak_fraction_interval", to_json(phase.peak_fraction)}};
}

Json json_of(const LinearResult& linear) {
  return {{"operations", linear.operations},
          {"peak_fraction", to_json(linear.peak_fraction)},
          {"peak_fraction_end_to_end", to_json(linear.peak_fraction_end_to_end)}};
}

Json json_of(const std::vector<VerifyResult>& results) {
  Json list = Json::array();
  for (const VerifyResult& verify : results) {
    list.push_back({{"activations", verify.activations},
                    {"tokens", verify.tokens},
                    {"seconds", to_json(verify.seconds)},
                    {"ratio_to_one", to_json(verify.ratio_to_one)}});
  }
  return list;
}

Json json_of(const MemoryResult& memory) {
  return {{"weights_bytes", memory.weights_bytes},
          {"kv_bytes", memory.kv_bytes},
          {"scratch_bytes", memory.scratch_bytes},
          {"peak_private_bytes", memory.peak_private_bytes},
          {"peak_mapped_bytes", memory.peak_mapped_bytes}};
}

Json json_of(const ModelBench& model) {
  Json json = {{"model", model.model},
               {"activations", model.activations},
               {"threads", model.threads},
               {"context_tokens", model.context_tokens},
               {"import_seconds", model.import_seconds},
               {"load_seconds", model.load_seconds},
               {"load_to_first_token_seconds", to_json(model.load_to_first_token_seconds)},
               {"first_token_seconds", to_json(model.first_token_seconds)},
               {"prefill", json_of(model.prefill)},
               {"prefill_linear", json_of(model.linear)},
               {"decode", json_of(model.decode)},
               {"verify", json_of(model.verify)},
               {"read_bandwidth_bytes_per_second", model.read_bandwidth},
               {"memory", json_of(model.memory)},
               {"generated_tokens", model.generated_tokens},
               {"stop_reason", model.stop_reason}};
  if (model.profile) json["profile"] = halftone::to_json(*model.profile);
  return json;
}

}  // namespace

Json BenchReport::to_json() const {
  Json list = Json::array();
  for (const ModelBench& model : models) list.push_back(json_of(model));
  Json json = {{"models", std::move(list)},
               {"read_bandwidth_bytes_per_second", read_bandwidth},
               {"int8_peak_operations_per_second", int8_peak},
               {"bf16_peak_operations_per_second", bf16_peak},
               {"f32_peak_operations_per_second", f32_peak},
               {"warnings", warnings}};
  if (limits) json["earlier_probe"] = halftone::to_json(*limits);
  return json;
}

Json BenchReport::settings_json() const {
  return {{"prompt_tokens", options.prompt_tokens},
          {"decode_tokens", options.decode_tokens},
          {"context_tokens", options.context_tokens},
          {"verify_tokens", options.verify_tokens},
          {"rounds", options.rounds},
          {"threads", threads},
          {"isa", isa},
          {"activations", name_of(options.activations)},
          {"kv", name_of(options.kv)},
          {"allow_noisy", options.allow_noisy}};
}

}  // namespace halftone
