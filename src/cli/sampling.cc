// SPDX-License-Identifier: Apache-2.0
#include "cli/sampling.h"

namespace halftone::cli {

void add_sampling(CLI::App* verb, SamplerOptions& sampler) {
  verb->add_option("--temperature", sampler.temperature, "0 always takes the most likely token")->capture_default_str();
  verb->add_option("--top-k", sampler.top_k, "choose among the K most likely; 0: all")->capture_default_str();
  verb->add_option("--top-p", sampler.top_p, "choose among the likeliest that hold this share; 1: all")
      ->capture_default_str();
  verb->add_option("--min-p", sampler.min_p, "drop tokens below this share of the likeliest; 0: none")
      ->capture_default_str();
  verb->add_option("--seed", sampler.seed, "the same seed gives the same text")->capture_default_str();
}

void record_sampling(const SamplerOptions& sampler, nlohmann::ordered_json& settings) {
  settings["temperature"] = sampler.temperature;
  settings["top_k"] = sampler.top_k;
  settings["top_p"] = sampler.top_p;
  settings["min_p"] = sampler.min_p;
  settings["seed"] = sampler.seed;
}

}  // namespace halftone::cli
