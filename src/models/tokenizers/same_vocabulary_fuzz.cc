// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "base/utf8.h"
#include "models/synth/tiny_tokenizer.h"
#include "models/tokenizer.h"
#include "models/tokenizers/split_patterns.h"
#include "models/tokenizers/test_vocabularies.h"

namespace {

using halftone::Tokenizer;
using Pair = std::pair<std::shared_ptr<const Tokenizer>, std::shared_ptr<const Tokenizer>>;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

// The tiny vocabulary in two files each: ranks, SentencePiece of both types; and what they are as tokenizer.json.
std::vector<Pair> pairs() {
  const auto tokens = halftone::byte_tokens(nlohmann::json::parse(halftone::tiny_tokenizer_json()));
  const auto json = [](const nlohmann::json& text) { return *halftone::read_tokenizer_json(text.dump(), "json"); };
  std::vector<Pair> made = {{*halftone::read_tiktoken_ranks(bytes_of(halftone::rank_file(tokens)), "ranks"),
                             json(halftone::ranks_as_json(tokens, halftone::kLlama3Split))}};
  for (const bool unigram : {false, true}) {
    const auto pieces = halftone::scored_pieces(tokens, unigram);
    const std::string file = halftone::sentencepiece_file(pieces, unigram ? 1 : 2, false);
    made.emplace_back(*halftone::read_sentencepiece(bytes_of(file), "model"),
                      json(halftone::scored_as_json(pieces, unigram, false)));
  }
  return made;
}

}  // namespace

// Any text: the same ids from either file of a vocabulary, which decode to that text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<Pair> kPairs = pairs();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Names of bytes are pieces of a tokenizer.json, and SentencePiece's own secret; its mark decodes to a space.
  const bool plain = text.find("<0x") == text.npos && text.find(halftone::kTestWordMark) == text.npos;
  for (const auto& [file, json] : kPairs) {
    const auto expected = file->encode(text, false), found = json->encode(text, false);
    HALFTONE_CHECK(expected.ok() == found.ok());
    if (!expected.ok()) continue;
    if (!plain && file->kind() != "tiktoken") continue;
    HALFTONE_CHECK(*expected == *found);
    HALFTONE_CHECK(file->decode(*expected) == text && json->decode(*found) == text);
  }
  return 0;
}
