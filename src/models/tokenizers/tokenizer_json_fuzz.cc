// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "base/error.h"
#include "models/tokenizer.h"

namespace {

constexpr size_t kMaxText = 64;

void check(const halftone::Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text);
  if (!ids.ok()) {
    HALFTONE_CHECK(!ids.status().message().empty());
    return;
  }
  for (const halftone::TokenId id : *ids) HALFTONE_CHECK(id >= 0 && id < tokenizer.size());
  const std::string decoded = tokenizer.decode(*ids);
  halftone::TextStream stream(tokenizer);
  std::string streamed;
  for (const halftone::TokenId id : *ids) streamed += stream.add(id);
  HALFTONE_CHECK(streamed + stream.flush() == decoded);
}

}  // namespace

// A tokenizer.json, and behind a zero byte a text to encode: refused with words, or every id is in range and streaming
// agrees with decoding at once.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const auto tokenizer = halftone::read_tokenizer_json(input.substr(0, end), "fuzz");
  if (!tokenizer.ok()) {
    HALFTONE_CHECK(!tokenizer.status().message().empty());
    return 0;
  }
  check(**tokenizer, end == std::string_view::npos ? "the <x> 12 ab  cd\n" : input.substr(end + 1, kMaxText));
  return 0;
}
