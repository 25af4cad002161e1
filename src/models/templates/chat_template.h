// SPDX-License-Identifier: Apache-2.0
// A model's chat template: conversation → the text that the model continues. The subset of Jinja that the templates of
// models use, with the reference's settings (trim_blocks, lstrip_blocks). A template can read nothing but what it is
// given; steps, depth and size of the text are bounded.
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "halftone/status.h"

namespace halftone {

struct ModelFile;

struct ChatOptions {
  bool add_generation_prompt = true;  // end with the beginning of the answer
  std::string bos, eos;               // text of the tokens, which templates print themselves
  nlohmann::ordered_json tools;       // null: none
  nlohmann::ordered_json extra;       // an object: more names that the template sees ("enable_thinking")
  std::optional<std::tm> now;         // for strftime_now; nothing: the clock
};

// Immutable; safe to share between threads.
class ChatTemplate {
 public:
  // `name` stands for the template in messages, which name the line and the construct too.
  static Result<ChatTemplate> parse(std::string_view text, std::string_view name);
  // messages: a list of objects with "role", "content" and what else the template reads.
  Result<std::string> render(const nlohmann::ordered_json& messages, const ChatOptions& options) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

// The model's own template: chat_template.jinja, "chat_template" of tokenizer_config.json (a string, or a list with one
// named "default"), or tokenizer.chat_template of a GGUF file, in this order. Nothing when there is none.
struct ChatSource {
  std::string text, name;
};
Result<std::optional<ChatSource>> find_chat_template(const ModelFile& file);

}  // namespace halftone
