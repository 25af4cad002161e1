// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/model.h"
#include "halftone/session.h"
#include "halftone/status.h"

namespace halftone {

struct GenerationSettings {
  int64_t max_tokens = 256;
  double temperature = 0.8;  // 0: always the likeliest token
  int top_k = 40;            // 0: off
  double top_p = 0.95;       // 1: off
  uint64_t seed = 0;         // the same seed and settings give the same text on any number of threads
  std::vector<std::string> stop;
  SessionSettings session;
};

struct Generation {
  std::string text;
  std::vector<int32_t> tokens;
  std::string stop_reason;  // "max_tokens", "end_token", "stop_string", "context_full"
};

// Continues `prompt`; `on_text` receives whole UTF-8 pieces as they come.
Result<Generation> generate_text(const ModelPtr& model, std::string_view prompt, const GenerationSettings& settings = {},
                                 const std::function<void(std::string_view)>& on_text = {});

}  // namespace halftone
