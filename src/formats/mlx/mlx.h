// SPDX-License-Identifier: Apache-2.0
// A model folder of mlx-lm whose weights are quantized: regrouped through the cache. What it holds: FORMAT.md.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "formats/import/import.h"
#include "formats/model_file.h"
#include "halftone/status.h"

namespace halftone {

// config.json says "quantization", or a packed weight has scales beside it.
bool probe_mlx(const std::filesystem::path& path);
Result<ModelFile> open_mlx(const std::filesystem::path& path);
Result<ImportSource> import_mlx(const std::filesystem::path& path);

enum class MlxMode : uint8_t { affine, mxfp4 };

// How the weights of one module are packed.
struct MlxPacking {
  MlxMode mode = MlxMode::affine;
  int bits = 4;
  int64_t group = 64;
  bool operator==(const MlxPacking&) const = default;
};

// "quantization" of config.json. Where it contradicts the tensors, the tensors are right.
struct MlxQuantization {
  std::optional<MlxPacking> common;
  std::map<std::string, MlxPacking, std::less<>> of_path;  // modules with an entry of their own
};
// `name` stands for config.json in messages. Errors: forms, and modes that are not read here.
Result<MlxQuantization> parse_mlx_quantization(const nlohmann::json& config, std::string_view name);

// What is regrouped, from a folder that was opened as Hugging Face's and outlives it.
Result<ImportSource> mlx_import(const ModelFile& folder);

}  // namespace halftone
