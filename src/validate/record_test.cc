// SPDX-License-Identifier: Apache-2.0
#include "validate/record.h"

#include <gtest/gtest.h>

namespace halftone {
namespace {

SampleRecord choice_record() {
  SampleRecord record;
  record.suite = "world";
  record.id = "q1";
  record.group = "story 1";
  record.split = Split::decide;
  record.candidate = "int4";
  record.slices = {{"subject", "kin"}, {"exposure", "rare"}};  // not alphabetical
  record.text = "Who? \xE2\x82\xAC \"quoted\"\n";
  record.choices = {"Tarn", "Vell"};
  record.answer = 1;
  record.reference_scores = {-1.5, -0.123456789};
  record.candidate_scores = {-0.25, -2};
  return record;
}

SampleRecord divergence_record() {
  SampleRecord record;
  record.suite = "text";
  record.task = Task::divergence;
  record.id = record.group = "w0";
  record.candidate = "int8";
  record.tokens = 3;
  record.reference_log_probability = -7.25;
  record.candidate_log_probability = -7.5;
  record.kl = {0.001, 0, 1.25e-7};
  record.probability_change = {-0.01, 0, 0.5};
  record.same_top = 2;
  record.confident_tokens = 1;
  record.worst = {"once upon a", " time", " time", " hill", 0.001};
  record.answer_tokens = 16;
  record.answer_same_tokens = 4;
  record.reference_answer = "and then";
  return record;
}

TEST(Record, line_and_back) {
  SampleRecord perplexity = divergence_record();
  perplexity.task = Task::perplexity;
  for (const SampleRecord& record : {choice_record(), divergence_record(), perplexity}) {
    const std::string line = to_json_line(record);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const auto read = parse_record(line, "s.jsonl", 1);
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(to_json_line(*read), line);
    EXPECT_EQ(read->slices, record.slices);
    EXPECT_EQ(read->task, record.task);
    EXPECT_EQ(read->reference_scores, record.reference_scores);
    EXPECT_EQ(read->split, record.split);
  }
}

TEST(Record, bytes_that_are_not_text_do_not_break_the_file) {
  SampleRecord record = choice_record();
  record.text = "half a character: \xE2\x82";
  EXPECT_TRUE(parse_record(to_json_line(record), "s.jsonl", 1).ok());
}

std::string with(std::string line, const std::string& from, const std::string& to) {
  const size_t at = line.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return line.replace(at, from.size(), to);
}

TEST(Record, faults_name_file_line_and_key) {
  const std::string choice = to_json_line(choice_record()), text = to_json_line(divergence_record());
  const std::pair<std::string, std::string> cases[] = {
      {"{", "s.jsonl:7: expected one JSON object"},
      {"[]", "expected one JSON object"},
      {"\xFF", "expected UTF-8"},
      {with(choice, "\"suite\"", "\"suit\""), "suite"},
      {with(choice, "\"choices\",\"id\"", "\"task\",\"id\""), "task"},
      {with(choice, "\"decide\"", "\"half\""), "split"},
      {with(choice, "\"answer\":1", "\"answer\":2"), "answer: expected the index"},
      {with(choice, "\"answer\":1", "\"answer\":-1"), "answer"},
      {with(choice, "[-1.5,", "[null,"), "reference_scores"},
      {with(choice, "[-1.5,", "["), "choices: expected 2 or more"},
      {with(choice, "[-1.5,", "[1e999,"), "expected one JSON object"},
      {with(choice, "\"answer\"", "\"kl\":[],\"answer\""), "kl: expected no such key"},
      {with(text, "\"tokens\":3", "\"tokens\":4"), "kl: expected one value per token"},
      {with(text, "\"tokens\":3", "\"tokens\":0"), "tokens: expected at least 1"},
      {with(text, "\"same_top\":2", "\"same_top\":9"), "same_top"},
      {with(text, "\"confident_tokens\":1", "\"confident_tokens\":4"), "confident_tokens"},
      {with(text, "\"confident_flips\":0", "\"confident_flips\":2"), "confident_flips: expected at most"},
      {with(text, "\"answer_same_tokens\":4", "\"answer_same_tokens\":17"), "answer_same_tokens"},
      {with(text, "\"before\"", "\"behind\""), "before"},
  };
  for (const auto& [line, message] : cases) {
    const auto record = parse_record(line, "s.jsonl", 7);
    ASSERT_FALSE(record.ok()) << line;
    EXPECT_NE(record.status().message().find(message), std::string::npos) << record.status().message();
    EXPECT_NE(record.status().message().find("s.jsonl:7"), std::string::npos);
  }
}

TEST(Records, a_file_that_was_cut_short_is_not_believed) {
  const std::vector<SampleRecord> records = {choice_record(), divergence_record()};
  const std::string text = format_records(records);
  EXPECT_EQ(parse_records(text, "s")->size(), 2u);
  EXPECT_FALSE(parse_records(text.substr(0, text.size() - 1), "s").ok());
  EXPECT_FALSE(parse_records(text.substr(0, text.size() / 2), "s").ok());
  EXPECT_FALSE(parse_records("", "s").ok());
  EXPECT_FALSE(read_records("/nonexistent/samples.jsonl").ok());
}

}  // namespace
}  // namespace halftone
