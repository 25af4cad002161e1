// SPDX-License-Identifier: Apache-2.0
// Model folders of real shapes with random weights: for work on speed and memory without a download. They say nothing
// sensible.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "halftone/status.h"
#include "tensor/dtype.h"

namespace halftone {

struct SynthOptions {
  DType type = DType::bf16;  // or f16, f32
  uint64_t seed = 1;
  bool replace = false;  // of an existing folder
  int64_t layers = 0;    // instead of the shape's own number, for work on scaling; 0: its own
  int threads = 0;       // 0: available cores; the bytes do not depend on it
};

struct SynthReport {
  std::filesystem::path path;
  int64_t tensors = 0, parameters = 0, bytes = 0;  // bytes: of all weights; a tied embedding is stored once
};

struct SynthShape {
  std::string_view name;    // "llama-3.2-1b"
  std::string_view config;  // JSON
  bool tokenizer = false;   // writes a tokenizer.json
};
std::vector<SynthShape> synth_shapes();

// Streams the folder to disk; it appears complete or not at all. An unknown shape is an error that names the known
// ones.
Result<SynthReport> synth(std::string_view shape, const std::filesystem::path& out, const SynthOptions& options,
                          Progress& progress = no_progress());

// The same for any config.json of a known family, without a tokenizer. The written config says so under
// "halftone_synth".
Result<SynthReport> synth_from_config(const nlohmann::json& config, const std::filesystem::path& out,
                                      const SynthOptions& options, Progress& progress = no_progress());

}  // namespace halftone
