// SPDX-License-Identifier: Apache-2.0
#include "generate/generator.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "generate/tiny_model.h"

namespace halftone {
namespace {

// Ids 0..25 are letters, every fourth id after them one half of the two bytes of "é", the rest digits.
class LetterTokenizer : public Tokenizer {
 public:
  Result<std::vector<TokenId>> encode(std::string_view text, bool) const override {
    std::vector<TokenId> ids;
    for (const char letter : text) ids.push_back(letter - 'a');
    return ids;
  }
  std::string bytes_of(TokenId id) const override {
    if (id < 26) return std::string(1, static_cast<char>('a' + id));
    if (id % 4 == 0) return "\xc3";
    if (id % 4 == 1) return "\xa9";
    return std::to_string(id);
  }
  std::string decode(const std::vector<TokenId>& ids) const override {
    std::string text;
    for (const TokenId id : ids) text += bytes_of(id);
    return text;
  }
  std::string_view leading() const override { return ""; }
  int64_t size() const override { return kTinyVocabulary; }
  std::string_view kind() const override { return "letters"; }
};

class Generate : public ::testing::Test {
 protected:
  void SetUp() override {
    write_tiny_model(folder_.path());
    auto loaded = load_language_model(folder_.path());
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    model_ = **loaded;
    model_.tokenizer = std::make_shared<LetterTokenizer>();
    executor_ = make_executor(1);
    options_.sampler.temperature = 0;
    options_.max_tokens = 20;
  }

  std::unique_ptr<Executor> make_executor(int threads) {
    auto executor = Executor::create(model_.model, {threads, Activations::exact});
    EXPECT_TRUE(executor.ok()) << executor.status().message();
    return std::move(executor).value();
  }

  GenerateResult run(std::string_view prompt = "abc") {
    pieces_.clear();
    auto result =
        generate(model_, *executor_, prompt, options_, [this](std::string_view piece) { pieces_.emplace_back(piece); });
    EXPECT_TRUE(result.ok()) << result.status().message();
    if (!result.ok()) return {};
    std::string joined;
    for (const std::string& piece : pieces_) joined += piece;
    EXPECT_EQ(joined, result->text);
    return std::move(result).value();
  }

  std::string error(std::string_view prompt) {
    const auto result = generate(model_, *executor_, prompt, options_, nullptr);
    EXPECT_FALSE(result.ok());
    return std::string(result.status().message());
  }

