// SPDX-License-Identifier: Apache-2.0
#include "models/language_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "formats/check.h"
#include "formats/json_text.h"
#include "models/json_reader.h"

namespace halftone {
namespace {

constexpr size_t kShownNames = 3;

std::string shape_text(const std::vector<int64_t>& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

std::string where(const ModelFile& file, const StoredTensor& tensor) {
  return (tensor.file.empty() ? file.path : tensor.file).string();
}

Status check_stored(const ModelFile& file, const WeightRef& ref, const StoredTensor& tensor) {
  const std::vector<int64_t> expected =
      ref.rows == 1 ? std::vector<int64_t>{ref.columns} : std::vector<int64_t>{ref.rows, ref.columns};
  if (tensor.shape != expected) {
    return invalid_input("[models] {}: tensor {}: expected shape {} by config.json, got {}", where(file, tensor),
                         ref.name, shape_text(expected), shape_text(tensor.shape));
  }
  if (tensor.layout == nullptr) {
    return unsupported("[models] {}: tensor {}: expected f32, f16, bf16 or a packed layout, got {}",
                       where(file, tensor), ref.name, name_of(tensor.element_type));
  }
  if (ref.rows == 1 && !tensor.layout->is_float()) {
    return unsupported("[models] {}: tensor {}: expected a vector of floats, got {}", where(file, tensor), ref.name,
                       tensor.layout->name);
  }
  return {};
}

Status check_present(const ModelFile& file, const Graph& graph) {
  std::vector<std::string_view> missing;
  int64_t expected = 0;
  for (const WeightRef& ref : graph.weights) {
    if (!ref.constant.empty()) continue;
    ++expected;
    const StoredTensor* tensor = file.find(ref.name);
    if (tensor == nullptr) {
      missing.push_back(ref.name);
    } else {
      HALFTONE_TRY(check_stored(file, ref, *tensor));
    }
  }
  if (missing.empty()) return {};
  const std::vector<std::string_view> shown(
      missing.begin(), missing.begin() + static_cast<std::ptrdiff_t>(std::min(missing.size(), kShownNames)));
  const bool only_head = missing.size() == 1 && missing[0] == "lm_head.weight";
  return not_found("[models] {}: expected {} tensors by config.json, got {} less: {}{}; {}", file.path.string(),
                   expected, missing.size(), fmt::join(shown, ", "), missing.size() > kShownNames ? ", ..." : "",
                   only_head ? "set \"tie_word_embeddings\": true when the embedding is also the output"
                             : "a shard is missing or config.json belongs to another model");
}

bool harmless(std::string_view name, const ModelConfig& config) {
  // Written by old versions of transformers; and a tied head stored a second time.
  return name.ends_with(".rotary_emb.inv_freq") || (config.tied_embedding && name == "lm_head.weight");
}

Status check_extra(const ModelFile& file, const Graph& graph, const ModelConfig& config,
                   std::vector<std::string>& ignored) {
  std::set<std::string_view> known;
  for (const WeightRef& ref : graph.weights) known.insert(ref.name);
  std::vector<std::string_view> extra;
  for (const StoredTensor& tensor : file.tensors) {
    if (known.contains(tensor.name)) continue;
    if (harmless(tensor.name, config)) {
      ignored.push_back(tensor.name);
    } else {
      extra.push_back(tensor.name);
    }
  }
  if (extra.empty()) return {};
  const std::vector<std::string_view> shown(
      extra.begin(), extra.begin() + static_cast<std::ptrdiff_t>(std::min(extra.size(), kShownNames)));
  return invalid_input(
      "[models] {}: expected only tensors of family {} with {} layers, got {} more: {}{}; config.json belongs "
      "to another model or misses a setting",
      file.path.string(), config.family, config.layers, extra.size(), fmt::join(shown, ", "),
      extra.size() > kShownNames ? ", ..." : "");
}

// Vectors are read at load anyway. Scales of packed tensors are not: they lie in front of each panel, so that reading
// them brings in every page of the file (measured: 40 ms of 0.7 GB). Writers refuse bad ones, `verify` and
// check_finite_weights find damage, and a sampler refuses logits that are no numbers.
Status check_vectors(const ModelFile& file) {
  ThreadPool pool(1);
  for (const StoredTensor& tensor : file.tensors) {
    if (tensor.layout == nullptr || tensor.shape.size() > 1) continue;
    HALFTONE_TRY(check_finite(tensor, pool));
  }
  return {};
}

Status read_generation_config(const ModelFile& file, ModelConfig& config) {
  const auto at = file.side_files.find("generation_config.json");
  if (at == file.side_files.end()) return {};
  HALFTONE_ASSIGN(const nlohmann::json json, read_json_file(at->second));
  JsonReader reader(json, "config", at->second.string());
  const std::vector<int64_t> eos = reader.integers("eos_token_id", 0, config.vocabulary - 1);
  if (!eos.empty()) config.eos = eos;
  return reader.status();
}

Result<std::shared_ptr<const Tokenizer>> read_tokenizer(const ModelFile& file, const ModelConfig& config) {
  if (!file.side_files.contains("tokenizer.json") && !file.side_files.contains("tokenizer.model") &&
      !file.side_files.contains("vocabulary.gguf")) {
    return std::shared_ptr<const Tokenizer>();
  }
  HALFTONE_ASSIGN(std::shared_ptr<const Tokenizer> tokenizer, open_tokenizer(file));
  if (tokenizer->size() > config.vocabulary) {
    return invalid_input(
        "[models] {}: expected a tokenizer of at most {} ids (vocab_size), got {}; tokenizer and config.json belong "
        "to different models",
        file.path.string(), config.vocabulary, tokenizer->size());
  }
  return tokenizer;
}

}  // namespace

Result<std::shared_ptr<const LanguageModel>> load_language_model(const std::filesystem::path& path) {
  auto loaded = std::make_shared<LanguageModel>();
  loaded->path = path;
  HALFTONE_ASSIGN(loaded->file, open_model_file(path));
  const ModelFile& file = loaded->file;
  HALFTONE_ASSIGN(loaded->config, parse_config(file.config, file.config_name.empty() ? (path / "config.json").string()
                                                                                     : file.config_name));
  HALFTONE_TRY(read_generation_config(file, loaded->config));
  HALFTONE_ASSIGN(Graph graph, build_graph(loaded->config));
  HALFTONE_TRY(check_present(file, graph));
  HALFTONE_TRY(check_extra(file, graph, loaded->config, loaded->ignored));
  HALFTONE_TRY(check_vectors(file));
  HALFTONE_ASSIGN(loaded->tokenizer, read_tokenizer(file, loaded->config));
  const auto find = [&file](std::string_view name) {
    const StoredTensor* tensor = file.find(name);
    return tensor == nullptr ? WeightView{} : tensor->view();
  };
  const auto input_of = [&file](std::string_view name) { return file.find(name)->input; };  // all are there
  const auto keep = std::make_shared<std::vector<std::shared_ptr<const FileMap>>>(file.maps);
  HALFTONE_ASSIGN(loaded->model, Model::bind(std::move(graph), find, keep, input_of));
  return std::shared_ptr<const LanguageModel>(std::move(loaded));
}

Status check_finite_weights(const LanguageModel& model, ThreadPool& pool) {
  for (const StoredTensor& tensor : model.file.tensors) HALFTONE_TRY(check_finite(tensor, pool));
  return {};
}

}  // namespace halftone
