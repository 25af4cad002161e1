// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/gguf/gguf.h"
#include "halftone/status.h"
#include "models/language_model.h"

namespace halftone {

// Values of tokenizer.ggml.token_type.
enum class GgufTokenType : int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

// A tokenizer as llama.cpp wants it: lists by id, and the name of the way in which text is cut.
struct GgufVocabulary {
  std::string model, pre;  // "gpt2" and "llama-bpe"; "llama"; "no_vocab"
  std::vector<std::string> tokens, merges;
  std::vector<float> scores;  // SentencePiece only
  std::vector<int32_t> types;
  int64_t bos = -1, eos = -1, unknown = -1;
  bool add_bos = false, add_eos = false, add_space_prefix = false;
  std::string chat_template;
  std::vector<std::string> notes;  // what llama.cpp will do differently

  void write(GgufMetadata& metadata) const;
};

// From tokenizer.json (byte-level BPE) or tokenizer.model (SentencePiece BPE) of the model's folder, filled up to the
// config's vocabulary with unused ids. A folder without either gives "no_vocab" and a note. Errors: a tokenizer.json
// that llama.cpp has no kind for.
Result<GgufVocabulary> gguf_vocabulary(const LanguageModel& model);

// ExportTokenizer::stand_in: begin, end and unknown, the 256 bytes, and unused ids up to the config's vocabulary. An
// error when that is too small.
Result<GgufVocabulary> stand_in_vocabulary(const LanguageModel& model);

}  // namespace halftone
