// SPDX-License-Identifier: Apache-2.0
// The artifact folder NAME.ht: model.json, weights.safetensors, tokenizer files, evidence/. Layout: FORMAT.md.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "halftone/status.h"

namespace halftone {

bool probe_artifact(const std::filesystem::path& path);
// Checks the structure: version, tables, sizes, alignment. Hashes and scales: verify_artifact, check_finite.
Result<ModelFile> open_artifact(const std::filesystem::path& path);

// Reads every byte: hashes of each tensor, of the weights file and of the files beside it; finite scales and weights.
// The first difference is the error, naming tensor or file.
Status verify_artifact(const std::filesystem::path& path, ThreadPool& pool, Progress& progress);

struct ArtifactTensor {
  std::string name;
  std::vector<int64_t> shape;  // logical, 1 or 2 dimensions
  const Layout* layout;
  Order order;
  StaticRange input = {};         // of a matrix: model.json, `input`
  int64_t payload_bytes() const;  // what write() expects
  int64_t bytes() const;          // stored, padded to 64
};

// Of weights.safetensors with these tensors, header included.
int64_t artifact_weights_bytes(const std::vector<ArtifactTensor>& tensors);

// Streams an artifact: tensors in the declared order, then finish() makes the folder appear, complete or not at all.
// Destroyed before finish(): nothing of it stays.
class ArtifactWriter {
 public:
  // `source` gives config and side files, and is not used after finish().
  static Result<ArtifactWriter> create(const std::filesystem::path& target, bool replace, const ModelFile& source,
                                       std::vector<ArtifactTensor> tensors);
  Status write(std::span<const std::byte> bytes);  // payload bytes of the tensors, in order; padding is added
  // A side file that the source does not have. REQUIRES: a plain name, used once.
  Status add_file(const std::string& name, std::string_view content);
  void rename_target(const std::string& name);  // as AtomicFolder
  // The artifact as it is so far, opened in its hidden folder. REQUIRES: every tensor is written
  Result<ModelFile> stage();
  // Of matrices by name. REQUIRES: each is a matrix of this artifact
  void set_inputs(const std::map<std::string, StaticRange>& ranges);
  // provenance: recipe, source hashes, tool version, per-tensor layouts and methods.
  Status finish(nlohmann::ordered_json provenance);
  const std::filesystem::path& staging() const;  // for evidence files beside the weights
  int64_t weights_bytes() const;                 // of weights.safetensors, header included

 private:
  struct State;
  explicit ArtifactWriter(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace halftone
