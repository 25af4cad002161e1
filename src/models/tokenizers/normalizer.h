// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "halftone/status.h"
#include "models/json_reader.h"
#include "models/tokenizers/characters_map.h"
#include "models/tokenizers/pattern.h"

namespace halftone {

// The "normalizer" of a tokenizer.json: rewrites text before it is cut. Immutable.
class Normalizer {
 public:
  Normalizer() = default;  // changes nothing
  static Result<Normalizer> read(JsonReader& tokenizer);
  // What a SentencePiece model does, after its character map. dummy_prefix: a space before the text; collapse: no
  // spaces at the ends and one between words; escape: spaces become "▁".
  static Normalizer sentencepiece(bool dummy_prefix, bool collapse, bool escape, CharactersMap map = {});
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
  struct Mapped {
    std::shared_ptr<const CharactersMap> map;
    bool clusters;  // as tokenizer.json means it, else as SentencePiece does
  };
  struct Nmt {};
  struct BertClean {
    bool clean, pad_chinese;
  };
  struct SentencePiece {
    bool dummy_prefix, collapse, escape;
  };
  using Step =
      std::variant<Compose, Lowercase, StripAccents, Strip, Prepend, Replace, Mapped, Nmt, BertClean, SentencePiece>;
  struct Apply;
  Status read_step(JsonReader& reader, int depth);
  Status read_other(JsonReader& reader, std::string_view type);
  Status read_bert(JsonReader& reader);
  std::vector<Step> steps_;
};

}  // namespace halftone
