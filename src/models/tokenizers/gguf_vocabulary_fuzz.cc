// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "models/tokenizer.h"

// Any bytes as the vocabulary in a GGUF file, and as a rank file: refused with words, or a tokenizer whose ids are in
// range.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const auto& tokenizer :
       {halftone::read_gguf_vocabulary(bytes, "fuzz"), halftone::read_tiktoken_ranks(bytes, "fuzz")}) {
    if (!tokenizer.ok()) {
      HALFTONE_CHECK(!tokenizer.status().message().empty());
      continue;
    }
    for (const char* text : {"", "the cat  sat\n", "\xE2\x96\x81 \xF0\x9F\x98\x80 <s>ab"}) {
      const auto ids = (*tokenizer)->encode(text);
      if (!ids.ok()) continue;
      for (const halftone::TokenId id : *ids) HALFTONE_CHECK(id >= 0 && id < (*tokenizer)->size());
      (void)(*tokenizer)->decode(*ids);
    }
  }
  return 0;
}
