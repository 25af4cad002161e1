// SPDX-License-Identifier: Apache-2.0
// quantize by data on the model of the checkout, as a user types it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/atomic_write.h"
#include "base/temp_folder.h"
#include "program.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

class QuantizeCli : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_file_atomic(temp_ / "best.yaml",
                                  "name: quick-best\nrules:\n  - {layout: int4_block32, method: gptq}\n"
                                  "tune: {steps: 3, batch_tokens: 512}\n")
                    .ok());
  }
  // In temp_, with %M for the folder of the model.
  std::pair<int, std::string> quantize(std::string words) const {
    const std::string model = std::string(HALFTONE_SOURCE_DIR) + "/models/tinyworld";
    for (size_t at = 0; (at = words.find("%M", at)) != std::string::npos; at += model.size())
      words.replace(at, 2, model);
    return run_command(fmt::format("cd '{}' && '{}/halftone' quantize '{}' -o q.ht {}", temp_.path().string(),
                                   HALFTONE_BINARY_DIR, model, words));
  }
  Json json() const {
    const auto text = read_text_file(temp_ / "out.json");
    return text.ok() ? Json::parse(*text) : Json::object();
  }

  TempFolder temp_;
};

bool says(const std::string& output, std::string_view part) { return output.find(part) != std::string::npos; }

TEST_F(QuantizeCli, ByDataAndTuned) {
  const auto [code, output] = quantize(
      "-r best.yaml --calibration %M/calibration.txt --calibration-tokens 4096 --calibration-length 128 "
      "--held-out %M/validation.txt --json out.json");
  ASSERT_EQ(code, 0) << output;
  EXPECT_TRUE(says(output, "calibration covers ")) << output;
  EXPECT_TRUE(says(output, "tuned in 3 steps: KL on ")) << output;
  const Json results = json()["results"];
  EXPECT_TRUE(results["tuned"]["kept"].get<bool>());
  EXPECT_LT(results["tuned"]["kl_after"].get<double>(), results["tuned"]["kl_before"].get<double>());
  EXPECT_GT(results["coverage"]["inside"].get<double>(), 0.9);  // text of the same kind
  EXPECT_LE(results["coverage"]["inside"].get<double>(), 1.0);
  EXPECT_EQ(results["tensors"][0]["method"], "gptq");
  const auto verified =
      run_command(fmt::format("cd '{}' && '{}/halftone' verify q.ht", temp_.path().string(), HALFTONE_BINARY_DIR));
  EXPECT_EQ(verified.first, 0) << verified.second;
}

TEST_F(QuantizeCli, StaticRangesRunAndAreCovered) {
  const auto [code, output] = quantize(
      "-r w8a8 --calibration %M/calibration.txt --calibration-tokens 4096 --held-out %M/validation.txt --json "
      "out.json");
  ASSERT_EQ(code, 0) << output;
  EXPECT_TRUE(says(output, "static 8-bit ranges by error: 99.")) << output;
  const Json ranges = json()["results"]["activations"];
  EXPECT_EQ(ranges["bits"], 8);
  EXPECT_EQ(ranges["inputs"].size(), 17u);  // 4 layers of 4 values, and what the output reads
  EXPECT_EQ(ranges["inputs"][0]["matrices"].size(), 3u);
  EXPECT_GT(ranges["held_out_inside"].get<double>(), 0.99);
  const auto [ran, text] =
      run_command(fmt::format("cd '{}' && '{}/halftone' run q.ht -p 'Question: ' --max-tokens 3 --json -",
                              temp_.path().string(), HALFTONE_BINARY_DIR));
  ASSERT_EQ(ran, 0) << text;
  EXPECT_TRUE(says(text, "\"activations\": \"static8\"")) << text;
}

TEST_F(QuantizeCli, TextThatIsAlsoCalibrationIsNotHeldOut) {
  const auto [code, output] =
      quantize("-r best.yaml --calibration %M/calibration.txt --calibration-tokens 2048 --held-out %M/calibration.txt");
  EXPECT_EQ(code, 1);
  EXPECT_TRUE(says(output, "got 2048 of 2048 tokens (100.00 %) in runs of 32 that both have")) << output;
  EXPECT_FALSE(std::filesystem::exists(temp_ / "q.ht"));
}

TEST_F(QuantizeCli, CalibrationIsAskedFor) {
  const auto [code, output] = quantize("-r int4-best");
  EXPECT_EQ(code, 1);
  EXPECT_TRUE(says(output, "expected --calibration FILE, got none")) << output;
  const auto [without, reason] = quantize("-r int4 --held-out %M/validation.txt");
  EXPECT_EQ(without, 2);
  EXPECT_TRUE(says(reason, "--held-out requires --calibration")) << reason;
  EXPECT_FALSE(std::filesystem::exists(temp_ / "q.ht"));
}

TEST_F(QuantizeCli, LayoutsByMeasurement) {
  ASSERT_TRUE(write_file_atomic(temp_ / "mixed.yaml",
                                "name: mixed-quick\n"
                                "mixed: {target_bits: 5, layouts: [int3_block32, int4_block32, int6_block32],\n"
                                "        method: nearest, tokens: 256, trials: 5}\n")
                  .ok());
  const auto [code, output] = quantize(
      "-r mixed.yaml --target-bits 4.2 --calibration %M/calibration.txt --calibration-tokens 1024 "
      "--calibration-length 128 --json out.json");
  ASSERT_EQ(code, 0) << output;
  EXPECT_TRUE(says(output, "layouts by measurement, KL in millionths of a nat per token on 256 tokens:")) << output;
  EXPECT_TRUE(says(output, " of 4.200 bits per weight used; the budget cut where a megabyte more saves ")) << output;
  const Json results = json()["results"];
  EXPECT_EQ(results["recipe"], "mixed-4.2");
  EXPECT_LE(results["bits_per_weight"].get<double>(), 4.2);
  EXPECT_GT(results["bits_per_weight"].get<double>(), 4.15);
  std::set<std::string> layouts;
  for (const Json& tensor : results["mixed"]["tensors"]) {
    layouts.insert(tensor["layout"].get<std::string>());
    EXPECT_EQ(tensor["candidates"].size(), 3u);
  }
  EXPECT_GT(layouts.size(), 1u);
}

TEST_F(QuantizeCli, TargetsThatCannotBe) {
  const auto [code, output] = quantize("-r int4 --target-bits 1.5 --calibration %M/calibration.txt");
  EXPECT_EQ(code, 1);
  EXPECT_TRUE(says(output, "int4 has no mixed part: in place of its rule for everything, ")) << output;
  EXPECT_TRUE(says(output, "expected a target that can be reached, got 1.5 bits per weight; the least with "))
      << output;
  const auto [without, reason] = quantize("--max-bytes 2MB");
  EXPECT_EQ(without, 1);
  EXPECT_TRUE(says(reason, "recipe mixed-2000000-bytes: layouts are chosen by what they cost on real text")) << reason;
  EXPECT_EQ(quantize("--max-bytes 2MB --target-bits 4").first, 2);
  EXPECT_EQ(quantize("--target-bits 0.5").first, 2);
  EXPECT_FALSE(std::filesystem::exists(temp_ / "q.ht"));
}

}  // namespace
}  // namespace halftone