  TempFolder folder_;
  LanguageModel model_;
  std::unique_ptr<Executor> executor_;
  GenerateOptions options_;
  std::vector<std::string> pieces_;
};

TEST_F(Generate, GreedyTokensAreTheLikeliestOfTheWholeText) {
  const GenerateResult result = run();
  ASSERT_EQ(result.tokens.size(), 20u);
  EXPECT_EQ(result.stop, StopReason::max_tokens);
  EXPECT_EQ(result.token_seconds.size(), 19u);
  std::vector<TokenId> text = result.prompt_tokens;
  for (const TokenId token : result.tokens) {
    Sequence fresh(model_.model);  // all at once instead of token by token
    TokenId likeliest = -1;
    const auto consume = [&](std::span<const float> logits) {
      likeliest = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    };
    ASSERT_TRUE(prefill(*executor_, fresh, text, consume).ok());
    ASSERT_EQ(token, likeliest);
    text.push_back(token);
  }
}

TEST_F(Generate, ThreadsDoNotChangeASeededSample) {
  options_.sampler = SamplerOptions{};
  options_.sampler.temperature = 1.5;
  options_.sampler.seed = 9;
  const auto one = run().tokens;
  executor_ = make_executor(3);
  EXPECT_EQ(run().tokens, one);
  options_.sampler.seed = 10;
  EXPECT_NE(run().tokens, one);
}

TEST_F(Generate, PiecesAreWholeCharacters) {
  options_.sampler.temperature = 2;
  options_.sampler.top_k = 0;
  options_.sampler.top_p = 1;
  options_.sampler.min_p = 0;
  int characters = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    options_.sampler.seed = seed;
    run();
    for (const std::string& piece : pieces_) {
      ASSERT_NE(piece.back(), '\xc3');
      ASSERT_NE(piece.front(), '\xa9');
      characters += piece.find("é") != std::string::npos;
    }
  }
  EXPECT_GT(characters, 0);
}

TEST_F(Generate, AStopStringAcrossTokensCutsTheText) {
  options_.sampler.temperature = 1;
  options_.sampler.seed = 4;
  const std::string whole = run().text;
  ASSERT_GT(whole.size(), 12u);
  const std::string stop = whole.substr(6, 5);
  options_.stop = {"never seen", stop};
  const GenerateResult cut = run();
  EXPECT_EQ(cut.stop, StopReason::stop_string);
  EXPECT_EQ(cut.text, whole.substr(0, whole.find(stop)));
  EXPECT_LT(cut.tokens.size(), 20u);
}

TEST_F(Generate, AnEndTokenEndsAndIsNotText) {
  const GenerateResult whole = run();
  const TokenId end = whole.tokens[3];
  const auto first = std::find(whole.tokens.begin(), whole.tokens.end(), end) - whole.tokens.begin();
  model_.config.eos = {999, end};
  const GenerateResult result = run();
  EXPECT_EQ(result.stop, StopReason::end_token);
  EXPECT_EQ(result.tokens, std::vector<TokenId>(whole.tokens.begin(), whole.tokens.begin() + first));
}

TEST_F(Generate, StopsWhenTheContextIsFull) {
  options_.max_tokens = 1000;
  const GenerateResult result = run();
  EXPECT_EQ(result.stop, StopReason::context_full);
  EXPECT_EQ(static_cast<int64_t>(result.tokens.size()), kTinyContext - 3 + 1);  // the last one need not be held
}

TEST_F(Generate, APromptAsLongAsTheContextStillGivesOneToken) {
  const GenerateResult result = run(std::string(kTinyContext, 'b'));
  EXPECT_EQ(result.tokens.size(), 1u);
  EXPECT_EQ(result.stop, StopReason::context_full);
}

TEST_F(Generate, APromptLongerThanTheContextIsAnErrorWithBothNumbers) {
  const std::string message = error(std::string(kTinyContext + 5, 'b'));
  EXPECT_NE(message.find("at most 48 tokens"), std::string::npos) << message;
  EXPECT_NE(message.find("got 53"), std::string::npos) << message;
  EXPECT_NE(message.find("shorten"), std::string::npos) << message;
}

TEST_F(Generate, AnEmptyPromptNeedsABeginToken) {
  model_.config.bos = -1;
  EXPECT_NE(error("").find("begin token"), std::string::npos);
  model_.config.bos = 7;
  EXPECT_EQ(run("").prompt_tokens, std::vector<TokenId>{7});
}

TEST_F(Generate, NoTokensWantedGivesNone) {
  options_.max_tokens = 0;
  const GenerateResult result = run();
  EXPECT_TRUE(result.tokens.empty());
  EXPECT_GT(result.prefill_seconds, 0);
}

TEST_F(Generate, WrongOptionsAreErrors) {
  options_.stop = {""};
  EXPECT_NE(error("a").find("stop string"), std::string::npos);
  options_.stop.clear();
  options_.max_tokens = -1;
  EXPECT_NE(error("a").find("max-tokens"), std::string::npos);
  options_.max_tokens = 5;
  options_.sampler.top_p = 0;
  EXPECT_NE(error("a").find("top-p"), std::string::npos);
  options_.sampler.top_p = 1;
  model_.tokenizer = nullptr;
  EXPECT_NE(error("a").find("tokenizer.json"), std::string::npos);
}

TEST_F(Generate, ATokenBeyondTheVocabularyIsAnError) {
  const auto result = generate_from_tokens(model_, *executor_, {3, 64}, options_, nullptr);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("64"), std::string_view::npos) << result.status().message();
}

}  // namespace
}  // namespace halftone
