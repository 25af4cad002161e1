// SPDX-License-Identifier: Apache-2.0
// The artifact folder NAME.ht: model.json, weights.safetensors, tokenizer files, evidence/. Layout: FORMAT.md.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/atomic_write.h"
#include "formats/model_file.h"
#include "formats/safetensors/safetensors.h"
#include "halftone/status.h"

namespace halftone {

struct ArtifactTensor {
  std::string name;
  std::vector<int64_t> shape;  // logical
  const Layout* layout;
  Order order;
  int64_t bytes() const;       // stored, padded to 64
};

// Streams an artifact: tensors in the declared order, then finish() makes the folder appear, complete or not at all.
class ArtifactWriter {
 public:
  static Result<ArtifactWriter> create(const std::filesystem::path& target, bool replace, const ModelFile& source,
                                       std::vector<ArtifactTensor> tensors);
  Status write(std::span<const std::byte> bytes);  // payload bytes of the tensors, in order; padding is added
  // provenance: recipe, source hashes, tool version, per-tensor layouts and methods.
  Status finish(nlohmann::json provenance);
  const std::filesystem::path& staging() const;    // for evidence files beside the weights

 private:
  struct State;
  explicit ArtifactWriter(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace halftone
