// SPDX-License-Identifier: Apache-2.0
#include "validate/record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/utf8.h"
#include "validate/record_fields.h"
#include "validate/tasks/network_task.h"
#include "validate/text.h"

namespace halftone {
namespace {

using json = nlohmann::ordered_json;  // slices keep their order

json slices_json(const SampleRecord& record) {
  json slices = json::object();
  for (const auto& [column, value] : record.slices) slices[column] = value;
  return slices;
}

void read_divergence(RecordFields& fields, SampleRecord& record) {
  fields.numbers("kl", record.kl);
  fields.numbers("probability_change", record.probability_change);
  fields.count("same_top", record.same_top);
  fields.count("confident_tokens", record.confident_tokens);
  fields.count("confident_flips", record.confident_flips);
  RecordFields worst = fields.object("worst");
  worst.text("before", record.worst.before);
  worst.text("token", record.worst.token);
  worst.text("reference", record.worst.reference);
  worst.text("candidate", record.worst.candidate);
  worst.number("kl", record.worst.kl);
  if (const Status status = worst.finish(); !status.ok()) fields.note("worst", status.message());
  fields.count("answer_tokens", record.answer_tokens);
  fields.count("answer_same_tokens", record.answer_same_tokens);
  fields.text("reference_answer", record.reference_answer);
}

// Lengths that must agree before anything computes with them.
Status consistent(const SampleRecord& record, RecordFields& fields) {
  if (!fields.status().ok()) return fields.status();
  if (network_task(record.task) != nullptr) return {};  // its own reader checked
  if (has_answers(record.task)) {
    const size_t count = record.choices.size();
    if (count < 2 || record.reference_scores.size() != count || record.candidate_scores.size() != count)
      return fields.fail("choices", "expected 2 or more, with a reference and a candidate score each");
    if (record.answer >= static_cast<int64_t>(count)) return fields.fail("answer", "expected the index of a choice");
    return {};
  }
  const size_t tokens = static_cast<size_t>(record.tokens);
  if (tokens == 0) return fields.fail("tokens", "expected at least 1");
  if (record.task == Task::perplexity) return {};
  if (record.kl.size() != tokens || record.probability_change.size() != tokens)
    return fields.fail("kl", "expected one value per token, like probability_change");
  if (record.same_top > record.tokens) return fields.fail("same_top", "expected at most the number of tokens");
  if (record.confident_tokens > record.tokens)
    return fields.fail("confident_tokens", "expected at most the number of tokens");
  if (record.confident_flips > record.confident_tokens)
    return fields.fail("confident_flips", "expected at most confident_tokens");
  if (record.answer_same_tokens > record.answer_tokens)
    return fields.fail("answer_same_tokens", "expected at most answer_tokens");
  return {};
}

Status read_labels(RecordFields& fields, SampleRecord& record) {
  std::string task, split;
  fields.text("suite", record.suite);
  fields.text("task", task);
  fields.text("id", record.id);
  fields.text("group", record.group);
  fields.text("split", split);
  fields.text("candidate", record.candidate);
  fields.pairs("slices", record.slices);
  fields.text("text", record.text);
  HALFTONE_TRY(fields.status());
  const Result<Task> known = parse_task(task);
  if (!known.ok()) return fields.fail("task", known.status().message());
  record.task = *known;
  const Result<Split> parsed = parse_split(split);
  if (!parsed.ok()) return fields.fail("split", parsed.status().message());
  record.split = *parsed;
  return {};
}

}  // namespace

bool is_shifted(const SampleRecord& record) {
  return record.task == Task::classify && std::any_of(record.slices.begin(), record.slices.end(),
                                                      [](const auto& slice) { return slice.first == kOodColumn; });
}

std::string to_json_line(const SampleRecord& record) {
  json line;
  line["suite"] = record.suite;
  line["task"] = task_name(record.task);
  line["id"] = record.id;
  line["group"] = record.group;
  line["split"] = split_name(record.split);
  line["candidate"] = record.candidate;
  line["slices"] = slices_json(record);
  line["text"] = record.text;
  if (const NetworkTask* task = network_task(record.task)) {
    task->write(record, line);
  } else if (has_answers(record.task)) {
    line["choices"] = record.choices;
    line["answer"] = record.answer;
    line["reference_scores"] = record.reference_scores;
    line["candidate_scores"] = record.candidate_scores;
  } else {
    line["tokens"] = record.tokens;
    line["reference_log_probability"] = record.reference_log_probability;
    line["candidate_log_probability"] = record.candidate_log_probability;
  }
  if (record.task == Task::divergence) {
    line["kl"] = record.kl;
    line["probability_change"] = record.probability_change;
    line["same_top"] = record.same_top;
    line["confident_tokens"] = record.confident_tokens;
    line["confident_flips"] = record.confident_flips;
    line["worst"] = {{"before", record.worst.before},
                     {"token", record.worst.token},
                     {"reference", record.worst.reference},
                     {"candidate", record.worst.candidate},
                     {"kl", record.worst.kl}};
    line["answer_tokens"] = record.answer_tokens;
    line["answer_same_tokens"] = record.answer_same_tokens;
    line["reference_answer"] = record.reference_answer;
  }
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<SampleRecord> parse_record(std::string_view text, std::string_view name, int64_t line) {
  if (first_invalid_utf8(text)) return invalid_input("{}:{}: expected UTF-8, got other bytes", name, line);
  json parsed = json::parse(text.begin(), text.end(), nullptr, false);
  if (!parsed.is_object()) return invalid_input("{}:{}: expected one JSON object, got something else", name, line);
  RecordFields fields(std::move(parsed), name, line);
  SampleRecord record;
  HALFTONE_TRY(read_labels(fields, record));
  if (const NetworkTask* task = network_task(record.task)) {
    task->read(fields, record);
  } else if (has_answers(record.task)) {
    fields.texts("choices", record.choices);
    fields.count("answer", record.answer);
    fields.numbers("reference_scores", record.reference_scores);
    fields.numbers("candidate_scores", record.candidate_scores);
  } else {
    fields.count("tokens", record.tokens);
    fields.number("reference_log_probability", record.reference_log_probability);
    fields.number("candidate_log_probability", record.candidate_log_probability);
  }
  if (record.task == Task::divergence) read_divergence(fields, record);
  HALFTONE_TRY(consistent(record, fields));
  HALFTONE_TRY(fields.finish());
  return record;
}

Result<std::vector<SampleRecord>> parse_records(std::string_view text, std::string_view name) {
  std::vector<SampleRecord> records;
  int64_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    ++line;
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end == text.size())
      return invalid_input("{}:{}: expected a line end, got the end of the file; the file was cut short", name, line);
    HALFTONE_ASSIGN(SampleRecord record, parse_record(text.substr(begin, end - begin), name, line));
    records.push_back(std::move(record));
    begin = end + 1;
  }
  if (records.empty()) return invalid_input("{}: expected at least one sample, got an empty file", name);
  return records;
}

Result<std::vector<SampleRecord>> read_records(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const std::string text, read_text_file(path));
  return parse_records(text, path.string());
}

std::string format_records(std::span<const SampleRecord> records) {
  std::string text;
  for (const SampleRecord& record : records) text += to_json_line(record) + '\n';
  return text;
}

}  // namespace halftone
