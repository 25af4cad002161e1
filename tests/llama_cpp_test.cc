// SPDX-License-Identifier: Apache-2.0
// What llama.cpp computes on our f16 GGUF file of every family's tiny model, kept in tests/golden/llama_cpp_*.json
// (bench/peers/parity.mjs
// --golden wrote them): the same model is made from its seed, exported, opened from the file and run on the exact path.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/atomic_write.h"
#include "base/temp_folder.h"
#include "export/export.h"
#include "formats/gguf/gguf.h"
#include "formats/import/test_cache.h"
#include "generate/generator.h"
#include "models/synth.h"
#include "models/test_families.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Loaded = std::shared_ptr<const LanguageModel>;

// Two tokens this near, in deviations of llama.cpp's logits, are as likely as f16 keys and values can tell.
constexpr double kTie = 0.01;
constexpr double kSame = 0.9999;

double cosine_of(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

double deviation_of(const std::vector<float>& values) {
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const auto n = static_cast<double>(values.size());
  return std::sqrt(squares / n - sum / n * sum / n);
}

class Runner {
 public:
  explicit Runner(const LanguageModel& model) {
    auto executor = Executor::create(model.model, {1, Activations::exact, KvType::f16});
    EXPECT_TRUE(executor.ok()) << executor.status().message();
    executor_ = *std::move(executor);
    restart();
  }
  void restart() { sequence_.emplace(executor_->make_sequence()); }
  // Logits behind the last of these, which follow what came before.
  std::vector<float> after(const std::vector<TokenId>& ids) {
    std::vector<float> last;
    const auto keep = [&](std::span<const float> logits) { last.assign(logits.begin(), logits.end()); };
    const Status status = prefill(*executor_, *sequence_, ids, keep);
    EXPECT_TRUE(status.ok()) << status.message();
    return last;
  }

 private:
  std::unique_ptr<Executor> executor_;
  std::optional<Sequence> sequence_;
};

class LlamaCpp : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto text =
        read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/llama_cpp_" + GetParam() + ".json");
    ASSERT_TRUE(text.ok()) << text.status().message();
    golden_ = Json::parse(*text);
    const fs::path folder = temp_ / "source", file = temp_ / "m.gguf";
    ASSERT_TRUE(synth(golden_["shape"].get<std::string>(), folder, {.type = DType::f16}).ok());
    const auto config = read_text_file(folder / "config.json");
    ASSERT_TRUE(config.ok());
    Json changed = Json::parse(*config);
    changed.update(golden_["change"]);
    ASSERT_TRUE(write_file_atomic(folder / "config.json", changed.dump()).ok());
    source_ = load(folder);
    ASSERT_NE(source_, nullptr);
    ThreadPool pool(1);
    ExportOptions options;
    options.type = find_ggml_type("f16");
    const auto written = export_gguf(*source_, file, options, pool);
    ASSERT_TRUE(written.ok()) << written.status().message();
    gguf_ = load(file);
    ASSERT_NE(gguf_, nullptr);
  }
  static Loaded load(const fs::path& path) {
    auto model = load_language_model(path);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model.ok() ? *std::move(model) : nullptr;
  }

  TestCache cache_;
  TempFolder temp_;
  Json golden_;
  Loaded source_, gguf_;
};

// Where llama.cpp is known to differ (no window for Mistral; Phi-3's long factors also for short texts), the file says
// "same": false, and the difference has to be there: halftone follows the reference (models/families/logits_test.cc).
TEST_P(LlamaCpp, LogitsAreTheSame) {
  const auto ids = golden_["ids"].get<std::vector<TokenId>>();
  int compared = 0;
  for (const Json& run : golden_["runs"]) {
    const auto length = run["length"].get<std::ptrdiff_t>();
    const auto expected = run["logits"].get<std::vector<float>>();
    const std::vector<TokenId> text(ids.begin(), ids.begin() + length);
    const bool same = run["same"].get<bool>();
    // The file of a model with a window that GGUF cannot say ends where the window does; the folder goes on.
    const std::vector<float> got = Runner(same ? *gguf_ : *source_).after(text);
    ASSERT_EQ(got.size(), expected.size());
    const double found = cosine_of(got, expected);
    if (same) {
      EXPECT_GE(found, kSame) << length << " tokens";
      ++compared;
    } else {
      EXPECT_LT(found, kSame) << length
                              << " tokens: llama.cpp has come to follow the reference; write the golden file anew";
    }
    RecordProperty("one_minus_cosine_" + std::to_string(length), std::to_string(1 - found));
  }
  EXPECT_GE(compared, 2);
}

// All of them, but for ties: 18 of 586 tokens are, and in 2 of these (qwen3) halftone takes the other one. It is given
// llama.cpp's each time.
TEST_P(LlamaCpp, GreedyTokensAreTheSame) {
  const auto tokens = golden_["tokens"].get<std::vector<TokenId>>();
  const auto margins = golden_["margins"].get<std::vector<double>>();
  ASSERT_EQ(tokens.size(), margins.size());
  EXPECT_EQ(tokens.size(), GetParam() == "tiny-mistral" ? 10u : 64u);  // Mistral: inside its window
  Runner runner(*gguf_);
  std::vector<TokenId> next = golden_["prompt_ids"].get<std::vector<TokenId>>();
  int ties = 0, parted = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::vector<float> logits = runner.after(next);
    ASSERT_EQ(logits.size(), 288u);
    const auto best = std::max_element(logits.begin(), logits.end());
    const double behind = static_cast<double>(*best - logits[static_cast<size_t>(tokens[i])]) / deviation_of(logits);
    ties += margins[i] < kTie;
    parted += best - logits.begin() != tokens[i];
    if (margins[i] < kTie) {
      EXPECT_LT(behind, kTie) << "token " << i << ", a tie of llama.cpp";
    } else {
      EXPECT_EQ(best - logits.begin(), tokens[i]) << "token " << i << ", " << margins[i] << " before the next";
    }
    next = {tokens[i]};
  }
  EXPECT_LE(ties, 3);
  EXPECT_LE(parted, GetParam() == "tiny-qwen3" ? 2 : 0);
  RecordProperty("ties", ties);
  RecordProperty("parted", parted);
}

INSTANTIATE_TEST_SUITE_P(All, LlamaCpp,
                         testing::Values("tiny", "tiny-mistral", "tiny-qwen2", "tiny-qwen3", "tiny-phi", "tiny-phi3",
                                         "tiny-phi3_changed", "tiny-gemma", "tiny-gemma2", "tiny-gemma3"),
                         shape_name);

}  // namespace
}  // namespace halftone
