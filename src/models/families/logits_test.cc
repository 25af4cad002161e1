// SPDX-License-Identifier: Apache-2.0
// The logits of a tiny model of every family against tests/golden/logits_*.json, which tests/tools/decoder_reference.py
// computed in float64 and apart from this code: below and above the windows and the switch of rope frequencies.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/temp_folder.h"
#include "models/language_model.h"
#include "models/synth.h"
#include "models/test_families.h"
#include "runtime/session.h"

namespace halftone {
namespace {

using Logits = std::vector<float>;

// The logits of the last token after every call: the tokens in pieces of `piece`.
Logits last_logits(Executor& executor, const std::vector<int32_t>& tokens, size_t piece) {
  Sequence sequence = executor.make_sequence();
  Sequence* const one = &sequence;
  Logits last;
  for (size_t begin = 0; begin < tokens.size(); begin += piece) {
    std::vector<BatchToken> batch;
    for (size_t i = begin; i < std::min(begin + piece, tokens.size()); ++i) batch.push_back({tokens[i], 0, false});
    batch.back().want_logits = true;
    const Status status = executor.forward(
        {&one, 1}, batch, [&](int64_t, std::span<const float> logits) { last.assign(logits.begin(), logits.end()); });
    EXPECT_TRUE(status.ok()) << status.message();
  }
  return last;
}

struct Difference {
  double cosine, largest;  // largest: as a part of the deviation of the expected logits
};

Difference compare(const Logits& got, const std::vector<double>& expected) {
  double dot = 0, got_squares = 0, squares = 0, sum = 0, largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto value = static_cast<double>(got[i]);
    dot += value * expected[i];
    got_squares += value * value;
    squares += expected[i] * expected[i];
    sum += expected[i];
    largest = std::max(largest, std::abs(value - expected[i]));
  }
  const auto n = static_cast<double>(expected.size());
  return {dot / std::sqrt(got_squares * squares), largest / std::sqrt(squares / n - sum / n * sum / n)};
}

class FamilyLogits : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(synth(GetParam(), temp_ / "m", {.type = DType::f32}).ok());
    const auto loaded = load_language_model(temp_ / "m");
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    auto executor = Executor::create((*loaded)->model, {.threads = 1, .activations = Activations::exact});
    ASSERT_TRUE(executor.ok()) << executor.status().message();
    executor_ = std::move(*executor);
    const auto text = read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/logits_" + GetParam() + ".json");
    ASSERT_TRUE(text.ok()) << text.status().message();
    golden_ = nlohmann::json::parse(*text);
  }
  std::vector<int32_t> tokens(size_t length) const {
    auto all = golden_["tokens"].get<std::vector<int32_t>>();
    all.resize(length);
    return all;
  }

  TempFolder temp_;
  std::unique_ptr<Executor> executor_;
  nlohmann::json golden_;
};

TEST_P(FamilyLogits, AreThoseOfTheReference) {
  ASSERT_EQ(golden_["runs"].size(), 2u);
  for (const auto& run : golden_["runs"]) {
    const auto length = run["length"].get<size_t>();
    const Logits got = last_logits(*executor_, tokens(length), length);
    const Difference found = compare(got, run["logits"].get<std::vector<double>>());
    // Keys and values are kept as f16; everything else is float32.
    EXPECT_GE(found.cosine, 0.999999) << length << " tokens";
    EXPECT_LE(found.largest, 4e-3) << length << " tokens";
    RecordProperty("largest_" + std::to_string(length), std::to_string(found.largest));
  }
}

TEST_P(FamilyLogits, DoNotDependOnHowTheTokensCome) {
  const std::vector<int32_t> all = tokens(48);
  const Logits whole = last_logits(*executor_, all, 48);
  for (const size_t piece : {1, 7, 33}) EXPECT_EQ(last_logits(*executor_, all, piece), whole) << piece;
}

INSTANTIATE_TEST_SUITE_P(All, FamilyLogits, every_tiny_family(), shape_name);

class LongRope : public FamilyLogits {
 protected:
  std::vector<Logits> forward(Sequence& sequence, const std::vector<int32_t>& ids) {
    std::vector<BatchToken> batch;
    for (const int32_t id : ids) batch.push_back({id, 0, true});
    std::vector<Logits> all;
    Sequence* const one = &sequence;
    const Status status = executor_->forward({&one, 1}, batch, [&](int64_t, std::span<const float> logits) {
      all.emplace_back(logits.begin(), logits.end());
    });
    EXPECT_TRUE(status.ok()) << status.message();
    return all;
  }
};

// tiny-phi3 changes its frequencies beyond 32 tokens.
TEST_P(LongRope, KeysAreAlwaysThoseOfThePresentLength) {
  const std::vector<int32_t> all = tokens(48), head(all.begin(), all.begin() + 30);
  Sequence grown = executor_->make_sequence(), fresh = executor_->make_sequence();
  forward(grown, head);
  Sequence fork = grown.fork();
  const auto beyond = forward(grown, {all.begin() + 30, all.end()});
  const auto whole = forward(fresh, all);
  EXPECT_EQ(beyond.back(), whole.back());
  EXPECT_EQ(beyond.front(), whole[30]);
  // The fork kept the short keys.
  Sequence plain = executor_->make_sequence();
  forward(plain, head);
  EXPECT_EQ(forward(fork, {all[30]}), forward(plain, {all[30]}));
  // Taken back to a short text, the keys become short again.
  ASSERT_TRUE(grown.truncate(30).ok());
  Sequence again = executor_->make_sequence();
  forward(again, head);
  EXPECT_EQ(forward(grown, {all[30]}), forward(again, {all[30]}));
  EXPECT_EQ(grown.length(), 31);
  // The border itself: 32 tokens are short, 33 are long.
  Sequence at = executor_->make_sequence(), over = executor_->make_sequence();
  const auto short_logits = forward(at, {all.begin(), all.begin() + 32});
  const auto long_logits = forward(over, {all.begin(), all.begin() + 33});
  EXPECT_NE(short_logits[31], long_logits[31]);
  EXPECT_EQ(forward(at, {all[32]}).back(), long_logits[32]);
}

INSTANTIATE_TEST_SUITE_P(Phi3, LongRope, testing::Values("tiny-phi3"));

}  // namespace
}  // namespace halftone
