// SPDX-License-Identifier: Apache-2.0
#include "validate/score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "metrics/logits.h"
#include "validate/fake_model.h"
#include "validate/validate.h"

namespace halftone {
namespace {

Suite text_suite(Task task, int64_t window, int64_t characters = 1000) {
  Suite suite;
  suite.spec.name = "text";
  suite.spec.task = task;
  suite.spec.file = "t.txt";
  suite.spec.window = window;
  std::string text;
  Rng rng(3);
  for (int64_t i = 0; i < characters; ++i) text += static_cast<char>('a' + rng.below(26));
  suite.documents = {{1, text}};
  return suite;
}

Suite choice_suite(int count) {
  Suite suite;
  suite.spec.name = "questions";
  suite.spec.file = "q.csv";
  suite.spec.prompt = "{question}\nAnswer:";
  for (int i = 0; i < count; ++i) {
    ChoiceSample sample;
    sample.id = "id" + std::to_string(i);
    sample.group = "group" + std::to_string(i / 2);
    sample.line = i + 2;
    sample.question = "What is " + std::to_string(i * i) + "?";
    sample.choices = {"red", "red hat", "blue", "r"};
    sample.answer = i % 4;
    sample.slices = {{"parity", i % 2 ? "odd" : "even"}};
    suite.choices.push_back(sample);
  }
  return suite;
}

bool contains(const Status& status, std::string_view part) {
  return status.message().find(part) != std::string_view::npos;
}

// Every logit row of a sequence, straight from the fake model.
double direct_log_likelihood(FakeModel& model, std::span<const int> prefix, std::span<const int> rest) {
  std::vector<int> all(prefix.begin(), prefix.end());
  all.insert(all.end(), rest.begin(), rest.end());
  double sum = 0;
  EXPECT_TRUE(model.truncate(0).ok());
  EXPECT_TRUE(model
                  .extend(all, 0,
                          [&](int64_t i, std::span<const float> row) -> Status {
                            const size_t next = static_cast<size_t>(i) + 1;
                            if (next >= prefix.size() && next < all.size())
                              sum += score_row(row, all[next]).log_probability;
                            return {};
                          })
                  .ok());
  return sum;
}

TEST(Prepare, choices_share_the_prompt_and_keep_every_continuation_whole) {
  FakeModel model;
  const auto prepared = prepare_suite(choice_suite(3), model, Split::all);
  ASSERT_TRUE(prepared.ok()) << prepared.status().message();
  ASSERT_EQ(prepared->items.size(), 3u);
  const ChoiceItem& item = prepared->items[1];
  std::string prefix, second;
  for (const int token : item.prefix) prefix += model.piece(token);
  for (const int token : item.continuations[1]) second += model.piece(token);
  EXPECT_EQ(prefix, "What is 1?\nAnswer:");
  EXPECT_EQ(second, " red hat");
  EXPECT_EQ(item.prefix[0], 256);  // BOS
  EXPECT_EQ(prepared->samples[1].group, "group0");
  EXPECT_EQ(prepared->split_hash().size(), 64u);
}

TEST(Prepare, letter_prompts_list_the_choices_and_leave_braces_in_questions_alone) {
  FakeModel model;
  Suite suite = choice_suite(1);
  suite.spec.scoring = Scoring::letter;
  suite.spec.prompt = "{question}|{choices}|";
  suite.choices[0].question = "say {choices}";
  const auto prepared = prepare_suite(suite, model, Split::all);
  ASSERT_TRUE(prepared.ok());
  std::string prefix;
  for (const int token : prepared->items[0].prefix) prefix += model.piece(token);
  EXPECT_EQ(prefix, "say {choices}|A. red\nB. red hat\nC. blue\nD. r|");
  EXPECT_EQ(model.piece(prepared->items[0].continuations[3].back()), "D");
}

TEST(Prepare, splits_are_disjoint_and_complete) {
  FakeModel model;
  const Suite suite = choice_suite(60);
  const auto all = prepare_suite(suite, model, Split::all), decide = prepare_suite(suite, model, Split::decide),
             confirm = prepare_suite(suite, model, Split::confirm);
  ASSERT_TRUE(all.ok() && decide.ok() && confirm.ok());
  EXPECT_EQ(decide->samples.size() + confirm->samples.size(), all->samples.size());
  EXPECT_GT(decide->samples.size(), 5u);
  for (const SampleRecord& a : decide->samples)
    for (const SampleRecord& b : confirm->samples) EXPECT_NE(a.group, b.group);
  EXPECT_NE(decide->split_hash(), confirm->split_hash());
}

TEST(Prepare, faults) {
  FakeModel model;
  Suite longer = choice_suite(2);
  longer.choices[1].question = std::string(300, 'x');
  EXPECT_TRUE(contains(prepare_suite(longer, model, Split::all).status(),
                       "q.csv:3: expected a prompt and answer of at most 256"));
  Suite one = choice_suite(2);  // one group: one side of the split is empty
  const Split empty = split_of("group0", kDecideFraction) == Split::decide ? Split::confirm : Split::decide;
  EXPECT_TRUE(contains(prepare_suite(one, model, empty).status(), "expected samples in the"));
  Suite stratum = choice_suite(40);
  for (auto& sample : stratum.choices) sample.slices = {{"kind", sample.group == "group0" ? "rare" : "usual"}};
  EXPECT_TRUE(contains(prepare_suite(stratum, model, empty).status(), "kind = rare"));
  EXPECT_FALSE(prepare_suite(one, model, Split::decide, 1.5).ok());
  FakeModel padded;
  padded.known_tokens = 100;
  EXPECT_TRUE(prepare_suite(one, padded, Split::all).ok());  // rows padded for alignment
  padded.rows = 2000;
  EXPECT_TRUE(contains(prepare_suite(one, padded, Split::all).status(), "belongs to another model"));
  padded.rows = 50;
  EXPECT_TRUE(contains(prepare_suite(one, padded, Split::all).status(), "belongs to another model"));
  Suite text = text_suite(Task::perplexity, 1000);
  EXPECT_TRUE(contains(prepare_suite(text, model, Split::all).status(), "window: expected at most 256"));
}

TEST(Prepare, max_samples_keeps_the_same_ones_when_rows_are_added) {
  FakeModel model;
  Suite small = choice_suite(50), large = choice_suite(60);
  small.spec.max_samples = large.spec.max_samples = 10;
  const auto a = prepare_suite(small, model, Split::all), b = prepare_suite(large, model, Split::all);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->samples.size(), 10u);
  int common = 0;
  for (const SampleRecord& x : a->samples)
    for (const SampleRecord& y : b->samples) common += x.id == y.id;
  EXPECT_GE(common, 6);
}

TEST(Prepare, windows_cover_the_text_once) {
  FakeModel model;
  const Suite suite = text_suite(Task::perplexity, 64, 500);
  const auto prepared = prepare_suite(suite, model, Split::all);
  ASSERT_TRUE(prepared.ok());
  std::string text;
  for (const auto& window : prepared->windows) {
    EXPECT_LE(window.size(), 64u);
    EXPECT_EQ(window[0], 256);
    for (const int token : window) text += model.piece(token);
  }
  EXPECT_EQ(text, suite.documents[0].text);
}

TEST(ScoreChoices, default_equals_scoring_each_answer_alone) {
  FakeModel model, direct;
  auto prepared = prepare_suite(choice_suite(4), model, Split::all);
  ASSERT_TRUE(prepared.ok());
  ASSERT_TRUE(score_reference(*prepared, model).ok());
  for (size_t i = 0; i < prepared->items.size(); ++i)
    for (size_t c = 0; c < 4; ++c)
      EXPECT_NEAR(prepared->samples[i].reference_scores[c],
                  direct_log_likelihood(direct, prepared->items[i].prefix, prepared->items[i].continuations[c]), 1e-6);
}

TEST(ScoreChoices, normalization_divides_by_length) {
  FakeModel model;
  Suite suite = choice_suite(1);
  auto plain = prepare_suite(suite, model, Split::all);
  suite.spec.normalize = Normalize::bytes;
  auto bytes = prepare_suite(suite, model, Split::all);
  ASSERT_TRUE(score_reference(*plain, model).ok() && score_reference(*bytes, model).ok());
  EXPECT_NEAR(bytes->samples[0].reference_scores[1], plain->samples[0].reference_scores[1] / 8, 1e-7);  // " red hat"
}

TEST(Divergence, a_model_against_itself_moves_nothing) {
  FakeModel reference, same;
  const std::vector<Suite> suites = {text_suite(Task::divergence, 64)};
  const auto result = validate_pair(reference, same, suites, {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  for (const SampleRecord& record : result->records) {
    for (const double kl : record.kl) EXPECT_EQ(kl, 0);
    EXPECT_EQ(record.same_top, record.tokens);
    EXPECT_EQ(record.confident_flips, 0);
    EXPECT_EQ(record.reference_log_probability, record.candidate_log_probability);
    EXPECT_EQ(record.answer_same_tokens, record.answer_tokens);
    EXPECT_EQ(record.answer_tokens, 16);
  }
}

TEST(Divergence, equals_a_direct_computation_and_grows_with_noise) {
  const Suite suite = text_suite(Task::divergence, 64, 300);
  double before = 0;
  for (const double noise : {0.05, 0.2, 0.8}) {
    FakeModel reference, candidate(noise), a, b(noise);
    const auto result = validate_pair(reference, candidate, std::span(&suite, 1), {});
    ASSERT_TRUE(result.ok());
    double total = 0;
    for (const SampleRecord& record : result->records)
      for (const double kl : record.kl) total += kl;
    EXPECT_GT(total, before);
    before = total;
    // The first window once more, row by row.
    const auto prepared = prepare_suite(suite, a, Split::all);
    const std::vector<int>& window = prepared->windows[0];
    int64_t confident = 0, flips = 0;
    for (size_t i = 0; i + 1 < window.size(); ++i) {
      ASSERT_TRUE(a.truncate(0).ok() && b.truncate(0).ok());
      const RowConsumer ignore = [](int64_t, std::span<const float>) { return Status(); };
      ASSERT_TRUE(a.extend(std::span(window).first(i + 1), 1000, ignore).ok());
      ASSERT_TRUE(b.extend(std::span(window).first(i + 1), 1000, ignore).ok());
      EXPECT_NEAR(result->records[0].kl[i], compare_rows(a.next_row(), b.next_row(), 0).kl, 1e-4 * (1 + before)) << i;
      const auto numbers = [](std::vector<float> row) { return std::vector<double>(row.begin(), row.end()); };
      const std::vector<double> p = numbers(a.next_row()), q = numbers(b.next_row());
      const bool sure = softmax(p)[static_cast<size_t>(argmax(p))] >= 0.8;
      confident += sure;
      flips += sure && argmax(p) != argmax(q);
    }
    EXPECT_GT(confident, 0);
    EXPECT_EQ(result->records[0].confident_tokens, confident);
    EXPECT_EQ(result->records[0].confident_flips, flips);
  }
}

TEST(Divergence, rows_in_memory_stay_below_the_bound) {
  FakeModel reference, candidate(0.1);
  reference.rows = candidate.rows = reference.known_tokens = candidate.known_tokens = 1 << 21;  // 8 MB a row
  Suite suite = text_suite(Task::divergence, 12, 11);
  suite.spec.answer_tokens = 0;
  const auto result = validate_pair(reference, candidate, std::span(&suite, 1), {});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(reference.most_rows_in_call, 8);  // 8 of 11 rows, then the rest
  EXPECT_EQ(result->records[0].kl.size(), 11u);
}

TEST(Perplexity, is_the_sum_of_token_log_probabilities) {
  FakeModel reference, candidate(0.3), direct;
  const Suite suite = text_suite(Task::perplexity, 64, 200);
  const auto result = validate_pair(reference, candidate, std::span(&suite, 1), {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  const auto prepared = prepare_suite(suite, direct, Split::all);
  const std::span<const int> window = prepared->windows[0];
  EXPECT_NEAR(result->records[0].reference_log_probability,
              direct_log_likelihood(direct, window.first(1), window.subspan(1)), 1e-6);
  EXPECT_EQ(result->records[0].tokens, 63);
}

TEST(Greedy, agreement_counts_to_the_first_difference) {
  FakeModel model, other(2.0);
  const std::vector<int> prompt = {256, 'a', 'b'};
  const auto answer = greedy_answer(model, prompt, 12);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->size(), 12u);
  EXPECT_EQ(*greedy_agreement(model, prompt, *answer), 12);
  const auto theirs = greedy_answer(other, prompt, 12);
  int64_t same = 0;
  while (same < 12 && (*answer)[same] == (*theirs)[same]) ++same;
  EXPECT_EQ(*greedy_agreement(other, prompt, *answer), same);
  EXPECT_LT(same, 12);
}

TEST(Score, damaged_and_mismatched_models_are_errors_never_scores) {
  const Suite text = text_suite(Task::divergence, 64, 300), questions = choice_suite(4);
  for (const Suite& suite : {text, questions, text_suite(Task::perplexity, 64, 300)}) {
    FakeModel reference, poisoned, other_size, other_tokens, short_context;
    poisoned.poison_after = 60;
    const auto damaged = validate_pair(reference, poisoned, std::span(&suite, 1), {});
    EXPECT_TRUE(contains(damaged.status(), "NaN or infinity")) << damaged.status().message();
    other_size.rows = 300;
    EXPECT_TRUE(contains(validate_pair(reference, other_size, std::span(&suite, 1), {}).status(), "vocabulary"));
    other_tokens.reverse_tokens = true;
    EXPECT_TRUE(
        contains(validate_pair(reference, other_tokens, std::span(&suite, 1), {}).status(), "another tokenizer"));
  }
  FakeModel reference, short_context;
  short_context.context_tokens = 32;
  EXPECT_TRUE(contains(validate_pair(reference, short_context, std::span(&text, 1), {}).status(), "context of 64"));
}

TEST(Validate, needs_suites_with_different_names) {
  FakeModel a, b;
  EXPECT_FALSE(validate_pair(a, b, {}, {}).ok());
  const std::vector<Suite> twice = {choice_suite(4), choice_suite(4)};
  EXPECT_TRUE(contains(validate_pair(a, b, twice, {}).status(), "different names"));
}

TEST(Validate, records_written_and_read_give_the_same_bits) {
  FakeModel reference, candidate(0.5);
  const std::vector<Suite> suites = {choice_suite(80), text_suite(Task::divergence, 64, 2000)};
  const auto gate =
      parse_gate("checks:\n- {metric: choice_accuracy.loss, max: 5}\n- {metric: kl.mean, max: 0.01}\n", "g.yaml");
  ASSERT_TRUE(gate.ok()) << gate.status().message();
  ValidateOptions options;
  options.gate = &*gate;
  options.compare.replicates = 500;
  const auto result = validate_pair(reference, candidate, suites, options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  auto read = parse_records(format_records(result->records), "samples.jsonl");
  ASSERT_TRUE(read.ok()) << read.status().message();
  const auto again = recheck(*std::move(read), &*gate, options.compare);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(to_json(result->comparison).dump(), to_json((*again)[0]).dump());
}

}  // namespace
}  // namespace halftone
