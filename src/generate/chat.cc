// SPDX-License-Identifier: Apache-2.0
#include "generate/chat.h"

#include <algorithm>
#include <array>

#include "base/atomic_write.h"
#include "base/error.h"

namespace halftone {
namespace {

// How families end a turn. A model's eos is often only the end of a whole text.
constexpr std::array<std::string_view, 7> kTurnEnds = {"<|eot_id|>", "<|im_end|>",    "<|end|>", "<end_of_turn>",
                                                       "<|eom_id|>", "<|endoftext|>", "</s>"};

}  // namespace

Result<Chat> Chat::open(std::shared_ptr<const LanguageModel> model, Executor& executor,
                        const std::filesystem::path& template_file) {
  if (!model->tokenizer) {
    return not_found("[chat] {}: expected a tokenizer beside the weights, got none; copy tokenizer.json there",
                     model->path.string());
  }
  ChatSource source;
  if (!template_file.empty()) {
    source.name = template_file.string();
    HALFTONE_ASSIGN(source.text, read_text_file(template_file));
  } else {
    HALFTONE_ASSIGN(std::optional<ChatSource> found, find_chat_template(model->file));
    if (!found) {
      return not_found(
          "[chat] {}: expected a chat template (chat_template.jinja, or \"chat_template\" in tokenizer_config.json), "
          "got "
          "none; a base model continues text with `run`, or give a template with --template FILE",
          model->path.string());
    }
    source = std::move(*found);
  }
  HALFTONE_ASSIGN(ChatTemplate code, ChatTemplate::parse(source.text, source.name));
  Chat chat(std::move(model), executor, std::move(code));
  chat.template_name_ = source.name;
  HALFTONE_TRY(chat.find_tokens(source.text));
  return chat;
}

Status Chat::find_tokens(std::string_view template_text) {
  const Tokenizer& tokenizer = *model_->tokenizer;
  if (model_->config.bos >= 0) options_.bos = tokenizer.special_text(static_cast<TokenId>(model_->config.bos));
  if (!model_->config.eos.empty())
    options_.eos = tokenizer.special_text(static_cast<TokenId>(model_->config.eos.front()));
  for (const std::string_view text : kTurnEnds) {
    if (template_text.find(text) == std::string_view::npos) continue;
    HALFTONE_ASSIGN(const std::vector<TokenId> ids, tokenizer.encode_template(text));
    if (ids.size() == 1) end_tokens_.push_back(ids.front());
  }
  return {};
}

Result<std::vector<TokenId>> Chat::prompt(const nlohmann::ordered_json& turns) const {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  if (system_) messages.push_back({{"role", "system"}, {"content", *system_}});
  messages.insert(messages.end(), turns.begin(), turns.end());
  HALFTONE_ASSIGN(const std::string text, template_.render(messages, options_));
  HALFTONE_ASSIGN(std::vector<TokenId> ids, model_->tokenizer->encode_template(text));
  if (ids.empty()) return invalid_input("[chat] {}: expected text from the template, got none", template_name_);
  return ids;
}

// Leaves in the sequence what the prompt begins with; at least one id stays to be read, for its logits.
Status Chat::keep_shared(const std::vector<TokenId>& prompt) {
  const size_t limit = std::min(held_.size(), prompt.size() - 1);
  const auto shared = static_cast<size_t>(
      std::mismatch(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(limit), held_.begin()).first -
      prompt.begin());
  // A window may have released what lies before: then all is read again.
  if (shared < held_.size() && !sequence_.truncate(static_cast<int64_t>(shared)).ok())
    HALFTONE_TRY(sequence_.truncate(0));
  held_.resize(static_cast<size_t>(sequence_.length()));
  return {};
}

Result<ChatAnswer> Chat::answer(std::string_view user, GenerateOptions options,
                                const std::function<void(std::string_view)>& piece) {
  options.end_tokens = end_tokens_;
  options.starts_text = true;
  nlohmann::ordered_json turns = turns_;
  turns.push_back({{"role", "user"}, {"content", std::string(user)}});
  int64_t context = model_->config.context;
  if (options.context > 0) context = std::min(context, options.context);
  ChatAnswer answer;
  HALFTONE_ASSIGN(std::vector<TokenId> ids, prompt(turns));
  while (static_cast<int64_t>(ids.size()) >= context && turns.size() > 2) {
    turns.erase(turns.begin(), turns.begin() + 2);
    ++answer.forgotten_turns;
    HALFTONE_ASSIGN(ids, prompt(turns));
  }
  HALFTONE_TRY(keep_shared(ids));
  answer.reused_tokens = sequence_.length();
  Result<GenerateResult> result = generate_on(*model_, *executor_, sequence_, std::move(ids), options, piece);
  if (!result.ok()) {
    HALFTONE_TRY(sequence_.truncate(0));
    held_.clear();
    return result.status();
  }
  answer.result = std::move(*result);
  held_ = answer.result.prompt_tokens;
  held_.insert(held_.end(), answer.result.tokens.begin(), answer.result.tokens.end());
  held_.resize(static_cast<size_t>(sequence_.length()));
  turns.push_back({{"role", "assistant"}, {"content", answer.result.text}});
  turns_ = std::move(turns);
  forgotten_ += answer.forgotten_turns;
  answer.forgotten_turns = forgotten_;
  return answer;
}

}  // namespace halftone
