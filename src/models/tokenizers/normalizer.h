// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "halftone/status.h"
#include "models/json_reader.h"
#include "models/tokenizers/pattern.h"

namespace halftone {

// The "normalizer" of a tokenizer.json: rewrites text before it is cut. Immutable.
class Normalizer {
 public:
  Normalizer() = default;  // changes nothing
  static Result<Normalizer> read(JsonReader& tokenizer);
  // What a SentencePiece model without a character map does. dummy_prefix: a space before the text; collapse: no spaces
  // at the ends and one between words; escape: spaces become "▁".
  static Normalizer sentencepiece(bool dummy_prefix, bool collapse, bool escape);
  bool empty() const { return steps_.empty(); }
  // REQUIRES: valid UTF-8.
  Result<std::string> apply(std::string_view text) const;

 private:
  struct Compose {
    int options;  // of utf8proc
  };
  struct Lowercase {};
  struct StripAccents {};
  struct Strip {
    bool left, right;
  };
  struct Prepend {
    std::string text;
  };
  struct Replace {
    Pattern pattern;
    std::string content;
  };
  struct SentencePiece {
    bool dummy_prefix, collapse, escape;
  };
  using Step = std::variant<Compose, Lowercase, StripAccents, Strip, Prepend, Replace, SentencePiece>;
  struct Apply;
  Status read_step(JsonReader& reader, int depth);
  std::vector<Step> steps_;
};

}  // namespace halftone
