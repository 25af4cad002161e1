// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "halftone/status.h"
#include "validate/input_format.h"

namespace halftone {

enum class Task : uint8_t { perplexity, divergence, choices, classify, retrieve, regress, detect };
std::string_view task_name(Task task);
Result<Task> parse_task(std::string_view name);
// Each sample has a right answer among alternatives.
constexpr bool has_answers(Task task) { return task == Task::choices || task == Task::classify; }
// What is scored is a network that reads arrays; otherwise a language model.
constexpr bool is_of_network(Task task) { return task >= Task::classify; }

// What is scored after the prompt: the answer's full text, or the letter in front of it.
enum class Scoring : uint8_t { answer, letter };
// Full answers differ in length: compare their log-likelihoods as sums, per token, or per byte.
enum class Normalize : uint8_t { none, tokens, bytes };

// The four numbers of a box: corners, a corner and a size, or the centre and a size.
enum class BoxCorners : uint8_t { ltrb, tlbr, ltwh, cxcywh };

// Where a detector's outputs are and what they mean.
struct BoxFormat {
  int64_t boxes = 0, scores = 1, classes = -1;  // numbers of outputs; classes -1: scores has a column per class
  BoxCorners corners = BoxCorners::ltrb;
  bool fractions = false;  // of what the network sees; otherwise its pixels
  double most_overlap =
      1;  // nms: of two boxes of a class that overlap more, the more certain stays; 1: the graph did it
  double least_score = 0.05;
};

// A suite as its YAML file or shorthand states it, defaults filled in.
struct SuiteSpec {
  std::string name;
  Task task = Task::choices;
  std::filesystem::path file;             // data, resolved against the YAML file's folder
  Scoring scoring = Scoring::answer;      // choices
  Normalize normalize = Normalize::none;  // choices, scoring answer
  std::string prompt;                     // choices: template with {question}, and {choices} for letters
  std::string group;                // choices: column whose equal values belong together; empty: each question alone
  std::vector<std::string> slices;  // choices: columns
  int64_t window = 0;               // text: tokens per window; 0: min(context, 512)
  bool documents = false;           // text: blank lines separate documents (no window spans two); false: one stream
  int64_t answer_tokens = 16;       // divergence: greedy answer compared after each window's first half; 0: none
  int64_t max_samples = 0;          // 0: all; otherwise those whose ids hash lowest
  bool bos = true;
  std::filesystem::path labels;  // classify: names of the classes, one per line; empty: their numbers
  bool ood = false;              // classify: every picture also shifted (models/pictures/shifts.h)
  BoxFormat boxes;               // detect
  InputFormat input;             // networks
};

// One labelled question, or one labelled file of a network's suite: `question` is its path as the list writes it;
// `answer` the number of its class (classify), `choices` its label alone (retrieve). `id` is the file's own "id"
// column, or a hash of question and choices: stable when rows move.
struct ChoiceSample {
  std::string id;
  std::string group;
  int64_t line = 0;
  std::string question;
  std::vector<std::string> choices;
  int64_t answer = 0;
  std::vector<std::pair<std::string, std::string>> slices;  // column, value
  std::vector<double> numbers = {};  // regress: what should come out; detect: six per object (SampleRecord::objects)
};

struct TextDocument {
  int64_t line = 0;
  std::string text;
};

struct Suite {
  SuiteSpec spec;
  std::string file_sha256;
  std::vector<ChoiceSample> choices;    // tasks choices and classify
  std::vector<std::string> labels;      // classify: names of the classes; empty: their numbers
  std::vector<TextDocument> documents;  // text tasks
};

// YAML keys: name, task, file, scoring, normalize, prompt, group, slices, window, documents, answer_tokens,
// max_samples, bos, labels, input. A key that the task cannot use is an error, like an unknown one.
Result<SuiteSpec> parse_suite(std::string_view yaml, const std::filesystem::path& path);

// `--suite`: a YAML file, or perplexity:FILE.txt, divergence:FILE.txt, choices:FILE.csv|jsonl, or classify, retrieve,
// regress, detect:FILE.csv. Reads the data too.
Result<Suite> load_suite(std::string_view argument);
Result<Suite> load_suite_data(SuiteSpec spec);

// The data parsers. CSV columns: question; choice0 ... choiceN or A ... D; answer (index from 0, or letter); others may
// serve as id, group or slices. JSON Lines: question, choices, answer, others likewise. Every error names file and
// line.
Result<std::vector<ChoiceSample>> parse_choices_csv(std::string_view text, const SuiteSpec& spec);
Result<std::vector<ChoiceSample>> parse_choices_jsonl(std::string_view text, const SuiteSpec& spec);
// Columns: path, relative to the list's folder (NAME.npy#ROW: a row of many), and what is right about it: label, the
// number or the name of a class (classify) or what relevant samples share (retrieve); value, numbers with spaces
// between (regress); boxes, "label left top right bottom" with ";" between, the label also in a column of its own
// (detect). Others likewise.
Result<std::vector<ChoiceSample>> parse_network_csv(std::string_view text, const SuiteSpec& spec,
                                                    const std::vector<std::string>& labels);
Result<std::vector<TextDocument>> parse_documents(std::string_view text, const SuiteSpec& spec);

// Which part of a suite a sample belongs to: decide when the hash of its group, as a fraction of 2^64, is below
// `decide_fraction`. Search and tuning see the decide part; confirm is opened once.
enum class Split : uint8_t { all, decide, confirm };
std::string_view split_name(Split split);
Result<Split> parse_split(std::string_view name);
inline constexpr double kDecideFraction = 1.0 / 3;
Split split_of(std::string_view group, double decide_fraction);

}  // namespace halftone
