// SPDX-License-Identifier: Apache-2.0
#include "export/vocabulary.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/file_map.h"
#include "formats/json_text.h"
#include "models/tokenizers/decoder.h"
#include "models/tokenizers/post_processor.h"
#include "models/tokenizers/sentencepiece_file.h"
#include "models/tokenizers/tokenizer_json.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxTemplateBytes = 16 << 20;

// The expressions that llama.cpp knows by name, as tokenizer.json writes them.
struct KnownPattern {
  std::string_view pre, regex;
  bool whole_words;  // a word that is a piece is never cut ("ignore_merges")
};

constexpr std::array kKnownPatterns = {
    KnownPattern{
        "llama-bpe",
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        true},
    KnownPattern{
        "qwen2",
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        false},
    KnownPattern{"gpt-2", R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", false},
};

// What a key holds where it holds that kind; nlohmann's value() throws on null and on other kinds.
std::string text_at(const Json& object, const char* key) {
  const auto at = object.is_object() ? object.find(key) : object.end();
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

bool flag_at(const Json& object, const char* key, bool fallback) {
  const auto at = object.is_object() ? object.find(key) : object.end();
  return at != object.end() && at->is_boolean() ? at->get<bool>() : fallback;
}

Json member(const Json& object, const char* key) {
  const auto at = object.is_object() ? object.find(key) : object.end();
  return at != object.end() ? *at : Json();
}

// The one expression that cuts text in front of ByteLevel; empty when there is another kind of pre-tokenizer.
std::string cutting_regex(const Json& tokenizer) {
  const Json pre = member(tokenizer, "pre_tokenizer");
  if (!pre.is_object()) return {};
  const Json steps = text_at(pre, "type") == "Sequence" ? member(pre, "pretokenizers") : Json::array({pre});
  if (!steps.is_array() || steps.empty() || steps.size() > 2 || text_at(steps.back(), "type") != "ByteLevel") return {};
  if (flag_at(steps.back(), "add_prefix_space", true)) return {};
  const bool own = flag_at(steps.back(), "use_regex", true);
  if (steps.size() == 1) return own ? std::string(kKnownPatterns.back().regex) : std::string();
  const Json& split = steps.front();
  const bool cuts = text_at(split, "type") == "Split" && text_at(split, "behavior") == "Isolated";
  if (own || !cuts || flag_at(split, "invert", false)) return {};
  return text_at(member(split, "pattern"), "Regex");
}

// Ids without a piece, and those that the weights have beyond the tokenizer.
void fill_up(int64_t size, GgufVocabulary& vocabulary) {
  const auto count = static_cast<size_t>(size);
  vocabulary.tokens.resize(std::max(count, vocabulary.tokens.size()));
  vocabulary.types.resize(vocabulary.tokens.size(), static_cast<int32_t>(GgufTokenType::unused));
  if (!vocabulary.scores.empty()) vocabulary.scores.resize(vocabulary.tokens.size(), 0.0f);
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id)
    if (vocabulary.tokens[id].empty()) {
      vocabulary.tokens[id] = fmt::format("[PAD{}]", id);
      vocabulary.types[id] = static_cast<int32_t>(GgufTokenType::unused);
    }
}

void put_token(GgufVocabulary& vocabulary, int64_t id, std::string_view text, GgufTokenType type) {
  const auto at = static_cast<size_t>(id);
  if (at >= vocabulary.tokens.size()) {
    vocabulary.tokens.resize(at + 1);
    vocabulary.types.resize(at + 1, static_cast<int32_t>(GgufTokenType::unused));
  }
  vocabulary.tokens[at] = text;
  vocabulary.types[at] = static_cast<int32_t>(type);
}

// Where ids go around a text: llama.cpp knows one begin and one end token.
Status read_surroundings(const Json& tokenizer, const std::string& file, GgufVocabulary& vocabulary) {
  JsonReader reader(tokenizer, "tokenizer", file);
  HALFTONE_ASSIGN(const PostProcessor around, PostProcessor::read(reader));
  if (around.before.size() > 1 || around.behind.size() > 1)
    vocabulary.notes.push_back(fmt::format("tokenizer: {} ids before and {} behind a text; llama.cpp adds one at most",
                                           around.before.size(), around.behind.size()));
  vocabulary.add_bos = !around.before.empty();
  vocabulary.add_eos = !around.behind.empty();
  if (vocabulary.add_bos) vocabulary.bos = around.before.front();
  if (vocabulary.add_eos) vocabulary.eos = around.behind.back();
  return {};
}

Result<GgufVocabulary> from_tokenizer_json(const std::filesystem::path& path) {
  const std::string file = path.string();
  HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> map, FileMap::open(path));
  const std::string_view text(reinterpret_cast<const char*>(map->bytes().data()), map->bytes().size());
  HALFTONE_ASSIGN(const TokenizerJson json, parse_tokenizer_json(text, file));
  const std::string regex = cutting_regex(json.rest);
  const auto known = std::find_if(kKnownPatterns.begin(), kKnownPatterns.end(),
                                  [&](const KnownPattern& row) { return row.regex == regex; });
  if (known == kKnownPatterns.end())
    return unsupported(
        "[export] {}: expected a byte-level tokenizer that cuts text as Llama 3, Qwen 2 or GPT-2 do, got "
        "another; leave it out with --tokenizer none",
        file);
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = known->pre;
  HALFTONE_TRY(read_surroundings(json.rest, file, vocabulary));
  for (TokenId id = 0; id < json.vocabulary.size(); ++id)
    put_token(vocabulary, id, json.vocabulary.piece(id), GgufTokenType::normal);
  for (const Json& token : member(json.rest, "added_tokens"))  // reading the tokenizer checked ids and contents
    put_token(vocabulary, member(token, "id").get<int64_t>(), text_at(token, "content"),
              flag_at(token, "special", false) ? GgufTokenType::control : GgufTokenType::user_defined);
  for (const TokenizerJson::Merge& merge : json.merges)
    vocabulary.merges.push_back(fmt::format("{} {}", json.left(merge), json.right(merge)));
  if (flag_at(member(json.rest, "model"), "ignore_merges", false) != known->whole_words)
    vocabulary.notes.push_back(fmt::format(
        "tokenizer: llama.cpp's \"{}\" {} words that are pieces, this one does not{}", known->pre,
        known->whole_words ? "takes whole" : "cuts", known->whole_words ? "; only pieces without merges differ" : ""));
  if (!member(json.rest, "normalizer").is_null())
    vocabulary.notes.push_back(
        "tokenizer: llama.cpp does not normalize text; texts that are not in normal form differ");
  return vocabulary;
}

