// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "models/tokenizers/vocabulary.h"

namespace halftone {

// A tokenizer.json as written. Its two long parts, model.vocab and model.merges, never become a tree of JSON values (a
// tree of 9 MB costs 100 MB); all the rest is small and does.
struct TokenizerJson {
  static constexpr size_t kMaxMergeText = 0x7FFFFFFF;
  struct Merge {
    uint32_t begin, left, right;  // in merge_text: where it begins, bytes of the parts
  };
  nlohmann::json rest;  // without model.vocab and model.merges
  Vocabulary vocabulary;
  bool scored = false;  // vocab is a list of [piece, score], ids in order (Unigram)
  std::vector<double> scores;
  std::string merge_text;
  std::vector<Merge> merges;  // in order of rank

  std::string_view left(const Merge& merge) const {
    return std::string_view(merge_text).substr(merge.begin, merge.left);
  }
  std::string_view right(const Merge& merge) const {
    return std::string_view(merge_text).substr(merge.begin + merge.left, merge.right);
  }
};

// `name` stands for the file in messages. A key twice, nesting beyond 64 levels and malformed entries are errors with
// the place.
Result<TokenizerJson> parse_tokenizer_json(std::string_view text, std::string_view name);

}  // namespace halftone
