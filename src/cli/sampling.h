// SPDX-License-Identifier: Apache-2.0
// How the next token is chosen: the options and the record that run and chat have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "generate/sampler.h"

namespace halftone::cli {

// --temperature --top-k --top-p --min-p --seed
void add_sampling(CLI::App* verb, SamplerOptions& sampler);

// The same values, added to the settings of a record.
void record_sampling(const SamplerOptions& sampler, nlohmann::ordered_json& settings);

}  // namespace halftone::cli