Result<GgufVocabulary> from_tokenizer_model(const LanguageModel& model, const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> map, FileMap::open(path));
  HALFTONE_ASSIGN(const SentencePieceFile file, parse_sentencepiece(map->bytes(), path.string()));
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.pre = "default";
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    const SentencePiece& piece = file.pieces[id];
    put_token(vocabulary, static_cast<int64_t>(id), piece.text, static_cast<GgufTokenType>(piece.type));
    vocabulary.scores.push_back(piece.score);
    if (piece.type == PieceType::unknown) vocabulary.unknown = static_cast<int64_t>(id);
  }
  vocabulary.bos = model.config.bos >= 0 ? model.config.bos : file.bos;
  vocabulary.eos = file.eos;
  // What the tokenizer of the model really adds, whatever file said so.
  HALFTONE_ASSIGN(const std::vector<TokenId> around, model.tokenizer->encode("", true));
  vocabulary.add_bos = !around.empty() && around.front() == vocabulary.bos;
  vocabulary.add_eos = !around.empty() && around.back() == vocabulary.eos;
  vocabulary.add_space_prefix = file.dummy_prefix;
  if (file.collapse) vocabulary.notes.push_back("tokenizer: llama.cpp keeps runs of spaces that this one makes one");
  return vocabulary;
}

std::optional<int64_t> id_of(const GgufVocabulary& vocabulary, const Json& token) {
  const std::string text = token.is_string() ? token.get<std::string>() : text_at(token, "content");
  const auto at = std::find(vocabulary.tokens.begin(), vocabulary.tokens.end(), text);
  if (text.empty() || at == vocabulary.tokens.end()) return {};
  return at - vocabulary.tokens.begin();
}

