// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "models/tokenizers/vocabulary.h"

namespace halftone {

// How a tokenizer makes ids of a piece of text that pre-tokenization left whole. Immutable.
class PieceModel {
 public:
  // Of one caller.
  struct Scratch {
    virtual ~Scratch() = default;
  };
  virtual ~PieceModel() = default;
  virtual std::unique_ptr<Scratch> make_scratch() const = 0;
  // Appends the ids. REQUIRES: scratch of this model; a piece in valid UTF-8, not empty.
  virtual Status encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  // Text may also be cut before every run of "▁": no id covers something else with a "▁" behind it.
  virtual bool words_are_apart() const { return false; }
};

}  // namespace halftone
