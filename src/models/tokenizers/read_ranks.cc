// SPDX-License-Identifier: Apache-2.0
// A rank file of the tiktoken kind (one line per token: base64 and rank), which is what Llama 3's tokenizer.model is →
// the parts of a tokenizer. The file has no special tokens and no way to cut text: those are Llama 3's.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "models/tokenizers/base64.h"
#include "models/tokenizers/bpe_model.h"
#include "models/tokenizers/byte_alphabet.h"
#include "models/tokenizers/pipeline.h"
#include "models/tokenizers/readers.h"
#include "models/tokenizers/split_patterns.h"

namespace halftone {
namespace {

constexpr size_t kSpecialTokens = 256;

// Names behind the last rank, in order; the others are reserved.
constexpr std::array<std::string_view, 11> kLlama3Specials = {"<|begin_of_text|>",
                                                              "<|end_of_text|>",
                                                              "<|reserved_special_token_0|>",
                                                              "<|reserved_special_token_1|>",
                                                              "<|finetune_right_pad_id|>",
                                                              "<|step_id|>",
                                                              "<|start_header_id|>",
                                                              "<|end_header_id|>",
                                                              "<|eom_id|>",
                                                              "<|eot_id|>",
                                                              "<|python_tag|>"};

std::string special_name(size_t place) {
  if (place < kLlama3Specials.size()) return std::string(kLlama3Specials[place]);
  return fmt::format("<|reserved_special_token_{}|>", place - kLlama3Specials.size() + 2);
}

struct RankLine {
  std::string_view token, rank;
};

RankLine parts_of(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return {};
  return {line.substr(0, space), line.substr(space + 1)};
}

Status add_line(std::string_view line, size_t number, std::string_view name, std::vector<std::string>& tokens) {
  const auto [token, rank] = parts_of(line);
  const std::optional<std::string> bytes = from_base64(token);
  if (!bytes || bytes->empty() || rank != std::to_string(tokens.size())) {
    return invalid_input("[tokenizer] {}: line {}: expected a token in base64 and rank {}, got \"{}\"", name, number,
                         tokens.size(), line.substr(0, 60));
  }
  tokens.push_back(*bytes);
  return {};
}

}  // namespace

bool looks_like_ranks(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 4096));
  const auto [token, rank] = parts_of(text.substr(0, text.find('\n')));
  return !token.empty() && from_base64(token).has_value() && rank == "0";
}

Result<std::shared_ptr<const Tokenizer>> read_tiktoken_ranks(std::span<const std::byte> bytes, std::string_view name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<std::string> tokens;
  size_t number = 1;
  for (size_t at = 0; at < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) HALFTONE_TRY(add_line(text.substr(at, end - at), number, name, tokens));
    at = end + 1;
  }
  if (tokens.size() + kSpecialTokens > kMaxTokenId)
    return invalid_input("[tokenizer] {}: expected at most {} tokens, got {}", name, kMaxTokenId, tokens.size());
  PipelineTokenizer::Parts parts;
  parts.kind = "tiktoken";
  parts.file = name;
  Vocabulary vocabulary;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const Status added = vocabulary.add(to_byte_alphabet(tokens[id]), static_cast<int64_t>(id));
    if (!added.ok()) return invalid_input("[tokenizer] {}: line {}: {}", name, id + 1, added.message());
    parts.bytes.add(static_cast<TokenId>(id), tokens[id]);
  }
  for (size_t i = 0; i < kSpecialTokens; ++i) {
    AddedToken token;
    token.id = static_cast<TokenId>(tokens.size() + i);
    token.content = special_name(i);
    token.special = true;
    parts.raw_tokens.add(token, token.content);
    parts.special_texts[token.id] = token.content;
    parts.bytes.add(token.id, "");
  }
  parts.post_processor.before = {static_cast<TokenId>(tokens.size())};
  HALFTONE_ASSIGN(parts.pre_tokenizer, PreTokenizer::byte_level(kLlama3Split));
  HALFTONE_ASSIGN(BpeModel model, BpeModel::from_ranks(std::move(vocabulary), std::string(name)));
  parts.model = std::make_unique<BpeModel>(std::move(model));
  return std::shared_ptr<const Tokenizer>(std::make_shared<PipelineTokenizer>(std::move(parts)));
}

}  // namespace halftone
