// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "halftone/status.h"
#include "validate/suite.h"

namespace halftone {

// The one token of a window where the candidate departs furthest from the reference.
struct WorstToken {
  std::string before;     // text in front of it
  std::string token;      // what the text says next
  std::string reference;  // the reference's most probable token there
  std::string candidate;
  double kl = 0;
};

// Everything that one sample says about one candidate: a line of samples.jsonl. Every interval and verdict follows from
// these lines alone. Numbers are stored rounded (kScoreDigits, kTokenDigits) and computed with as stored, so a file
// gives the same bits as the run that wrote it. Log-likelihoods are nats.
struct SampleRecord {
  std::string suite;
  Task task = Task::choices;
  std::string id, group;
  Split split = Split::all;
  std::string candidate;
  std::vector<std::pair<std::string, std::string>> slices;
  std::string text;  // an excerpt for people

  // choices, classify: what is compared, per choice. classify: log-probabilities; of more than 20 classes only the
  // right one and the six that each model finds most probable
  std::vector<std::string> choices;
  int64_t answer = 0;
  std::vector<double> reference_scores, candidate_scores;

  // perplexity, divergence: sums of log-probabilities over the window's scored tokens
  int64_t tokens = 0;
  double reference_log_probability = 0, candidate_log_probability = 0;

  // divergence, per scored token
  std::vector<double> kl;
  std::vector<double> probability_change;  // candidate's probability of the true next token minus the reference's
  int64_t same_top = 0;                    // tokens where both find the same token most probable
  int64_t confident_tokens = 0;            // tokens where the reference's most probable one has p >= kConfident,
  int64_t confident_flips = 0;             // and of them those where another is the candidate's
  WorstToken worst;
  // divergence: greedy answer to the window's first half; answer_tokens 0 when none was asked for
  int64_t answer_tokens = 0;
  int64_t answer_same_tokens = 0;  // before the first difference
  std::string reference_answer;

  // regress
  std::vector<double> targets, reference_values, candidate_values;

  // detect: six numbers per box. Objects: class, left, top, right, bottom, 1 for a crowd; what models find: class,
  // score, left, top, right, bottom, by falling score. Pixels of the whole picture.
  std::vector<double> objects, reference_boxes, candidate_boxes;

  // retrieve: ids of the nearest samples, nearest first, and the ranks from 1 at which they have this sample's label
  std::string label;
  int64_t relevant = 0;  // other samples with the label
  std::vector<std::string> reference_found, candidate_found;
  std::vector<double> reference_ranks, candidate_ranks;
  double cosine = 0;                                            // between the two models' embeddings of the sample
  std::vector<float> reference_embedding, candidate_embedding;  // while scoring; not in the file
};

// The slice of records of shifted pictures: they are slices and a gap, never part of the suite's own figures.
inline constexpr std::string_view kOodColumn = "ood";
bool is_shifted(const SampleRecord& record);

inline constexpr double kConfident = 0.8;
inline constexpr int kScoreDigits = 9;
inline constexpr int kTokenDigits = 5;
inline constexpr int kBoxDigits = 6;

// One line without its line end.
std::string to_json_line(const SampleRecord& record);
// Strict: an unknown key, a missing one, a wrong type or lengths that contradict each other is an error naming `name`
// and `line`.
Result<SampleRecord> parse_record(std::string_view text, std::string_view name, int64_t line);

Result<std::vector<SampleRecord>> parse_records(std::string_view text, std::string_view name);
Result<std::vector<SampleRecord>> read_records(const std::filesystem::path& path);
std::string format_records(std::span<const SampleRecord> records);

}  // namespace halftone
