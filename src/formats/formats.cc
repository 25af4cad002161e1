// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>

#include "base/error.h"
#include "formats/artifact/artifact.h"
#include "formats/format.h"
#include "formats/gguf/open.h"
#include "formats/huggingface/huggingface.h"
#include "formats/mlx/mlx.h"
#include "formats/model_file.h"

namespace halftone {

std::span<const Format> all_formats() {
  static constexpr std::array kFormats = {
      Format{"halftone", "a halftone artifact (model.json)", probe_artifact, open_artifact},
      Format{"gguf", "a GGUF file", probe_gguf, open_gguf, import_gguf},
      Format{"mlx", "an MLX folder (config.json with \"quantization\")", probe_mlx, open_mlx, import_mlx},
      Format{"huggingface", "a Hugging Face folder (config.json and *.safetensors)", probe_huggingface,
             open_huggingface},
  };
  return kFormats;
}

Result<ModelFile> open_model_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return not_found("[model] {}: expected a model folder or file, got nothing at this path; check the spelling",
                     path.string());
  for (const Format& format : all_formats()) {
    if (!format.probe(path)) continue;
    HALFTONE_ASSIGN(ModelFile file, format.open(path));
    file.path = path;
    file.container = format.name;
    return file;
  }
  std::string known;
  for (const Format& format : all_formats()) known += (known.empty() ? "" : " or ") + std::string(format.looks);
  const bool folder = std::filesystem::is_directory(path, error);
  return invalid_input(
      "[model] {}: expected {}, got {}", path.string(), known,
      folder ? "a folder with none of them" : "another kind of file; give the folder that holds the model");
}

Status verify_model_file(const ModelFile& model, ThreadPool& pool, Progress& progress) {
  for (const Format& format : all_formats()) {
    if (format.name != model.container) continue;
    if (format.name == "halftone") return verify_artifact(model.path, pool, progress);
    if (format.import == nullptr) break;
    HALFTONE_ASSIGN(const ImportSource source, format.import(model.path));
    return verify_import(model, source, pool, progress);
  }
  return unsupported("[verify] {}: expected an artifact, a GGUF file or an MLX folder, got one of {}: it has no hashes",
                     model.path.string(), model.container);
}

}  // namespace halftone
