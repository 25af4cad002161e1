// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizer.h"

#include "base/error.h"
#include "base/utf8.h"
#include "formats/json_text.h"
#include "formats/model_file.h"
#include "models/json_reader.h"
#include "models/tokenizers/readers.h"
#include "models/tokenizers/vocabulary.h"

namespace halftone {
namespace {

// What the Hugging Face library adds around a text when a folder has only tokenizer.model.
Result<SentencePieceOptions> sentencepiece_options(const ModelFile& file) {
  SentencePieceOptions options;
  JsonReader model(file.config, "config", file.path.string());
  const std::vector<int64_t> bos = model.integers("bos_token_id", 0, kMaxTokenId);
  HALFTONE_TRY(model.status());
  if (!bos.empty()) options.bos = static_cast<TokenId>(bos.front());
  const auto at = file.side_files.find("tokenizer_config.json");
  if (at == file.side_files.end()) return options;
  HALFTONE_ASSIGN(const nlohmann::json json, read_json_file(at->second));
  JsonReader reader(json, "tokenizer", at->second.string());
  options.add_bos = reader.boolean("add_bos_token", true);
  options.add_eos = reader.boolean("add_eos_token", false);
  HALFTONE_TRY(reader.status());
  return options;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const ModelFile& file) {
  const auto json = file.side_files.find("tokenizer.json");
  if (json != file.side_files.end()) {
    HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> map, FileMap::open(json->second));
    const std::span<const std::byte> bytes = map->bytes();
    return read_tokenizer_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, json->second.string());
  }
  const auto model = file.side_files.find("tokenizer.model");
  if (model != file.side_files.end()) {
    HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> map, FileMap::open(model->second));
    if (looks_like_ranks(map->bytes())) return read_tiktoken_ranks(map->bytes(), model->second.string());
    HALFTONE_ASSIGN(const SentencePieceOptions options, sentencepiece_options(file));
    return read_sentencepiece(map->bytes(), model->second.string(), options);
  }
  const auto vocabulary = file.side_files.find("vocabulary.gguf");
  if (vocabulary != file.side_files.end()) {
    HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> map, FileMap::open(vocabulary->second));
    return read_gguf_vocabulary(map->bytes(), vocabulary->second.string());
  }
  return not_found(
      "[tokenizer] {}: expected tokenizer.json or tokenizer.model, got neither; copy it beside the weights",
      file.path.string());
}

std::string TextStream::add(TokenId id) {
  pending_ += tokenizer_.bytes_of(id);
  return take(false);
}

std::string TextStream::flush() { return take(true); }

std::string TextStream::take(bool all) {
  size_t at = 0;
  while (!leading_.empty() && at < pending_.size()) {
    if (pending_[at] != leading_.front()) {
      leading_ = {};
      break;
    }
    leading_.remove_prefix(1);
    ++at;
  }
  std::string text;
  while (at < pending_.size()) {
    const Utf8Step step = utf8_step(pending_, at);
    if (step.incomplete && !all) break;
    if (step.code_point < 0) {
      text += kReplacementCharacter;
    } else {
      text.append(pending_, at, step.length);
    }
    at += step.length;
  }
  pending_.erase(0, at);
  return text;
}

}  // namespace halftone
