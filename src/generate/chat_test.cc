// SPDX-License-Identifier: Apache-2.0
#include "generate/chat.h"

#include <gtest/gtest.h>

#include "generate/tiny_model.h"

namespace halftone {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,";
constexpr std::string_view kTemplate =
    "{% for m in messages %}{{ m.role[0] }}{{ m.content }}.{% endfor %}{% if add_generation_prompt %}a{% endif %}";

// One id per character, so that an answer read again is the ids that made it; "</s>" is the last one.
class AlphabetTokenizer : public Tokenizer {
 public:
  Result<std::vector<TokenId>> encode(std::string_view text, bool) const override {
    std::vector<TokenId> ids;
    for (const char letter : text) ids.push_back(static_cast<TokenId>(kAlphabet.find(letter)));
    return ids;
  }
  Result<std::vector<TokenId>> encode_template(std::string_view text) const override {
    if (text == "</s>") return std::vector<TokenId>{static_cast<TokenId>(kAlphabet.size() - 1)};
    return encode(text, true);
  }
  std::string bytes_of(TokenId id) const override { return std::string(1, kAlphabet[static_cast<size_t>(id)]); }
  std::string decode(const std::vector<TokenId>& ids) const override {
    std::string text;
    for (const TokenId id : ids) text += bytes_of(id);
    return text;
  }
  std::string_view leading() const override { return ""; }
  int64_t size() const override { return kTinyVocabulary; }
  std::string_view kind() const override { return "alphabet"; }
};

class ChatTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_tiny_model(folder_.path());
    auto loaded = load_language_model(folder_.path());
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    auto model = std::make_shared<LanguageModel>(**loaded);
    model->tokenizer = std::make_shared<AlphabetTokenizer>();
    model_ = model;
    auto executor = Executor::create(model_->model, {1, Activations::exact});
    ASSERT_TRUE(executor.ok()) << executor.status().message();
    executor_ = std::move(executor).value();
    write_text(template_file(), kTemplate);
    options_.sampler.temperature = 0;
    options_.max_tokens = 5;
  }
  std::filesystem::path template_file() const { return folder_.path() / "t.jinja"; }
  Result<Chat> open() { return Chat::open(model_, *executor_, template_file()); }
  ChatAnswer answer(Chat& chat, std::string_view user) {
    auto answer = chat.answer(user, options_, {});
    EXPECT_TRUE(answer.ok()) << answer.status().message();
    return answer.ok() ? *answer : ChatAnswer{};
  }
  std::vector<TokenId> alone(const std::string& prompt) {
    auto result = generate(*model_, *executor_, prompt, options_, {});
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? result->tokens : std::vector<TokenId>{};
  }

  TempFolder folder_;
  std::shared_ptr<const LanguageModel> model_;
  std::unique_ptr<Executor> executor_;
  GenerateOptions options_;
};

TEST_F(ChatTest, TurnsAnswerAsIfReadAtOnceAndReuseWhatTheyShare) {
  auto chat = open();
  ASSERT_TRUE(chat.ok()) << chat.status().message();
  chat->set_system("x");
  const ChatAnswer first = answer(*chat, "hi");
  EXPECT_EQ(first.result.tokens, alone("sx.uhi.a"));
  EXPECT_EQ(first.reused_tokens, 0);
  const ChatAnswer second = answer(*chat, "yo");
  const std::string before = "sx.uhi.a" + first.result.text;
  EXPECT_EQ(second.result.tokens, alone(before + ".uyo.a"));
  // The last token of an answer was never read, so one less than what stands there.
  EXPECT_EQ(second.reused_tokens, static_cast<int64_t>(before.size()) - 1);
}

TEST_F(ChatTest, AFullContextForgetsTheOldestTurns) {
  auto chat = open();
  ASSERT_TRUE(chat.ok());
  options_.context = 30;
  int64_t forgotten = 0;
  for (int turn = 0; turn < 6; ++turn) forgotten = answer(*chat, "again").forgotten_turns;
  EXPECT_GT(forgotten, 0);
  const auto long_turn = chat->answer(std::string(60, 'x'), options_, {});
  ASSERT_FALSE(long_turn.ok());
  EXPECT_NE(long_turn.status().message().find("expected a prompt of at most 30 tokens (as --context says)"),
            std::string::npos)
      << long_turn.status().message();
  EXPECT_FALSE(answer(*chat, "ok").result.prompt_tokens.empty());
}

TEST_F(ChatTest, TokensThatTheTemplateEndsTurnsWithEndTheAnswer) {
  write_text(template_file(), std::string(kTemplate) + "{# </s> #}");
  auto chat = open();
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(chat->end_tokens(), (std::vector<TokenId>{63}));
  write_text(template_file(), kTemplate);
  chat = open();
  ASSERT_TRUE(chat.ok());
  EXPECT_TRUE(chat->end_tokens().empty());
}

TEST_F(ChatTest, WithoutATemplateTheErrorSaysWhatToDo) {
  const auto chat = Chat::open(model_, *executor_);
  ASSERT_FALSE(chat.ok());
  EXPECT_NE(chat.status().message().find("expected a chat template"), std::string::npos);
  EXPECT_NE(chat.status().message().find("--template FILE"), std::string::npos);
  write_text(template_file(), "{{ raise_exception('no') }}");
  auto refusing = open();
  ASSERT_TRUE(refusing.ok());
  EXPECT_NE(refusing->answer("hi", options_, {}).status().message().find("t.jinja: line 1: the template refuses: no"),
            std::string::npos);
}

}  // namespace
}  // namespace halftone
