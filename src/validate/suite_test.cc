// SPDX-License-Identifier: Apache-2.0
#include "validate/suite.h"

#include <gtest/gtest.h>

#include <set>

#include "base/atomic_write.h"
#include "base/temp_folder.h"

namespace halftone {
namespace {

SuiteSpec spec_with(std::vector<std::string> slices = {}, std::string group = "") {
  SuiteSpec spec;
  spec.file = "q.csv";
  spec.slices = std::move(slices);
  spec.group = std::move(group);
  return spec;
}

std::string message_of(const Status& status) { return std::string(status.message()); }

constexpr char kCsv[] =
    "question,A,B,C,D,answer,exposure,story\n"
    "\"Who, then,\nwon?\",Ann,Bo,Cy,Di,B,rare,s1\n"
    "Where?,here,there,home,away,3,common,s1\n";

TEST(SuiteYaml, reads_every_key) {
  const auto spec = parse_suite(
      "name: world\ntask: choices\nfile: data/q.csv\nscoring: letter\nprompt: \"{question}\\n{choices}\\n=>\"\n"
      "group: story\nslices: [exposure, subject]\nmax_samples: 500\nbos: false\n",
      "suites/world.yaml");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->name, "world");
  EXPECT_EQ(spec->file, std::filesystem::path("suites/data/q.csv"));
  EXPECT_EQ(spec->scoring, Scoring::letter);
  EXPECT_EQ(spec->group, "story");
  EXPECT_EQ(spec->slices, (std::vector<std::string>{"exposure", "subject"}));
  EXPECT_EQ(spec->max_samples, 500);
  EXPECT_FALSE(spec->bos);
  const auto text =
      parse_suite("task: divergence\nfile: t.txt\nwindow: 64\ndocuments: blank_lines\nanswer_tokens: 0\n", "d.yaml");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(text->name, "d");
  EXPECT_EQ(text->window, 64);
  EXPECT_TRUE(text->documents);
  EXPECT_EQ(text->answer_tokens, 0);
}

TEST(SuiteYaml, faults_name_file_line_and_key) {
  const std::pair<std::string, std::string> cases[] = {
      {"task: choices\nfile: q.csv\nslice: [a]\n", "s.yaml:3"},
      {"task: choises\nfile: q.csv\n",
       "expected one of perplexity, divergence, choices, classify, retrieve, regress, detect, got \"choises\""},
      {"task: choices\n", "file"},
      {"file: q.csv\n", "task"},
      {"task: choices\nfile: q.csv\nscoring: letters\n", "s.yaml:3: scoring"},
      {"task: choices\nfile: q.csv\nprompt: hello\n", "{question}"},
      {"task: choices\nfile: q.csv\nscoring: letter\nprompt: \"{question}\"\n", "{choices}"},
      {"task: choices\nfile: q.csv\nscoring: letter\nnormalize: bytes\n", "normalize"},
      {"task: choices\nfile: q.csv\nwindow: 5\n", "window"},
      {"task: perplexity\nfile: q.txt\nslices: [a]\n", "slices"},
      {"task: perplexity\nfile: q.txt\nanswer_tokens: 4\n", "answer_tokens"},
      {"task: perplexity\nfile: q.txt\nwindow: 1\n", "at least 2 tokens"},
      {"task: choices\nfile: q.csv\nmax_samples: 0\n", "max_samples"},
      {"name: a:b\ntask: choices\nfile: q.csv\n", "name"},
  };
  for (const auto& [yaml, message] : cases) {
    const auto spec = parse_suite(yaml, "s.yaml");
    ASSERT_FALSE(spec.ok()) << yaml;
    EXPECT_NE(message_of(spec.status()).find(message), std::string::npos) << yaml << message_of(spec.status());
    EXPECT_NE(message_of(spec.status()).find("s.yaml"), std::string::npos);
  }
}

TEST(ChoicesCsv, letters_indices_slices_and_groups) {
  const auto samples = parse_choices_csv(kCsv, spec_with({"exposure"}, "story"));
  ASSERT_TRUE(samples.ok()) << samples.status().message();
  ASSERT_EQ(samples->size(), 2u);
  EXPECT_EQ((*samples)[0].question, "Who, then,\nwon?");
  EXPECT_EQ((*samples)[0].answer, 1);
  EXPECT_EQ((*samples)[1].answer, 3);
  EXPECT_EQ((*samples)[1].line, 4);
  EXPECT_EQ((*samples)[1].choices[3], "away");
  EXPECT_EQ((*samples)[0].group, "s1");
  EXPECT_EQ((*samples)[0].slices[0], std::pair(std::string("exposure"), std::string("rare")));
}

TEST(ChoicesCsv, ids_are_stable_and_repeats_stay_in_one_group) {
  const std::string head = "question,choice0,choice1,answer\n", a = "a,x,y,0\n", b = "b,x,y,1\n";
  const auto one = parse_choices_csv(head + a + b + a, spec_with());
  const auto moved = parse_choices_csv(head + b + a, spec_with());
  ASSERT_TRUE(one.ok() && moved.ok());
  EXPECT_EQ((*one)[0].id, (*moved)[1].id);
  EXPECT_EQ((*one)[2].id, (*one)[0].id + "-2");
  EXPECT_EQ((*one)[2].group, (*one)[0].group);
  EXPECT_NE((*one)[0].group, (*one)[1].group);
}

TEST(ChoicesCsv, faults_name_file_and_line) {
  const std::string head = "question,A,B,answer,exposure,id\n";
  const std::pair<std::string, std::string> cases[] = {
      {head + "q,x,y,C,r,1\n", "q.csv:2: answer: expected an index from 0 to 1 or a letter from A to B, got \"C\""},
      {head + "q,x,y,2,r,1\n", "got \"2\""},
      {head + "q,x,y,-1,r,1\n", "got \"-1\""},
      {head + "q,x,y,,r,1\n", "q.csv:2: answer"},
      {head + "q,x,y,a,r,1\n", "got \"a\""},
      {head + "q,x,,A,r,1\n", "q.csv:2: choice 1"},
      {head + ",x,y,A,r,1\n", "q.csv:2: question"},
      {head + "q,x,y,A,,1\n", "q.csv:2: exposure: expected a value"},
      {head + "q,x,y,A,r,1\np,x,y,A,r,1\n", "q.csv:3: id: expected each id once"},
      {"question,A,answer\nq,x,A\n", "q.csv:1: expected the columns"},
      {"question,A,B,answer\nq,x,y,A\n", "q.csv:2: expected the column \"exposure\""},
      {"A,B,answer\nx,y,A\n", "q.csv:1: expected the columns"},
  };
  for (const auto& [text, message] : cases) {
    const auto samples = parse_choices_csv(text, spec_with({"exposure"}));
    ASSERT_FALSE(samples.ok()) << text;
    EXPECT_NE(message_of(samples.status()).find(message), std::string::npos) << message_of(samples.status());
  }
}

TEST(ChoicesJsonl, reads_and_refuses) {
  SuiteSpec spec = spec_with({"subject"});
  spec.file = "q.jsonl";
  const std::string good = R"({"question":"q","choices":["x","y"],"answer":"B","subject":"kin","n":3})";
  const auto samples =
      parse_choices_jsonl(good + "\n\n" + R"({"question":"r","choices":["x","y"],"answer":0,"subject":7})", spec);
  ASSERT_TRUE(samples.ok()) << samples.status().message();
  EXPECT_EQ((*samples)[0].answer, 1);
  EXPECT_EQ((*samples)[1].line, 3);
  EXPECT_EQ((*samples)[1].slices[0].second, "7");
  const std::pair<std::string, std::string> cases[] = {
      {good + "\n{\"question\":", "q.jsonl:2: expected one JSON object"},
      {"[1]", "q.jsonl:1: expected an object"},
      {R"({"question":"q","choices":["x","y"]})", "\"answer\""},
      {R"({"question":5,"choices":["x","y"],"answer":0})", "question: expected text"},
      {R"({"question":"q","choices":"xy","answer":0})", "choices: expected a list"},
      {R"({"question":"q","choices":["x",1],"answer":0})", "choices: expected texts"},
      {R"({"question":"q","choices":["x","y"],"answer":1.5})", "got \"1.5\""},
      {R"({"question":"q","choices":["x","y"],"answer":null})", "got \"\""},
      {"", "expected at least one question"},
      {"\"\xFF\"", "q.jsonl:1: expected UTF-8"},
  };
  for (const auto& [text, message] : cases) {
    const auto bad = parse_choices_jsonl(text, spec);
    ASSERT_FALSE(bad.ok()) << text;
    EXPECT_NE(message_of(bad.status()).find(message), std::string::npos) << message_of(bad.status());
  }
}

TEST(Documents, blank_lines_separate_when_asked) {
  SuiteSpec spec;
  spec.file = "t.txt";
  const std::string text = "one\ntwo\n\n \t\nthree\n";
  EXPECT_EQ(parse_documents(text, spec)->size(), 1u);
  spec.documents = true;
  const auto documents = parse_documents(text, spec);
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ((*documents)[0].text, "one\ntwo\n");
  EXPECT_EQ((*documents)[1].line, 5);
  EXPECT_FALSE(parse_documents(" \n\n", spec).ok());
  EXPECT_FALSE(parse_documents("", spec).ok());
  EXPECT_FALSE(parse_documents("a\n\xC3", spec).ok());
}

TEST(LoadSuite, shorthand_and_yaml) {
  TempFolder folder;
  ASSERT_TRUE(write_file_atomic(folder / "q.csv", kCsv).ok());
  ASSERT_TRUE(write_file_atomic(folder / "t.txt", "Some text.\n").ok());
  ASSERT_TRUE(write_file_atomic(folder / "s.yaml", "task: choices\nfile: q.csv\nslices: exposure\n").ok());
  const auto choices = load_suite("choices:" + (folder / "q.csv").string());
  ASSERT_TRUE(choices.ok()) << choices.status().message();
  EXPECT_EQ(choices->spec.name, "q");
  EXPECT_EQ(choices->file_sha256.size(), 64u);
  const auto text = load_suite("divergence:" + (folder / "t.txt").string());
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->spec.task, Task::divergence);
  const auto yaml = load_suite((folder / "s.yaml").string());
  ASSERT_TRUE(yaml.ok()) << yaml.status().message();
  EXPECT_EQ(yaml->choices[0].slices.size(), 1u);
  EXPECT_FALSE(load_suite("choices:" + (folder / "t.txt").string()).ok());
  EXPECT_FALSE(load_suite("choices:" + (folder / "none.csv").string()).ok());
  EXPECT_FALSE(load_suite("classify:q.csv").ok());
}

TEST(Split, is_stable_and_near_its_fraction) {
  int decide = 0;
  for (int i = 0; i < 6000; ++i) decide += split_of("group " + std::to_string(i), 1.0 / 3) == Split::decide;
  EXPECT_NEAR(decide, 2000, 110);  // three standard deviations
  EXPECT_EQ(split_of("s1", 1), Split::decide);
  EXPECT_EQ(split_of("s1", 0), Split::confirm);
  // sha256("s1") begins e8bc, as anyone can check: 0.909 of the range.
  EXPECT_EQ(split_of("s1", 0.90), Split::confirm);
  EXPECT_EQ(split_of("s1", 0.92), Split::decide);
}

}  // namespace
}  // namespace halftone
