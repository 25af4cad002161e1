// SPDX-License-Identifier: Apache-2.0
// The verbs on the containers, as a user types them: inspect, run, validate and bench on a Hugging Face folder, a GGUF
// file and an MLX folder of every family's tiny model.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/temp_folder.h"
#include "formats/import/test_cache.h"
#include "models/synth.h"
#include "models/test_families.h"
#include "program.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kText =
    "To be, or not to be, that is the question: whether 'tis nobler in the mind to suffer the slings and arrows of "
    "outrageous fortune, or to take arms against a sea of troubles, and by opposing end them.\n";

struct Container {
  std::string_view name, path, write;  // write: options of export; empty: the folder itself
};
constexpr Container kContainers[] = {{"huggingface", "m", ""},
                                     {"gguf", "m.gguf", "--to gguf --type q8_0"},
                                     {"mlx", "mlx", "--to mlx --bits 8 --group 32"}};

class ContainersCli : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_file_atomic(temp_ / "t.txt", kText).ok());
    ASSERT_EQ(halftone("synth " + GetParam() + " --type f16 -o m").first, 0);
    for (const Container& container : kContainers) {
      if (container.write.empty()) continue;
      const auto [code, output] =
          halftone(fmt::format("export m {} --allow-float -o {}", container.write, container.path));
      ASSERT_EQ(code, 0) << output;
    }
  }
  std::pair<int, std::string> halftone(const std::string& words) const {
    return run_command(
        fmt::format("cd '{}' && '{}/halftone' {} --quiet", temp_.path().string(), HALFTONE_BINARY_DIR, words));
  }
  // What the verb writes as JSON.
  Json results(const std::string& words) const {
    const auto [code, output] = halftone(words + " --json out.json");
    EXPECT_EQ(code, 0) << words << "\n" << output;
    const auto text = read_text_file(temp_ / "out.json");
    return code == 0 && text.ok() ? Json::parse(*text)["results"] : Json::object();
  }

  void inspect() const;
  void run() const;
  void validate() const;
  void bench() const;

  TestCache cache_;
  TempFolder temp_;
};

void ContainersCli::inspect() const {
  int64_t parameters = 0;
  for (const Container& container : kContainers) {
    const Json found = results(fmt::format("inspect {}", container.path));
    EXPECT_EQ(found.value("container", ""), container.name);
    EXPECT_EQ(found.value("vocabulary", 0), 288);
    EXPECT_EQ(found.value("tokenizer", ""), "bpe");
    const auto count = found["weights"].value("parameters", int64_t{0});
    EXPECT_GT(count, 0);
    if (parameters == 0) parameters = count;
    // Rope factors of Phi-3 are tensors in GGUF only.
    EXPECT_NEAR(static_cast<double>(count), static_cast<double>(parameters), 16) << container.name;
  }
}

void ContainersCli::run() const {
  for (const Container& container : kContainers) {
    const Json run = results(fmt::format("run {} -p 'To be' --max-tokens 8 --temperature 0", container.path));
    EXPECT_EQ(run["prompt_tokens"].size(), 5u)
        << container.name;  // begin, "T", "o", " b" and "e", or as the 30 merges have it
    const bool ended = run.value("stop_reason", "") != "max_tokens";
    EXPECT_TRUE(run["tokens"].size() == 8 || ended) << container.name << " " << run.dump();
  }
}

void ContainersCli::validate() const {
  for (const Container& container : kContainers) {
    std::string reference = "m";
    if (GetParam() == "tiny-mistral" && container.name == "gguf") {
      // GGUF has no sliding window for it, so the file says a context of one window.
      const auto [code, output] = halftone(fmt::format("validate m {} --suite perplexity:t.txt", container.path));
      EXPECT_EQ(code, 1);
      EXPECT_NE(output.find("expected a candidate with a context of 128 tokens, got 16"), std::string::npos) << output;
      reference = container.path;
    }
    const Json found = results(fmt::format("validate {} {} --suite perplexity:t.txt", reference, container.path));
    ASSERT_TRUE(found.contains("metrics")) << found.dump();
    const Json& metric = found["metrics"]["log_perplexity"];
    EXPECT_GT(metric.value("n", 0), 100) << container.name;
    // Random weights know nothing: ln(288) is 5.66. Weights in 8 bits change next to nothing.
    EXPECT_NEAR(metric.value("candidate", 0.0), 5.9, 0.6) << container.name;
    EXPECT_LT(std::abs(metric.value("delta", 1.0)), 0.02) << container.name;
  }
}

void ContainersCli::bench() const {
  std::string words = "bench --prompt-tokens 8 --decode-tokens 4 --rounds 1 --allow-noisy";
  for (const Container& container : kContainers) words += fmt::format(" {}", container.path);
  const Json found = results(words);
  ASSERT_EQ(found["models"].size(), std::size(kContainers));
  for (size_t i = 0; i < std::size(kContainers); ++i) {
    const Json& model = found["models"][i];
    EXPECT_EQ(model.value("model", ""), kContainers[i].path);
    for (const char* phase : {"prefill", "decode"})
      EXPECT_GT(model[phase]["tokens_per_second"].value("median", 0.0), 0) << kContainers[i].path << " " << phase;
  }
}

// One test, since making the files takes longest.
TEST_P(ContainersCli, InspectRunValidateAndBenchWork) {
  inspect();
  run();
  validate();
  bench();
}

// A disk that ends in the middle of the weights: what was there stays, and nothing is left of what was not finished.
TEST(FullDisk, LeavesNothingBehind) {
  const TestCache cache;
  const TempFolder temp;
  const auto halftone = [&](const std::string& words, std::string_view before = "") {
    return run_command(fmt::format("cd '{}' && mkdir -p out && {}'{}/halftone' {} --quiet", temp.path().string(),
                                   before, HALFTONE_BINARY_DIR, words));
  };
  ASSERT_EQ(halftone("synth tiny --type f16 -o m").first, 0);
  ASSERT_EQ(halftone("export m --to gguf --type q8_0 --allow-float -o m.gguf").first, 0);
  for (const char* words : {"export m --to gguf --type f16 -o out/x.gguf", "export m --to mlx -o out/mlx",
                            "quantize m -r int8 -o out/q.ht", "run m.gguf -p a --max-tokens 1"}) {
    const auto [code, output] = halftone(words, "ulimit -f 100; ");  // 51,200 bytes
    EXPECT_EQ(code, 1) << words << "\n" << output;
    EXPECT_NE(output.find("File too large"), std::string::npos) << words << "\n" << output;
    EXPECT_TRUE(std::filesystem::is_empty(temp / "out")) << words;
  }
  if (std::filesystem::exists("/dev/full")) {
    const auto [code, output] = run_command(
        fmt::format("('{}/halftone' inspect '{}' 2>&1 >/dev/full)", HALFTONE_BINARY_DIR, (temp / "m").string()));
    EXPECT_EQ(code, 1);
    EXPECT_NE(output.find("[inspect] standard output: cannot write: No space left on device"), std::string::npos)
        << output;
  }
  // What an import could not finish is done again when there is room.
  EXPECT_EQ(halftone("run m.gguf -p a --max-tokens 1").first, 0);
}

std::vector<std::string> tiny_shapes() {
  std::vector<std::string> names;
  for (const SynthShape& shape : synth_shapes())
    if (shape.name.starts_with("tiny")) names.emplace_back(shape.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, ContainersCli, testing::ValuesIn(tiny_shapes()), shape_name);

}  // namespace
}  // namespace halftone
