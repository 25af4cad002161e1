// SPDX-License-Identifier: Apache-2.0
// quantize --sweep on the model of the checkout, as a user types it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/temp_folder.h"
#include "program.h"

namespace halftone {
namespace {

class SweepCli : public ::testing::Test {
 protected:
  // In temp_, with %M for the folder of the model.
  std::pair<int, std::string> quantize(std::string words) const {
    const std::string model = std::string(HALFTONE_SOURCE_DIR) + "/models/tinyworld";
    for (size_t at = 0; (at = words.find("%M", at)) != std::string::npos; at += model.size())
      words.replace(at, 2, model);
    return run_command(
        fmt::format("cd '{}' && '{}/halftone' quantize {}", temp_.path().string(), HALFTONE_BINARY_DIR, words));
  }
  TempFolder temp_;
};

bool shows(const std::string& output, std::string_view part) { return output.find(part) != std::string::npos; }

constexpr const char* kSmall =
    "%M --sweep -o s --calibration %M/calibration.txt --calibration-tokens 2560 --calibration-length 128 --bits 8,3 "
    "--granularity block32,channel --methods nearest,search --surface-only ";

TEST_F(SweepCli, FromCommandToPage) {
  const auto [code, output] = quantize(std::string(kSmall) + "--json out.json");
  ASSERT_EQ(code, 0) << output;
  EXPECT_TRUE(shows(output, "KL nearest")) << output;
  EXPECT_TRUE(shows(output, "left out: 3 bits, channel: there is no such layout")) << output;
  EXPECT_TRUE(shows(output, "=> ")) << output;
  EXPECT_TRUE(shows(output, "wrote s/sweep.html and sweep.json: 6 points judged on ")) << output;
  EXPECT_TRUE(shows(output, "6 measured now")) << output;
  const auto text = read_text_file(temp_ / "out.json"), same = read_text_file(temp_ / "s" / "sweep.json");
  ASSERT_TRUE(text.ok() && same.ok());
  EXPECT_EQ(*text, *same);
  const nlohmann::json results = nlohmann::json::parse(*text)["results"];
  EXPECT_EQ(results["judged"]["text"], "a tenth of calibration.txt, held out");
  const auto kl = [&](size_t i) { return results["points"][i]["kl"]["mean"].get<double>(); };
  EXPECT_LT(kl(0) * 50, kl(4));  // 8 bits, 3 bits: five bits are about 4^5, the cliff more
  EXPECT_TRUE(std::filesystem::exists(temp_ / "s" / "sweep.html"));
  const auto [again, second] = quantize(kSmall);
  EXPECT_EQ(again, 0) << second;
  EXPECT_TRUE(shows(second, "as measured before")) << second;
  EXPECT_TRUE(shows(second, "0 measured now")) << second;
}

TEST_F(SweepCli, BadUsageAndInput) {
  const auto expect = [&](int code, const char* words, const char* part) {
    const auto [got, output] = quantize(words);
    EXPECT_EQ(got, code) << output;
    EXPECT_TRUE(shows(output, part)) << output;
  };
  expect(2, "%M -o s --methods gptq", "--methods requires --sweep");
  expect(2, "%M --sweep -o s -r int4", "excludes --");
  expect(1, "%M --sweep -o s --methods best", "expected values of nearest, search, gptq");
  expect(1, "%M --sweep -o s --methods nearest --suite %M/suite.yaml", "expected task divergence");
  expect(1, "%M --sweep -o s --methods nearest",
         "of which a tenth is held out, or --suite divergence:FILE.txt, got neither");
  expect(1,
         "%M --sweep -o s --methods nearest --calibration %M/calibration.txt --windows 0 --suite "
         "divergence:%M/calibration.txt",
         "in runs of 32 that both have");
  EXPECT_FALSE(std::filesystem::exists(temp_ / "s"));
}

}  // namespace
}  // namespace halftone
