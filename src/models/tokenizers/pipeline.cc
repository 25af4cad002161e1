// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/pipeline.h"

#include "base/error.h"
#include "base/utf8.h"
#include "models/tokenizers/word_cache.h"
#include "models/tokenizers/word_mark.h"

namespace halftone {
namespace {

constexpr size_t kBytesPerToken = 3;  // a little less than English has

}  // namespace

void TokenBytes::add(TokenId id, std::string_view bytes) {
  HALFTONE_CHECK(id >= size());
  ends_.resize(static_cast<size_t>(id), bytes_.size());
  bytes_ += bytes;
  ends_.push_back(bytes_.size());
}

std::string_view TokenBytes::of(TokenId id) const {
  if (id < 0 || id >= size()) return {};
  const uint64_t begin = id == 0 ? 0 : ends_[static_cast<size_t>(id) - 1];
  return std::string_view(bytes_).substr(begin, ends_[static_cast<size_t>(id)] - begin);
}

// One call of encode(): scratch, and the ids so far.
class PipelineTokenizer::Encoding {
 public:
  Encoding(const Parts& parts, std::string_view text, bool special)
      : parts_(parts),
        text_(text),
        special_(special),
        matchers_(parts.pre_tokenizer.matchers()),
        scratch_(parts.model->make_scratch()),
        cache_(text.size()),
        cut_words_(parts.pre_tokenizer.empty() && parts.model->words_are_apart()) {
    ids_.reserve(text.size() / kBytesPerToken + 16);
  }

  Status run() {
    for (const AddedTokenFinder::Part& part : parts_.raw_tokens.split(text_, special_)) {
      if (part.id != kNoToken) {
        ids_.push_back(part.id);
        continue;
      }
      HALFTONE_TRY(add_text(text_.substr(part.range.begin, part.range.end - part.range.begin), part.range.begin == 0));
    }
    return {};
  }
  std::vector<TokenId> take() { return std::move(ids_); }

 private:
  // Text between raw added tokens.
  Status add_text(std::string_view text, bool starts_text) {
    if (parts_.normalizer.empty()) return add_normalized(text, starts_text);
    HALFTONE_ASSIGN(const std::string normalized, parts_.normalizer.apply(text));
    return add_normalized(normalized, starts_text);
  }

  Status add_normalized(std::string_view text, bool starts_text) {
    if (parts_.normalized_tokens.empty()) return add_plain(text, starts_text);
    for (const AddedTokenFinder::Part& part : parts_.normalized_tokens.split(text, special_)) {
      if (part.id != kNoToken) {
        ids_.push_back(part.id);
        continue;
      }
      HALFTONE_TRY(add_plain(text.substr(part.range.begin, part.range.end - part.range.begin),
                             starts_text && part.range.begin == 0));
    }
    return {};
  }

  Status add_plain(std::string_view text, bool starts_text) {
    if (text.empty()) return {};
    PreTokens pieces;
    pieces.text = text;
    pieces.starts_text = starts_text;
    if (cut_words_) {
      cut_words(text, 0, pieces.ranges);
    } else {
      pieces.ranges.push_back({0, text.size()});
    }
    HALFTONE_TRY(parts_.pre_tokenizer.apply(pieces, matchers_));
    for (const Range& range : pieces.ranges) {
      HALFTONE_TRY(add_word(pieces.text.substr(range.begin, range.end - range.begin)));
    }
    return {};
  }

  Status add_word(std::string_view word) {
    const std::span<const TokenId> known = cache_.find(word);
    if (!known.empty()) {
      for (const TokenId id : known) ids_.push_back(id);  // one or two: faster than insert()
      return {};
    }
    const size_t before = ids_.size();
    HALFTONE_TRY(parts_.model->encode(word, *scratch_, ids_));
    cache_.put(std::span<const TokenId>(ids_).subspan(before));
    return {};
  }

  const Parts& parts_;
  std::string_view text_;
  bool special_;
  std::vector<Pattern::Matcher> matchers_;
  std::unique_ptr<PieceModel::Scratch> scratch_;
  WordCache cache_;
  bool cut_words_;
  std::vector<TokenId> ids_;
};

std::string_view PipelineTokenizer::special_text(TokenId id) const {
  const auto at = parts_.special_texts.find(id);
  return at == parts_.special_texts.end() ? std::string_view() : std::string_view(at->second);
}

Result<std::vector<TokenId>> PipelineTokenizer::encode_inner(std::string_view text, bool special) const {
  if (const auto invalid = first_invalid_utf8(text)) {
    return invalid_input("[tokenizer] expected text in UTF-8, got byte {:#04x} at offset {}; convert the text first",
                         static_cast<uint8_t>(text[*invalid]), *invalid);
  }
  Encoding encoding(parts_, text, special);
  HALFTONE_TRY(encoding.run());
  return encoding.take();
}

Result<std::vector<TokenId>> PipelineTokenizer::encode(std::string_view text, bool special) const {
  HALFTONE_ASSIGN(std::vector<TokenId> ids, encode_inner(text, special));
  if (special) {
    ids.insert(ids.begin(), parts_.post_processor.before.begin(), parts_.post_processor.before.end());
    ids.insert(ids.end(), parts_.post_processor.behind.begin(), parts_.post_processor.behind.end());
  }
  return ids;
}

std::string PipelineTokenizer::decode(const std::vector<TokenId>& ids) const {
  TextStream stream(*this);
  std::string text;
  for (const TokenId id : ids) text += stream.add(id);
  return text + stream.flush();
}

}  // namespace halftone
