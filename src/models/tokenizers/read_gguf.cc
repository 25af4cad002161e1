// SPDX-License-Identifier: Apache-2.0
// The vocabulary in a GGUF file's metadata → the parts of a tokenizer. Kind "llama" is a SentencePiece model of type
// BPE in other words, kind "gpt2" a byte-level tokenizer.json whose pre-tokenizer has only a name, kind "bert" a
// WordPiece one whose pieces carry the mark where they begin a word instead of where they go on.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "models/tokenizers/gguf_values.h"
#include "models/tokenizers/readers.h"
#include "models/tokenizers/split_patterns.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

struct GgufTokens {
  std::vector<std::string_view> pieces;
  std::vector<int32_t> types;  // of SentencePiece's numbers
  int64_t bos = -1, eos = -1, unknown = -1;
};

Result<GgufTokens> read_tokens(GgufTokenizerKeys& keys) {
  GgufTokens tokens;
  tokens.pieces = keys.texts("tokens");
  tokens.types = keys.integers("token_type", tokens.pieces.size(), static_cast<int32_t>(PieceType::normal));
  const auto count = static_cast<int64_t>(tokens.pieces.size());
  tokens.bos = keys.integer("bos_token_id", 0, count - 1, -1);
  tokens.eos = keys.integer("eos_token_id", 0, count - 1, -1);
  tokens.unknown = keys.integer("unknown_token_id", 0, count - 1, -1);
  HALFTONE_TRY(keys.status());
  if (tokens.pieces.empty()) return invalid_input("{}: expected a list of texts, got none", keys.place("tokens"));
  if (count > kMaxTokenId)
    return invalid_input("{}: expected at most {}, got {}", keys.place("tokens"), kMaxTokenId, count);
  for (size_t i = 0; i < tokens.types.size(); ++i) {
    if (tokens.types[i] >= 1 && tokens.types[i] <= 6) continue;
    return invalid_input("{}[{}]: expected a type from 1 to 6, got {}", keys.place("token_type"), i, tokens.types[i]);
  }
  return tokens;
}

// Kind "llama".
Result<std::shared_ptr<const Tokenizer>> read_scored(GgufTokenizerKeys& keys, const GgufTokens& tokens,
                                                     std::string_view name, bool strip_behind_added) {
  const std::vector<float> scores = keys.floats("scores", tokens.pieces.size());
  SentencePieceFile spec;
  spec.model_type = SentencePieceFile::kBpe;
  spec.dummy_prefix = keys.boolean("add_space_prefix", true);
  spec.collapse = keys.boolean("remove_extra_whitespaces", false);
  spec.added_as_written = true;
  spec.strip_behind_added = strip_behind_added;
  SentencePieceOptions options;
  options.add_bos = keys.boolean("add_bos_token", true);
  options.add_eos = keys.boolean("add_eos_token", false);
  HALFTONE_TRY(keys.status());
  spec.bos = tokens.bos;
  spec.eos = tokens.eos;
  for (size_t i = 0; i < tokens.pieces.size(); ++i) {
    if (!std::isfinite(scores[i])) return invalid_input("{}[{}]: expected a finite number", keys.place("scores"), i);
    auto type = static_cast<PieceType>(tokens.types[i]);
    // Converters give padding the type of the unknown piece too; the key says which one it is.
    if (type == PieceType::unknown && tokens.unknown >= 0 && static_cast<size_t>(tokens.unknown) != i)
      type = PieceType::unused;
    spec.byte_fallback = spec.byte_fallback || type == PieceType::byte;
    spec.pieces.push_back({tokens.pieces[i], scores[i], type});
  }
  return build_tokenizer(spec, name, options);
}

