// SPDX-License-Identifier: Apache-2.0
// model.json of an artifact, as values. Keys: FORMAT.md.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/artifact.h"
#include "halftone/status.h"

namespace halftone {

inline constexpr std::string_view kArtifactFormat = "halftone-1";
inline constexpr std::string_view kManifestFile = "model.json";
inline constexpr std::string_view kWeightsFile = "weights.safetensors";
inline constexpr int64_t kArtifactAlignment = 64;
inline constexpr int64_t kMaxManifestBytes = 64'000'000;

struct Manifest {
  struct Entry {
    ArtifactTensor tensor;
    std::string sha256;  // of the stored bytes, padding included
  };
  nlohmann::json config;
  nlohmann::ordered_json provenance;
  int64_t weights_bytes = 0;
  std::string weights_sha256;
  std::vector<Entry> tensors;                // in file order
  std::map<std::string, std::string> files;  // side files and their sha256
};

// `name` stands for the file in messages. Checks version, forms, layouts and that sizes fit 63 bits.
Result<Manifest> parse_manifest(std::string_view text, std::string_view name);
std::string manifest_text(const Manifest& manifest);

}  // namespace halftone
