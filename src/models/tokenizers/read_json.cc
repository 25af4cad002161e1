// SPDX-License-Identifier: Apache-2.0
// tokenizer.json → the parts of a tokenizer.
#include <algorithm>
#include <map>

#include "base/error.h"
#include "models/tokenizers/bpe_model.h"
#include "models/tokenizers/decoder.h"
#include "models/tokenizers/pipeline.h"
#include "models/tokenizers/readers.h"
#include "models/tokenizers/unigram_model.h"
#include "models/tokenizers/word_models.h"

namespace halftone {
namespace {

Result<std::vector<AddedToken>> read_added_tokens(JsonReader& tokenizer) {
  std::vector<AddedToken> tokens;
  for (JsonReader& reader : tokenizer.objects("added_tokens")) {
    reader.only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token;
    token.id = static_cast<TokenId>(reader.integer("id", 0, kMaxTokenId));
    token.content = reader.text("content", "");
    token.special = reader.boolean("special", false);
    token.normalized = reader.boolean("normalized", !token.special);
    token.left_strip = reader.boolean("lstrip", false);
    token.right_strip = reader.boolean("rstrip", false);
    token.single_word = reader.boolean("single_word", false);
    HALFTONE_TRY(reader.status());
    if (token.content.empty()) return invalid_input("{}: expected text, got none", reader.place("content"));
    tokens.push_back(std::move(token));
  }
  HALFTONE_TRY(tokenizer.status());
  return tokens;
}

// An added token that the vocabulary has too must have the same id there, and an id only one content.
Status check_added_tokens(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary, JsonReader& tokenizer) {
  std::map<TokenId, std::string_view> contents;
  for (const AddedToken& token : tokens) {
    const TokenId known = vocabulary.find(token.content);
    if (known != kNoToken && known != token.id) {
      return invalid_input("{}: expected \"{}\" to have id {} as in the vocabulary, got {}",
                           tokenizer.place("added_tokens"), token.content, known, token.id);
    }
    if (known == kNoToken && vocabulary.contains(token.id)) {
      return invalid_input("{}: expected an id of its own for \"{}\", got {}, which is \"{}\" in the vocabulary",
                           tokenizer.place("added_tokens"), token.content, token.id, vocabulary.piece(token.id));
    }
    const auto [at, fresh] = contents.emplace(token.id, token.content);
    if (!fresh && at->second != token.content) {
      return invalid_input("{}: expected one content for id {}, got \"{}\" and \"{}\"", tokenizer.place("added_tokens"),
                           token.id, at->second, token.content);
    }
  }
  return {};
}

Status add_finders(const std::vector<AddedToken>& tokens, PipelineTokenizer::Parts& parts) {
  for (const AddedToken& token : tokens) {
    if (token.special) parts.special_texts[token.id] = token.content;
    if (!token.normalized) {
      parts.raw_tokens.add(token, token.content);
      continue;
    }
    HALFTONE_ASSIGN(const std::string content, parts.normalizer.apply(token.content));
    parts.normalized_tokens.add(token, content);
  }
  return {};
}

void add_bytes(const std::vector<AddedToken>& tokens, const PieceDecoder& decoder, const Vocabulary& vocabulary,
               TokenBytes& bytes) {
  std::map<TokenId, const AddedToken*> added;
  for (const AddedToken& token : tokens) added[token.id] = &token;
  const TokenId last_added = added.empty() ? -1 : added.rbegin()->first;
  const TokenId end = static_cast<TokenId>(std::max<int64_t>(vocabulary.size(), last_added + 1));
  for (TokenId id = 0; id < end; ++id) {
    const auto token = added.find(id);
    if (token != added.end()) {
      bytes.add(id, token->second->special ? std::string_view() : std::string_view(token->second->content));
    } else {
      bytes.add(id, decoder.bytes_of(vocabulary.piece(id)));
    }
  }
}

// A model of any kind, behind one interface.
template <class Model>
Status keep_model(Result<Model> read, std::string_view kind, PipelineTokenizer::Parts& parts) {
  HALFTONE_TRY(read.status());
  parts.model = std::make_unique<Model>(std::move(*read));
  parts.kind = kind;
  return {};
}

Status read_model(TokenizerJson& json, JsonReader& tokenizer, PipelineTokenizer::Parts& parts) {
  JsonReader model = tokenizer.object("model");
  // Files from before models had types: merges make it BPE.
  const std::string type = model.text("type", "BPE");
  HALFTONE_TRY(model.status());
  if ((type == "Unigram") != json.scored) {
    return invalid_input("{}: expected {} for type {}, got {}", model.place("vocab"),
                         json.scored ? "pieces with ids" : "a list of [piece, score]", type,
                         json.scored ? "a list" : "an object");
  }
  if (type == "BPE")
    return keep_model(BpeModel::create(json, tokenizer, parts.pre_tokenizer.byte_level()), "bpe", parts);
  if (type == "Unigram") return keep_model(UnigramModel::read(json, tokenizer), "unigram", parts);
  if (type == "WordPiece") return keep_model(WordModel::read(json, tokenizer), "wordpiece", parts);
  if (type == "WordLevel") return keep_model(WordModel::read(json, tokenizer), "wordlevel", parts);
  return unsupported("{}: expected BPE, Unigram, WordPiece or WordLevel, got \"{}\"", model.place("type"), type);
}

Status check_post_processor(const PostProcessor& post_processor, int64_t size, JsonReader& tokenizer) {
  for (const std::vector<TokenId>* ids : {&post_processor.before, &post_processor.behind}) {
    for (const TokenId id : *ids) {
      if (id >= size) {
        return invalid_input("{}: expected ids below {}, got {}", tokenizer.place("post_processor"), size, id);
      }
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> read_tokenizer_json(std::string_view text, std::string_view name) {
  HALFTONE_ASSIGN(TokenizerJson json, parse_tokenizer_json(text, name));
  return build_tokenizer(std::move(json), name);
}

Result<std::shared_ptr<const Tokenizer>> build_tokenizer(TokenizerJson json, std::string_view name) {
  JsonReader reader(json.rest, "tokenizer", std::string(name));
  // truncation and padding are about batches for training; the Hugging Face library resets both on every call.
  reader.only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
               "decoder", "model"});
  HALFTONE_TRY(reader.status());
  PipelineTokenizer::Parts parts;
  parts.file = name;
  HALFTONE_ASSIGN(parts.normalizer, Normalizer::read(reader));
  HALFTONE_ASSIGN(parts.pre_tokenizer, PreTokenizer::read(reader));
  HALFTONE_ASSIGN(parts.post_processor, PostProcessor::read(reader));
  HALFTONE_ASSIGN(const PieceDecoder decoder, PieceDecoder::read(reader));
  HALFTONE_ASSIGN(const std::vector<AddedToken> tokens, read_added_tokens(reader));
  HALFTONE_TRY(read_model(json, reader, parts));
  HALFTONE_TRY(check_added_tokens(tokens, parts.model->vocabulary(), reader));
  HALFTONE_TRY(add_finders(tokens, parts));
  add_bytes(tokens, decoder, parts.model->vocabulary(), parts.bytes);
  HALFTONE_TRY(check_post_processor(parts.post_processor, parts.bytes.size(), reader));
  parts.leading = decoder.leading();
  return std::shared_ptr<const Tokenizer>(std::make_shared<PipelineTokenizer>(std::move(parts)));
}

}  // namespace halftone
