// SPDX-License-Identifier: Apache-2.0
#include "validate/gate.h"

#include <gtest/gtest.h>

namespace halftone {
namespace {

TEST(Gate, reads_checks_with_units_and_slices) {
  const auto gate = parse_gate(
      "checks:\n"
      "  - {metric: choice_accuracy.loss, max: 1.0, unit: points}\n"
      "  - {metric: choice-accuracy.loss, max: 3, slice: exposure=rare, suite: world}\n"
      "  - {metric: confident_flips, max: 0.5}\n"
      "  - {metric: kl, max: 0.05}\n"
      "  - {metric: kl.p99.9, max: 2}\n"
      "  - {metric: top_token_agreement, min: 0.95, unit: fraction}\n"
      "  - {metric: bytes, max: 1.2GB}\n"
      "  - {metric: decode_tokens_per_second, min: 30tok/s}\n",
      "g.yaml");
  ASSERT_TRUE(gate.ok()) << gate.status().message();
  ASSERT_EQ(gate->checks.size(), 8u);
  EXPECT_EQ(gate->checks[0].unit, "points");
  EXPECT_EQ(gate->checks[1].metric, "choice_accuracy.loss");
  EXPECT_EQ(gate->checks[1].slice_column, "exposure");
  EXPECT_EQ(gate->checks[1].slice_value, "rare");
  EXPECT_EQ(gate->checks[2].unit, "percent");
  EXPECT_EQ(gate->checks[3].metric, "kl.mean");
  EXPECT_EQ(gate->checks[6].limit, 1.2e9);
  EXPECT_EQ(gate->checks[7].limit, 30);
  EXPECT_EQ(describe(gate->checks[1]), "choice_accuracy.loss <= 3 points on exposure=rare in world");
  EXPECT_EQ(gate_hash(*gate).size(), 64u);
}

TEST(Gate, faults_name_the_line_and_the_nearest_word) {
  const std::pair<std::string, std::string> cases[] = {
      {"- {metric: choice_acuracy.loss, max: 1}", "did you mean choice_accuracy.loss?"},
      {"- {metric: beauty, max: 1}", "known: choice_accuracy"},
      {"- {metric: kl.max, max: 1}", "use a quantile"},
      {"- {metric: kl.mean, max: 1, unti: nats}", "unit"},
      {"- {metric: kl.mean, max: 1, unit: points}", "expected nats, got \"points\""},
      {"- {metric: kl.mean, min: 1}", "max: LIMIT"},
      {"- {metric: kl.mean}", "max: LIMIT"},
      {"- {metric: top_token_agreement, max: 1}", "min: LIMIT"},
      {"- {metric: confident_flips, max: 200}", "within 100 percent"},
      {"- {metric: bytes, max: 1.2}", "unit"},
      {"- {metric: kl.mean, max: 1, slice: rare}", "COLUMN=VALUE"},
      {"- {metric: bytes, max: 1GB, slice: a=b}", "has no samples"},
      {"- {max: 1}", "metric"},
  };
  for (const auto& [check, message] : cases) {
    const auto gate = parse_gate("checks:\n" + check + "\n", "g.yaml");
    ASSERT_FALSE(gate.ok()) << check;
    EXPECT_NE(gate.status().message().find(message), std::string::npos) << gate.status().message();
    EXPECT_NE(gate.status().message().find("g.yaml:2"), std::string::npos) << gate.status().message();
  }
  EXPECT_FALSE(parse_gate("checks: []\n", "g.yaml").ok());
  EXPECT_FALSE(parse_gate("check:\n- {metric: kl, max: 1}\n", "g.yaml").ok());
}

TEST(Gate, the_default_for_text_is_valid_and_gives_reasons) {
  const auto gate = parse_gate(default_text_gate(), "default");
  ASSERT_TRUE(gate.ok()) << gate.status().message();
  EXPECT_EQ(gate->checks.size(), 4u);
  for (const GateCheck& check : gate->checks) EXPECT_NE(find_gate_metric(check.metric), nullptr);
}

TEST(GateMetrics, names_are_distinct) {
  for (const GateMetric& metric : gate_metrics()) EXPECT_EQ(find_gate_metric(metric.name), &metric);
}

}  // namespace
}  // namespace halftone