// The end token and the chat template that tokenizer_config.json names; the config's end token else.
Status read_tokenizer_config(const LanguageModel& model, GgufVocabulary& vocabulary) {
  const auto& files = model.file.side_files;
  Json config = Json::object();
  if (const auto at = files.find("tokenizer_config.json"); at != files.end()) {
    HALFTONE_ASSIGN(config, read_json_file(at->second));
    if (!config.is_object())
      return invalid_input("[export] {}: expected a JSON object, got {}", at->second.string(), config.type_name());
  }
  if (vocabulary.bos < 0) vocabulary.bos = model.config.bos;
  const auto end = id_of(vocabulary, member(config, "eos_token"));
  if (end) {
    vocabulary.eos = *end;
  } else if (!model.config.eos.empty()) {
    vocabulary.eos = model.config.eos.front();
  }
  vocabulary.chat_template = text_at(config, "chat_template");
  if (const auto at = files.find("chat_template.jinja"); at != files.end()) {
    HALFTONE_ASSIGN(vocabulary.chat_template, read_text_file(at->second, kMaxTemplateBytes));
  }
  return {};
}

}  // namespace

Result<GgufVocabulary> gguf_vocabulary(const LanguageModel& model) {
  const auto& files = model.file.side_files;
  GgufVocabulary vocabulary;
  if (const auto json = files.find("tokenizer.json"); json != files.end()) {
    HALFTONE_ASSIGN(vocabulary, from_tokenizer_json(json->second));
  } else if (const auto binary = files.find("tokenizer.model"); binary != files.end()) {
    HALFTONE_ASSIGN(vocabulary, from_tokenizer_model(model, binary->second));
  } else {
    vocabulary.model = "no_vocab";
    vocabulary.notes.push_back(
        "the model has no tokenizer, so the file has none; some programs open it only with "
        "--tokenizer stand-in");
    return vocabulary;
  }
  fill_up(model.config.vocabulary, vocabulary);
  HALFTONE_TRY(read_tokenizer_config(model, vocabulary));
  return vocabulary;
}

Result<GgufVocabulary> stand_in_vocabulary(const LanguageModel& model) {
  constexpr int64_t kSpecial = 3, kBytes = 256;
  if (model.config.vocabulary < kSpecial + kBytes)
    return unsupported("[export] {}: expected a vocabulary of {} ids or more for a stand-in tokenizer, got {}",
                       model.path.string(), kSpecial + kBytes, model.config.vocabulary);
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.pre = "default";
  put_token(vocabulary, 0, "<unk>", GgufTokenType::unknown);
  put_token(vocabulary, 1, "<s>", GgufTokenType::control);
  put_token(vocabulary, 2, "</s>", GgufTokenType::control);
  for (int64_t byte = 0; byte < kBytes; ++byte)
    put_token(vocabulary, kSpecial + byte, name_of_byte(static_cast<uint8_t>(byte)), GgufTokenType::byte);
  vocabulary.scores.assign(vocabulary.tokens.size(), 0.0f);
  fill_up(model.config.vocabulary, vocabulary);
  vocabulary.unknown = 0;
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  vocabulary.notes.push_back("the tokenizer is a stand-in, as asked: ids are the model's, text means nothing");
  return vocabulary;
}

void GgufVocabulary::write(GgufMetadata& metadata) const {
  metadata.text("tokenizer.ggml.model", model);
  if (tokens.empty()) return;
  metadata.text("tokenizer.ggml.pre", pre);
  metadata.texts("tokenizer.ggml.tokens", tokens);
  if (!scores.empty()) metadata.f32s("tokenizer.ggml.scores", scores);
  metadata.i32s("tokenizer.ggml.token_type", types);
  if (!merges.empty()) metadata.texts("tokenizer.ggml.merges", merges);
  if (bos >= 0) metadata.u32("tokenizer.ggml.bos_token_id", bos);
  if (eos >= 0) metadata.u32("tokenizer.ggml.eos_token_id", eos);
  if (unknown >= 0) metadata.u32("tokenizer.ggml.unknown_token_id", unknown);
  metadata.boolean("tokenizer.ggml.add_bos_token", add_bos);
  metadata.boolean("tokenizer.ggml.add_eos_token", add_eos);
  if (model == "llama") metadata.boolean("tokenizer.ggml.add_space_prefix", add_space_prefix);
  if (!chat_template.empty()) metadata.text("tokenizer.chat_template", chat_template);
}

}  // namespace halftone
