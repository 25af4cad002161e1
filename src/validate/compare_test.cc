// SPDX-License-Identifier: Apache-2.0
#include "validate/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "validate/text.h"
#include "validate/validate.h"

namespace halftone {
namespace {

struct World {
  int n = 1000;
  double right = 0.9;  // reference
  double lost = 0.02;  // of all questions
  double gained = 0.01;
  int per_group = 1;
};

// Records as a scored run would leave them. Every fourth question is "rare"; only those lose answers when
// lost_rare_only.
std::vector<SampleRecord> questions(const World& world, uint64_t seed, bool lost_rare_only = false) {
  Rng rng(seed);
  std::vector<SampleRecord> records;
  for (int i = 0; i < world.n; ++i) {
    SampleRecord record;
    record.suite = "world";
    record.id = "q" + std::to_string(100000 + i);
    record.group = "g" + std::to_string(i / world.per_group);
    record.candidate = "int4";
    record.text = "Who bought kettle " + std::to_string(i) + "?";
    record.choices = {"Tarn", "Vell", "Oma", "Reed"};
    record.answer = static_cast<int64_t>(rng.below(4));
    const bool rare = i % 4 == 0;
    record.slices = {{"exposure", rare ? "rare" : "common"}};
    const double draw = rng.uniform();
    const double lost = lost_rare_only ? (rare ? 4 * world.lost : 0) : world.lost;
    const bool is_lost = draw < lost, is_gained = !is_lost && draw < lost + world.gained;
    const bool reference_right = is_lost || (!is_gained && rng.uniform() < world.right);
    const bool candidate_right = is_gained || (!is_lost && reference_right);
    const int64_t wrong = (record.answer + 1) % 4;
    record.reference_scores.assign(4, -5);
    record.candidate_scores.assign(4, -4);
    record.reference_scores[reference_right ? record.answer : wrong] =
        round_significant(-0.1 - 0.01 * rng.uniform(), 9);
    record.candidate_scores[candidate_right ? record.answer : wrong] =
        round_significant(-0.3 - 0.01 * rng.uniform(), 9);
    records.push_back(std::move(record));
  }
  return records;
}

std::vector<SampleRecord> windows(int count, int tokens, double kl, uint64_t seed) {
  Rng rng(seed);
  std::vector<SampleRecord> records;
  for (int i = 0; i < count; ++i) {
    SampleRecord record;
    record.suite = "text";
    record.task = Task::divergence;
    record.id = record.group = "w" + std::to_string(1000 + i);
    record.candidate = "int4";
    record.tokens = tokens;
    record.reference_log_probability = round_significant(-3.0 * tokens, 9);
    record.candidate_log_probability = round_significant((-3.0 - kl) * tokens, 9);
    for (int t = 0; t < tokens; ++t) {
      record.kl.push_back(round_significant(kl * std::exp(rng.normal() - 0.5), 5));
      record.probability_change.push_back(round_significant(0.02 * rng.normal(), 5));
      record.same_top += rng.uniform() < 0.97;
    }
    record.confident_tokens = tokens / 2;
    record.confident_flips = i % 10 == 0 ? 1 : 0;
    record.worst = {"before", "token", "a", "b", *std::max_element(record.kl.begin(), record.kl.end())};
    record.answer_tokens = 16;
    record.answer_same_tokens = i % 5 == 0 ? 3 : 16;
    records.push_back(std::move(record));
  }
  return records;
}

Gate gate_of(const std::string& checks) {
  auto gate = parse_gate("checks:\n" + checks, "g.yaml");
  EXPECT_TRUE(gate.ok()) << gate.status().message();
  return *gate;
}

CompareOptions quick() {
  CompareOptions options;
  options.replicates = 1000;
  return options;
}

const MetricRow& row_of(const Comparison& comparison, std::string_view name) {
  for (const MetricRow& row : comparison.metrics)
    if (row.name == name) return row;
  ADD_FAILURE() << name;
  return comparison.metrics.front();
}

Verdict verdict_of(const std::vector<SampleRecord>& records, const std::string& checks) {
  const Gate gate = gate_of(checks);
  const auto comparison = compare(records, &gate, quick());
  EXPECT_TRUE(comparison.ok()) << comparison.status().message();
  return comparison->gate->verdict;
}

TEST(Compare, counts_what_was_put_in) {
  std::vector<SampleRecord> records = questions({.n = 400, .right = 1, .lost = 0, .gained = 0}, 1);
  for (int i = 0; i < 12; ++i)
    std::swap(records[i].candidate_scores[records[i].answer], records[i].candidate_scores[(records[i].answer + 1) % 4]);
  const auto comparison = compare(records, nullptr, quick());
  ASSERT_TRUE(comparison.ok()) << comparison.status().message();
  const MetricRow& accuracy = row_of(*comparison, "choice_accuracy");
  EXPECT_EQ(*accuracy.reference, 1);
  EXPECT_NEAR(*accuracy.candidate, 0.97, 1e-12);
  EXPECT_NEAR(accuracy.delta, -0.03, 1e-12);
  EXPECT_EQ(accuracy.n, 400);
  EXPECT_NEAR(accuracy.interval->low, -0.0518, 5e-4);  // Tango's interval of 12 lost, 0 gained, 400
  EXPECT_GT(accuracy.interval->high, -0.03);
  EXPECT_LT(accuracy.interval->high, -0.01);
  EXPECT_LT(*accuracy.mcnemar_p, 0.001);
  EXPECT_NEAR(row_of(*comparison, "confident_flips").delta, 0.03, 1e-12);
  EXPECT_NEAR(row_of(*comparison, "answer_flips").delta, 0.03, 1e-12);
  EXPECT_EQ(comparison->slices.size(), 2u);
  EXPECT_EQ(comparison->slices[0].value, "common");
  EXPECT_EQ(comparison->slices[1].accuracy.n, 100);
  ASSERT_EQ(comparison->worst.size(), 10u);
  EXPECT_NE(comparison->worst[0].reference, comparison->worst[0].candidate);
  EXPECT_EQ(comparison->worst[0].expected, comparison->worst[0].reference);
  EXPECT_GT(comparison->worst[0].loss, comparison->worst[9].loss - 1e-12);
}

TEST(Compare, text_metrics_have_their_values_and_tails) {
  const auto comparison = compare(windows(40, 100, 0.02, 3), nullptr, quick());
  ASSERT_TRUE(comparison.ok());
  const MetricRow& kl = row_of(*comparison, "kl");
  EXPECT_NEAR(kl.delta, 0.02, 0.002);
  EXPECT_LT(kl.interval->low, kl.delta);
  EXPECT_GT(kl.interval->high, kl.delta);
  EXPECT_EQ(kl.n, 4000);
  EXPECT_EQ(kl.groups, 40);
  EXPECT_NEAR(row_of(*comparison, "log_perplexity").delta, 0.02, 1e-9);
  EXPECT_NEAR(*row_of(*comparison, "log_perplexity").reference, 3, 1e-9);
  EXPECT_NEAR(row_of(*comparison, "top_token_agreement").delta, 0.97, 0.01);
  EXPECT_NEAR(row_of(*comparison, "confident_token_flips").delta, 4.0 / 2000, 1e-9);
  EXPECT_EQ(row_of(*comparison, "confident_token_flips").n, 2000);
  EXPECT_NEAR(row_of(*comparison, "changed_answers").delta, 0.2, 1e-9);
  for (const TailRow& tail : comparison->tails) {
    if (tail.name != "kl") continue;
    EXPECT_EQ(tail.tails.n, 4000);
    EXPECT_TRUE(tail.tails.quantiles[3].value);
    EXPECT_GT(*tail.tails.quantiles[2].upper, *tail.tails.quantiles[2].value);
  }
  EXPECT_EQ(comparison->worst[0].text, "before");
}

TEST(Compare, does_not_depend_on_the_order_of_records) {
  std::vector<SampleRecord> records = questions({.n = 300, .per_group = 3}, 4);
  const Gate gate = gate_of("- {metric: choice_accuracy.loss, max: 3}\n- {metric: answer_probability.loss, max: 5}\n");
  const std::string before = to_json(*compare(records, &gate, quick())).dump();
  Rng rng(5);
  for (size_t i = records.size(); i > 1; --i) std::swap(records[i - 1], records[rng.below(i)]);
  EXPECT_EQ(to_json(*compare(records, &gate, quick())).dump(), before);
}

TEST(Compare, faults) {
  std::vector<SampleRecord> records = questions({.n = 20}, 1);
  EXPECT_FALSE(compare({}, nullptr).ok());
  records[3].candidate = "int8";
  EXPECT_FALSE(compare(records, nullptr).ok());
  EXPECT_EQ(by_candidate(records).size(), 2u);
  records[3] = records[4];
  EXPECT_NE(compare(records, nullptr).status().message().find("once per candidate"), std::string::npos);
  records = questions({.n = 20}, 1);
  records[0].task = Task::perplexity;
  EXPECT_FALSE(compare(records, nullptr).ok());
}

TEST(Gate, fifty_questions_cannot_pass_one_point_and_say_how_many_could) {
  const std::vector<SampleRecord> records = questions({.n = 50, .lost = 0, .gained = 0}, 1);
  const Gate gate = gate_of("- {metric: choice_accuracy.loss, max: 1.0, unit: points}\n");
  const auto comparison = compare(records, &gate, quick());
  const CheckRow& check = comparison->gate->checks[0];
  EXPECT_EQ(comparison->gate->verdict, Verdict::inconclusive);
  EXPECT_EQ(*check.value, 0);
  EXPECT_NEAR(*check.high, 5.82, 0.01);  // the exact bound, in points
  EXPECT_EQ(*check.needs_n, 299);
  EXPECT_NE(check.reason.find("needs n of about 299 questions"), std::string::npos) << check.reason;
}

TEST(Gate, three_answers) {
  const std::string loss = "- {metric: choice_accuracy.loss, max: 1.0}\n";
  EXPECT_EQ(verdict_of(questions({.n = 4000, .lost = 0.004, .gained = 0.003}, 1), loss), Verdict::pass);
  EXPECT_EQ(verdict_of(questions({.n = 4000, .lost = 0.06, .gained = 0.01}, 1), loss), Verdict::fail);
  EXPECT_EQ(verdict_of(questions({.n = 500, .lost = 0.02, .gained = 0.01}, 1), loss), Verdict::inconclusive);
}

TEST(Gate, a_slice_can_fail_where_the_whole_passes) {
  const std::vector<SampleRecord> records = questions({.n = 4000, .lost = 0.02, .gained = 0.005}, 2, true);
  EXPECT_EQ(verdict_of(records, "- {metric: choice_accuracy.loss, max: 3}\n"), Verdict::pass);
  EXPECT_EQ(verdict_of(records,
                       "- {metric: choice_accuracy.loss, max: 3}\n"
                       "- {metric: choice_accuracy.loss, max: 3, slice: exposure=rare}\n"),
            Verdict::fail);
  EXPECT_EQ(verdict_of(records, "- {metric: choice_accuracy.loss, max: 3, slice: exposure=common}\n"), Verdict::pass);
}

TEST(Gate, grouped_questions_count_as_fewer) {
  // 1,000 questions in 50 stories that answer alike: the same counts carry less.
  std::vector<SampleRecord> records = questions({.n = 1000, .right = 1, .lost = 0, .gained = 0, .per_group = 20}, 1);
  for (int i = 0; i < 20; ++i) {
    std::swap(records[i].candidate_scores[records[i].answer], records[i].candidate_scores[(records[i].answer + 1) % 4]);
    records[i].group = "g0";
  }
  std::vector<SampleRecord> alone = records;
  for (SampleRecord& record : alone) record.group = record.id;
  const std::string check = "- {metric: choice_accuracy.loss, max: 3.5}\n";
  EXPECT_EQ(verdict_of(alone, check), Verdict::pass);
  EXPECT_EQ(verdict_of(records, check), Verdict::inconclusive);
}

TEST(Gate, tails_agreement_and_means_of_text) {
  const std::vector<SampleRecord> records = windows(60, 100, 0.02, 8);
  EXPECT_EQ(verdict_of(records,
                       "- {metric: kl.mean, max: 0.03}\n- {metric: kl.p99, max: 0.5}\n"
                       "- {metric: top_token_agreement, min: 95}\n"),
            Verdict::pass);
  EXPECT_EQ(verdict_of(records, "- {metric: kl.mean, max: 0.01}\n"), Verdict::fail);
  EXPECT_EQ(verdict_of(records, "- {metric: kl.p99, max: 0.05}\n"), Verdict::fail);
  EXPECT_EQ(verdict_of(records, "- {metric: top_token_agreement, min: 99}\n"), Verdict::fail);
  EXPECT_EQ(verdict_of(records, "- {metric: changed_answers, max: 20}\n"), Verdict::inconclusive);
  EXPECT_EQ(verdict_of(records, "- {metric: changed_answers, max: 40}\n"), Verdict::pass);
}

TEST(Gate, too_few_windows_or_samples_decide_nothing) {
  const Gate gate = gate_of("- {metric: kl.mean, max: 0.5}\n- {metric: log_perplexity.p95, max: 1}\n");
  const auto comparison = compare(windows(5, 100, 0.02, 8), &gate, quick());
  for (const CheckRow& check : comparison->gate->checks) {
    EXPECT_EQ(check.verdict, Verdict::inconclusive);
    EXPECT_TRUE(check.needs_n) << check.reason;
  }
  EXPECT_EQ(*comparison->gate->checks[0].needs_n, 800);  // 8 windows of 100 tokens
  EXPECT_EQ(*comparison->gate->checks[1].needs_n, 59);
  EXPECT_FALSE(comparison->gate->checks[1].value);
}

TEST(Gate, facts_are_exact_or_carry_their_interval_and_missing_ones_are_inconclusive) {
  const std::vector<SampleRecord> records = questions({.n = 20}, 1);
  const Gate gate = gate_of("- {metric: bytes, max: 2MB}\n- {metric: decode_tokens_per_second, min: 30tok/s}\n");
  const auto verdicts = [&](const CandidateFacts& facts) {
    CompareOptions options = quick();
    options.facts = facts;
    const auto comparison = compare(records, &gate, options);
    return std::pair(comparison->gate->checks[0].verdict, comparison->gate->checks[1].verdict);
  };
  using enum Verdict;
  EXPECT_EQ(verdicts({}), std::pair(inconclusive, inconclusive));
  EXPECT_EQ(verdicts({2000000, {}, 31.0, Interval{30.5, 31.5}}), std::pair(pass, pass));
  EXPECT_EQ(verdicts({2000001, {}, 31.0, Interval{29.5, 31.5}}), std::pair(fail, inconclusive));
  EXPECT_EQ(verdicts({1, {}, 28.0, Interval{27.5, 28.5}}), std::pair(pass, fail));
}

TEST(Gate, asking_for_what_nobody_measured_is_an_error) {
  const std::vector<SampleRecord> records = questions({.n = 20}, 1);
  const std::pair<std::string, std::string> cases[] = {
      {"- {metric: kl.mean, max: 1}\n", "measures kl"},
      {"- {metric: choice_accuracy.loss, max: 1, slice: exposure=never}\n", "there are common, rare"},
      {"- {metric: choice_accuracy.loss, max: 1, slice: colour=red}\n", "has that slice"},
      {"- {metric: choice_accuracy.loss, max: 1, suite: other}\n", "got \"other\""},
  };
  for (const auto& [checks, message] : cases) {
    const Gate gate = gate_of(checks);
    const auto comparison = compare(records, &gate, quick());
    ASSERT_FALSE(comparison.ok()) << checks;
    EXPECT_NE(comparison.status().message().find(message), std::string::npos) << comparison.status().message();
  }
}

TEST(Gate, holm_keeps_many_checks_from_failing_by_chance) {
  // A loss that one check alone calls beyond its limit; twenty checks together do not.
  std::vector<SampleRecord> records = questions({.n = 1000, .right = 1, .lost = 0, .gained = 0}, 1);
  for (int i = 0; i < 17; ++i)
    std::swap(records[i].candidate_scores[records[i].answer], records[i].candidate_scores[(records[i].answer + 1) % 4]);
  const std::string one = "- {metric: choice_accuracy.loss, max: 1}\n";
  EXPECT_EQ(verdict_of(records, one), Verdict::fail);
  std::string many = one;
  for (int i = 0; i < 19; ++i) many += "- {metric: choice_accuracy, min: " + std::to_string(90 + i * 0.1) + "}\n";
  EXPECT_EQ(verdict_of(records, many), Verdict::inconclusive);
}

// How often the gate errs when the truth sits on the limit: 600 studies, standard error 0.9 points. Seeded.
TEST(Gate, error_rates_at_the_limit) {
  const Gate loss = gate_of("- {metric: choice_accuracy.loss, max: 2}\n");
  const Gate kl = gate_of("- {metric: kl.mean, max: 0.02}\n");
  CompareOptions options = quick();
  options.replicates = 400;
  options.worst = 0;
  int studies = 600, pass = 0, fail = 0, covered = 0, kl_pass = 0, kl_fail = 0;
  for (int s = 0; s < studies; ++s) {
    const auto choices =
        compare(questions({.n = 300, .right = 0.9, .lost = 0.04, .gained = 0.02}, 50 + s), &loss, options);
    pass += choices->gate->verdict == Verdict::pass;
    fail += choices->gate->verdict == Verdict::fail;
    const Interval interval = *row_of(*choices, "choice_accuracy").interval;
    covered += interval.low <= -0.02 && -0.02 <= interval.high;
    const auto text = compare(windows(30, 8, 0.02, 900 + s), &kl, options);
    kl_pass += text->gate->verdict == Verdict::pass;
    kl_fail += text->gate->verdict == Verdict::fail;
  }
  EXPECT_NEAR(covered / static_cast<double>(studies), 0.95, 0.025);
  for (const int errors : {pass, fail, kl_pass, kl_fail}) EXPECT_LE(errors / static_cast<double>(studies), 0.075);
  EXPECT_GT(pass + fail, 0);  // and it is not merely silent
}

}  // namespace
}  // namespace halftone