Status read_merges(const std::vector<std::string_view>& merges, GgufTokenizerKeys& keys, TokenizerJson& json) {
  for (size_t i = 0; i < merges.size(); ++i) {
    const size_t space = merges[i].find(' ', 1);
    if (space == std::string_view::npos || space + 1 == merges[i].size()) {
      return invalid_input("{}[{}]: expected two pieces like \"a b\", got \"{}\"", keys.place("merges"), i, merges[i]);
    }
    const std::string_view left = merges[i].substr(0, space), right = merges[i].substr(space + 1);
    // No overflow: texts of a GGUF file are bounded by the file, and files with 4 GB of merges do not fit the ids.
    if (json.merge_text.size() + merges[i].size() > TokenizerJson::kMaxMergeText)
      return invalid_input("{}: expected less than 2 GB", keys.place("merges"));
    json.merges.push_back({static_cast<uint32_t>(json.merge_text.size()), static_cast<uint32_t>(left.size()),
                           static_cast<uint32_t>(right.size())});
    json.merge_text.append(left).append(right);
  }
  return {};
}

Json byte_level_json() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
}

Json pre_tokenizer_json(const GgufPreKind& kind) {
  Json steps = Json::array();
  for (const std::string_view split : kind.splits) {
    if (split.empty()) break;
    steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", split}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  steps.push_back(byte_level_json());
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

// The template that puts bos before a text and eos behind it.
Result<Json> post_processor_json(GgufTokenizerKeys& keys, const GgufTokens& tokens, bool add_bos) {
  Json single = Json::array(), special = Json::object();
  const auto add = [&](std::string_view key, bool fallback, int64_t id) -> Status {
    const bool wanted = keys.boolean(key, fallback);
    HALFTONE_TRY(keys.status());
    if (!wanted) return {};
    if (id < 0) return invalid_input("{}: expected the id of that token in the file, got none", keys.place(key));
    const std::string content(tokens.pieces[static_cast<size_t>(id)]);
    single.push_back({{"SpecialToken", {{"id", content}}}});
    special[content] = {{"ids", {id}}};
    return {};
  };
  HALFTONE_TRY(add("add_bos_token", add_bos, tokens.bos));
  single.push_back({{"Sequence", {{"id", "A"}}}});
  HALFTONE_TRY(add("add_eos_token", false, tokens.eos));
  return Json{{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special}};
}

// Kind "gpt2".
Result<std::shared_ptr<const Tokenizer>> read_byte_level(GgufTokenizerKeys& keys, const GgufTokens& tokens,
                                                         std::string_view name) {
  const std::string_view pre = keys.text("pre", "default");
  const std::vector<std::string_view> merges = keys.texts("merges");
  HALFTONE_TRY(keys.status());
  const GgufPreKind* kind = find_gguf_pre_kind(pre);
  if (kind == nullptr) {
    return unsupported("{}: expected a known way to cut text ({}), got \"{}\"; use the model's tokenizer.json",
                       keys.place("pre"), known_gguf_pre_kinds(), pre);
  }
  TokenizerJson json;
  Json added = Json::array();
  for (size_t i = 0; i < tokens.pieces.size(); ++i) {
    const Status status = json.vocabulary.add(tokens.pieces[i], static_cast<int64_t>(i));
    if (!status.ok()) return invalid_input("{}[{}]: {}", keys.place("tokens"), i, status.message());
    const auto type = static_cast<PieceType>(tokens.types[i]);
    if (type != PieceType::control && type != PieceType::user_defined) continue;
    added.push_back(
        {{"id", i}, {"content", tokens.pieces[i]}, {"special", type == PieceType::control}, {"normalized", false}});
  }
  HALFTONE_TRY(read_merges(merges, keys, json));
  HALFTONE_ASSIGN(Json post_processor, post_processor_json(keys, tokens, kind->add_bos));
  json.rest = {{"added_tokens", std::move(added)},
               {"normalizer", kind->compose ? Json{{"type", "NFC"}} : Json()},
               {"pre_tokenizer", pre_tokenizer_json(*kind)},
               {"post_processor", std::move(post_processor)},
               {"decoder", byte_level_json()},
               {"model", {{"type", "BPE"}, {"ignore_merges", kind->ignore_merges}}}};
  return build_tokenizer(std::move(json), name);
}

// As tokenizer.json writes it: "##" where a piece goes on, nothing where it begins a word.
std::string word_piece(std::string_view stored) {
  constexpr std::string_view kBegins = "\u2581";
  if (stored.starts_with(kBegins)) return std::string(stored.substr(kBegins.size()));
  if (stored.starts_with('[') && stored.ends_with(']')) return std::string(stored);  // [CLS], [unused7]
  return "##" + std::string(stored);
}

// Kind "bert". The file has no field for lower case: such vocabularies have no capitals.
Result<std::shared_ptr<const Tokenizer>> read_word_pieces(GgufTokenizerKeys& keys, const GgufTokens& tokens,
                                                          std::string_view name) {
  const auto last = static_cast<int64_t>(tokens.pieces.size()) - 1;
  const int64_t begin = keys.integer("cls_token_id", 0, last, tokens.bos);
  const int64_t end =
      keys.integer("seperator_token_id", 0, last, keys.integer("separator_token_id", 0, last, tokens.eos));
  HALFTONE_TRY(keys.status());
  TokenizerJson json;
  Json added = Json::array();
  bool capitals = false;
  for (size_t i = 0; i < tokens.pieces.size(); ++i) {
    const std::string piece = word_piece(tokens.pieces[i]);
    const Status status = json.vocabulary.add(piece, static_cast<int64_t>(i));
    if (!status.ok()) return invalid_input("{}[{}]: {}", keys.place("tokens"), i, status.message());
    const bool special = static_cast<PieceType>(tokens.types[i]) == PieceType::control || piece.starts_with('[');
    if (piece.size() > 2 && special && piece.ends_with(']'))
      added.push_back({{"id", i}, {"content", piece}, {"special", true}, {"normalized", false}});
    capitals =
        capitals || (!special && std::any_of(piece.begin(), piece.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
  }
  Json single = Json::array(), special = Json::object();
  const auto add = [&](int64_t id) {
    if (id < 0) return;
    const std::string content = word_piece(tokens.pieces[static_cast<size_t>(id)]);
    single.push_back({{"SpecialToken", {{"id", content}}}});
    special[content] = {{"ids", {id}}};
  };
  add(begin);
  single.push_back({{"Sequence", {{"id", "A"}}}});
  add(end);
  json.rest = {{"added_tokens", std::move(added)},
               {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", !capitals}}},
               {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
               {"post_processor", {{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special}}},
               {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
               {"model", {{"type", "WordPiece"}, {"unk_token", "[UNK]"}}}};
  return build_tokenizer(std::move(json), name);
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> read_gguf_vocabulary(std::span<const std::byte> bytes, std::string_view name) {
  HALFTONE_ASSIGN(const GgufHeader header, parse_gguf(bytes, name));
  GgufTokenizerKeys keys(header, name);
  const std::string_view kind = keys.text("model", "");
  HALFTONE_TRY(keys.status());
  if (kind.empty()) return not_found("{}: expected a vocabulary, got none", keys.place("model"));
  if (kind != "llama" && kind != "gpt2" && kind != "bert") {
    return unsupported("{}: expected llama, gpt2 or bert, got \"{}\"; put the model's tokenizer.json beside the file",
                       keys.place("model"), kind);
  }
  HALFTONE_ASSIGN(const GgufTokens tokens, read_tokens(keys));
  // Phi-3's added tokens take the white space behind them, which GGUF has no field for.
  if (kind == "llama") return read_scored(keys, tokens, name, header.text("general.architecture") == "phi3");
  return kind == "bert" ? read_word_pieces(keys, tokens, name) : read_byte_level(keys, tokens, name);
}

}  // namespace halftone
