// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "models/config.h"
#include "models/tokenizer.h"
#include "runtime/model.h"

namespace halftone {

// A model folder, understood: container, config, graph bound to mapped weights, tokenizer.
struct LanguageModel {
  std::filesystem::path path;
  ModelFile file;
  ModelConfig config;
  std::shared_ptr<const Tokenizer> tokenizer;  // null when the folder has none (synth); text verbs say so
  std::shared_ptr<const Model> model;
};

// Reads, checks every tensor against the config (missing, extra, shape, NaN scales) and binds. No weight is copied.
Result<std::shared_ptr<const LanguageModel>> load_language_model(const std::filesystem::path& path);

// Family table: config → graph. One file per family in families/.
Result<Graph> build_graph(const ModelConfig& config);

}  // namespace halftone
