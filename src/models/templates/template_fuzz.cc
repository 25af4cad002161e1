// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "models/templates/chat_template.h"

// Any text as a chat template: refused with words, or it writes text or an error in bounded time.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto code = halftone::ChatTemplate::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!code.ok()) {
    HALFTONE_CHECK(!code.status().message().empty());
    return 0;
  }
  static const auto kMessages = nlohmann::ordered_json::parse(
      R"([{"role": "system", "content": "Be kind"}, {"role": "user", "content": "é 日 <x>"},
          {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"a": [1, 2.5, null]}}]}])");
  halftone::ChatOptions options;
  options.bos = "<s>";
  options.eos = "</s>";
  options.now = std::tm{};
  const auto text = code->render(kMessages, options);
  HALFTONE_CHECK(text.ok() || !text.status().message().empty());
  return 0;
}
