// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
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
  ModelConfig config;  // eos: from generation_config.json where the folder has one, as in the Hugging Face library
  std::shared_ptr<const Tokenizer> tokenizer;  // null when the folder has none (synth); text verbs say so
  std::shared_ptr<const Model> model;
  std::vector<std::string> ignored;  // tensors of the file that the graph does not need, all known to be harmless
};

// Reads, checks every tensor against the config (missing, extra, shape, element type; NaN and infinity in vectors) and
// binds. No weight is copied or read: check_finite_weights does that.
Result<std::shared_ptr<const LanguageModel>> load_language_model(const std::filesystem::path& path);

// No NaN and no infinity in any weight or scale. Reads every float weight, and the scales of packed ones; the error
// names file, tensor and place.
Status check_finite_weights(const LanguageModel& model, ThreadPool& pool);

// Family table: config → graph. One file per family in families/.
Result<Graph> build_graph(const ModelConfig& config);

}  // namespace halftone
