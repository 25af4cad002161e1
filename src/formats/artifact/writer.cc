// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <utility>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/hash.h"
#include "formats/artifact/artifact.h"
#include "formats/artifact/manifest.h"
#include "formats/safetensors/safetensors.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of_text(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

SafetensorsPlan plan_of(const std::vector<ArtifactTensor>& tensors) {
  SafetensorsPlan plan;
  plan.alignment = kArtifactAlignment;
  plan.metadata.emplace("format", kArtifactFormat);
  for (const ArtifactTensor& tensor : tensors)
    plan.tensors.push_back({tensor.name, DType::u8, {tensor.bytes()}, tensor.bytes()});
  return plan;
}

Status copy_side_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error)
    return io_error("[artifact] {}: expected to copy it to {}, got: {}", from.string(), to.string(), error.message());
  return {};
}

}  // namespace

int64_t ArtifactTensor::payload_bytes() const {
  return layout->bytes(shape.size() == 2 ? shape[0] : 1, shape.back(), order);
}

int64_t ArtifactTensor::bytes() const {
  return (payload_bytes() + kArtifactAlignment - 1) / kArtifactAlignment * kArtifactAlignment;
}

struct ArtifactWriter::State {
  AtomicFolder folder;
  SafetensorsWriter weights;
  std::vector<ArtifactTensor> tensors;
  std::map<std::string, fs::path> side_files;
  Manifest manifest;
  Sha256 file_hash, tensor_hash;
  size_t tensor = 0;    // being written
  int64_t written = 0;  // payload bytes of it
  bool sealed = false;  // the weights file is complete

  State(AtomicFolder target, SafetensorsWriter writer) : folder(std::move(target)), weights(std::move(writer)) {}

  Status put(std::span<const std::byte> bytes) {
    file_hash.add(bytes);
    tensor_hash.add(bytes);
    manifest.weights_bytes += static_cast<int64_t>(bytes.size());
    return weights.write(bytes);
  }

  Status seal() {
    if (sealed) return {};
    HALFTONE_CHECK(tensor == tensors.size());
    HALFTONE_TRY(weights.finish());
    manifest.weights_sha256 = file_hash.hex();
    sealed = true;
    return {};
  }

  Status end_tensor() {
    static constexpr std::array<std::byte, kArtifactAlignment> kZeros{};
    const ArtifactTensor& done = tensors[tensor];
    HALFTONE_TRY(put(std::span(kZeros).first(static_cast<size_t>(done.bytes() - done.payload_bytes()))));
    manifest.tensors.push_back({done, std::exchange(tensor_hash, Sha256()).hex()});
    ++tensor;
    written = 0;
    return {};
  }
};

int64_t artifact_weights_bytes(const std::vector<ArtifactTensor>& tensors) {
  int64_t bytes = safetensors_head_bytes(plan_of(tensors));
  for (const ArtifactTensor& tensor : tensors) bytes += tensor.bytes();
  return bytes;
}

Result<ArtifactWriter> ArtifactWriter::create(const fs::path& target, bool replace, const ModelFile& source,
                                              std::vector<ArtifactTensor> tensors) {
  for (const ArtifactTensor& tensor : tensors)
    HALFTONE_CHECK(tensor.layout != nullptr && !tensor.shape.empty() && tensor.shape.size() <= 2 &&
                   tensor.payload_bytes() > 0);
  HALFTONE_ASSIGN(AtomicFolder folder, AtomicFolder::create(target, replace));
  HALFTONE_ASSIGN(SafetensorsWriter weights, SafetensorsWriter::create(folder.path() / kWeightsFile, plan_of(tensors)));
  auto state = std::make_shared<State>(std::move(folder), std::move(weights));
  state->tensors = std::move(tensors);
  state->side_files = source.side_files;
  state->manifest.config = source.config;
  state->file_hash.add(bytes_of_text(state->weights.head()));
  state->manifest.weights_bytes = static_cast<int64_t>(state->weights.head().size());
  return ArtifactWriter(std::move(state));
}

Status ArtifactWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    HALFTONE_CHECK(state_->tensor < state_->tensors.size());
    const int64_t missing = state_->tensors[state_->tensor].payload_bytes() - state_->written;
    const auto part = bytes.first(std::min(bytes.size(), static_cast<size_t>(missing)));
    HALFTONE_TRY(state_->put(part));
    state_->written += static_cast<int64_t>(part.size());
    bytes = bytes.subspan(part.size());
    if (static_cast<int64_t>(part.size()) == missing) HALFTONE_TRY(state_->end_tensor());
  }
  return {};
}

Result<ModelFile> ArtifactWriter::stage() {
  HALFTONE_TRY(state_->seal());
  Manifest now = state_->manifest;
  now.files.clear();
  now.provenance = nlohmann::ordered_json::object();
  HALFTONE_TRY(write_file_atomic(state_->folder.path() / kManifestFile, manifest_text(now)));
  return open_artifact(state_->folder.path());
}

void ArtifactWriter::set_inputs(const std::map<std::string, StaticRange>& ranges) {
  size_t found = 0;
  for (Manifest::Entry& entry : state_->manifest.tensors) {
    const auto at = ranges.find(entry.tensor.name);
    if (at == ranges.end()) continue;
    HALFTONE_CHECK(entry.tensor.shape.size() == 2 && at->second.makes_sense());
    entry.tensor.input = at->second;
    ++found;
  }
  HALFTONE_CHECK(found == ranges.size());
}

Status ArtifactWriter::finish(nlohmann::ordered_json provenance) {
  HALFTONE_TRY(state_->seal());
  Manifest& manifest = state_->manifest;
  manifest.provenance = std::move(provenance);
  for (const auto& [name, from] : state_->side_files) {
    const fs::path to = state_->folder.path() / name;
    HALFTONE_TRY(copy_side_file(from, to));
    HALFTONE_ASSIGN(std::string hash, sha256_file(to));
    manifest.files.emplace(name, std::move(hash));
  }
  HALFTONE_TRY(write_file_atomic(state_->folder.path() / kManifestFile, manifest_text(manifest)));
  return state_->folder.commit();
}

Status ArtifactWriter::add_file(const std::string& name, std::string_view content) {
  HALFTONE_CHECK(state_->manifest.files.emplace(name, sha256_hex(content)).second);
  return write_file_atomic(state_->folder.path() / name, content);
}

void ArtifactWriter::rename_target(const std::string& name) { state_->folder.rename_target(name); }

const fs::path& ArtifactWriter::staging() const { return state_->folder.path(); }
int64_t ArtifactWriter::weights_bytes() const { return state_->manifest.weights_bytes; }

}  // namespace halftone
