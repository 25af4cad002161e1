// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

struct ModelFile;
using TokenId = int32_t;

// Text to ids and back. Immutable and safe to share between threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // special: parse added special tokens in the text and apply the post-processor (bos). Text that is not UTF-8 is an
  // error.
  virtual Result<std::vector<TokenId>> encode(std::string_view text, bool special = true) const = 0;
  // For text that a chat template wrote: special tokens are parsed, and nothing is put around it, since templates print
  // bos themselves.
  virtual Result<std::vector<TokenId>> encode_template(std::string_view text) const { return encode(text, true); }
  // How a special token is written in a text: "<s>". Empty for all other ids.
  virtual std::string_view special_text(TokenId) const { return {}; }
  // The bytes that a token stands for when it follows other tokens; special tokens and ids out of range give nothing.
  virtual std::string bytes_of(TokenId id) const = 0;
  // The text of ids that begin a text. Bytes that are no UTF-8 become U+FFFD.
  virtual std::string decode(const std::vector<TokenId>& ids) const = 0;
  // What encoding may put before a text and decoding takes off its front: " " for the Llama 2 kind, else nothing.
  virtual std::string_view leading() const = 0;
  virtual int64_t size() const = 0;           // one more than the largest id
  virtual std::string_view kind() const = 0;  // "bpe", "sentencepiece-bpe"
};

// From tokenizer.json, tokenizer.model or the metadata of a GGUF file (side file "vocabulary.gguf"), whichever the
// model has, in this order.
Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const ModelFile& file);

// The same from the bytes of the files; `name` stands for the file in messages.
Result<std::shared_ptr<const Tokenizer>> read_tokenizer_json(std::string_view text, std::string_view name);
struct SentencePieceOptions {
  bool add_bos = true, add_eos = false;
  TokenId bos = -1, eos = -1;  // -1: what the file says
};
Result<std::shared_ptr<const Tokenizer>> read_sentencepiece(std::span<const std::byte> bytes, std::string_view name,
                                                            const SentencePieceOptions& options = {});
// Lines of base64 and rank, with Llama 3's special tokens behind them.
Result<std::shared_ptr<const Tokenizer>> read_tiktoken_ranks(std::span<const std::byte> bytes, std::string_view name);
// Tensors are not looked at; a file of metadata alone will do.
Result<std::shared_ptr<const Tokenizer>> read_gguf_vocabulary(std::span<const std::byte> bytes, std::string_view name);

// Streaming decode: gives text only in whole UTF-8 sequences; what all calls give together is what decode() gives.
class TextStream {
 public:
  // at_start: the first id begins a text, so the tokenizer's leading space is dropped. false: text came before.
  explicit TextStream(const Tokenizer& tokenizer, bool at_start = true)
      : tokenizer_(tokenizer), leading_(at_start ? tokenizer.leading() : std::string_view()) {}
  std::string add(TokenId id);  // text that became complete
  std::string flush();          // what is left, invalid bytes replaced by U+FFFD

 private:
  std::string take(bool all);
  const Tokenizer& tokenizer_;
  std::string_view leading_;  // still to be dropped
  std::string pending_;
};

}  // namespace halftone
