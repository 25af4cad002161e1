// SPDX-License-Identifier: Apache-2.0
#include "bench/page/profile_page.h"

#include <gtest/gtest.h>

#include <regex>

namespace halftone {
namespace {

PhaseProfile phase() {
  PhaseProfile phase;
  phase.tokens = 4;
  phase.seconds = 2;
  phase.steps = {{"prepare", "", 1, 0.01},
                 {"linear", "l.0.q<i>.weight", 4, 0.9, 1e9, 0, 0, 2e9, 0},
                 {"linear", "l.1.q<i>.weight", 4, 0.6, 1e9, 0, 0, 2e9, 0},
                 {"attention", "l.0.kv", 4, 0.49, 0, 1e8, 0, 0, 1e9}};
  return phase;
}

BenchReport report() {
  BenchReport report;
  report.isa = "avx2";
  report.read_bandwidth = 1e10;
  report.int8_peak = 1e12;
  report.f32_peak = 1e11;
  ModelBench& model = report.models.emplace_back();
  model.model = "a <b>model</b>";
  model.profile = ModelProfile{phase(), phase()};
  report.models.emplace_back().model = "unprofiled";
  return report;
}

TEST(ProfilePage, EveryRowOfBlocksSumsToTheWhole) {
  const std::string page = render_profile_page(report());
  const std::regex row("<div class=\"row\">(.*?)</div>"), width("width:([0-9.]+)%");
  int rows = 0;
  for (auto at = std::sregex_iterator(page.begin(), page.end(), row); at != std::sregex_iterator(); ++at, ++rows) {
    const std::string blocks = (*at)[1];
    double sum = 0;
    for (auto w = std::sregex_iterator(blocks.begin(), blocks.end(), width); w != std::sregex_iterator(); ++w)
      sum += std::stod((*w)[1]);
    EXPECT_NEAR(sum, 100, 0.01) << blocks;
  }
  EXPECT_EQ(rows, 8);  // whole, kinds, roles, layers; two phases
}

TEST(ProfilePage, IsSelfContainedAndEscaped) {
  const std::string page = render_profile_page(report());
  for (const char* fetches : {"http://", "https://", "src=", "href=", "url(", "@import"}) {
    EXPECT_EQ(page.find(fetches), std::string::npos) << fetches;
  }
  EXPECT_NE(page.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_EQ(page.find("<b>model"), std::string::npos);
  EXPECT_EQ(page.find("q<i>"), std::string::npos);
  EXPECT_EQ(page.find("unprofiled"), std::string::npos);
  EXPECT_NE(page.find("2.00 G"), std::string::npos);  // bytes of both layers together
}

}  // namespace
}  // namespace halftone
