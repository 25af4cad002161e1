// SPDX-License-Identifier: Apache-2.0
// A conversation: turns go through the model's chat template, and what a new prompt shares with what the model has
// already read is not computed again.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "generate/generator.h"
#include "models/templates/chat_template.h"

namespace halftone {

struct ChatAnswer {
  GenerateResult result;
  int64_t reused_tokens = 0;    // of the prompt, read in earlier turns
  int64_t forgotten_turns = 0;  // dropped from the front so far, since the context was full
};

class Chat {
 public:
  // template_file: instead of the model's own. Errors: no tokenizer, no template.
  static Result<Chat> open(std::shared_ptr<const LanguageModel> model, Executor& executor,
                           const std::filesystem::path& template_file = {});
  void set_system(std::string text) { system_ = std::move(text); }
  // The model's answer to a turn of the user. When the context is full the oldest turns go; one that is too long alone
  // is an error, and the conversation is as before. options.end_tokens and starts_text are set here.
  Result<ChatAnswer> answer(std::string_view user, GenerateOptions options,
                            const std::function<void(std::string_view)>& piece);
  // Special tokens that the template writes and that say that somebody's turn ends.
  const std::vector<TokenId>& end_tokens() const { return end_tokens_; }
  const std::string& template_name() const { return template_name_; }

 private:
  Chat(std::shared_ptr<const LanguageModel> model, Executor& executor, ChatTemplate code)
      : model_(std::move(model)),
        executor_(&executor),
        template_(std::move(code)),
        sequence_(executor.make_sequence()) {}
  Status find_tokens(std::string_view template_text);
  Result<std::vector<TokenId>> prompt(const nlohmann::ordered_json& turns) const;
  Status keep_shared(const std::vector<TokenId>& prompt);

  std::shared_ptr<const LanguageModel> model_;
  Executor* executor_;
  ChatTemplate template_;
  std::string template_name_;
  ChatOptions options_;
  std::vector<TokenId> end_tokens_;
  std::optional<std::string> system_;
  nlohmann::ordered_json turns_ = nlohmann::ordered_json::array();
  Sequence sequence_;
  std::vector<TokenId> held_;  // what the sequence holds
  int64_t forgotten_ = 0;
};

}  // namespace halftone
