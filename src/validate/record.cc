// SPDX-License-Identifier: Apache-2.0
#include "validate/record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/utf8.h"
#include "validate/text.h"

namespace halftone {
namespace {

using json = nlohmann::ordered_json;  // slices keep their order

// Reads the fields of one object and remembers which ones it was asked for.
class Fields {
 public:
  Fields(json object, std::string_view name, int64_t line) : object_(std::move(object)), name_(name), line_(line) {}

  const Status& status() const { return status_; }
  // The first problem is the one reported.
  void note(std::string_view key, std::string_view problem) {
    if (status_.ok()) status_ = invalid_input("{}:{}: {}: {}", name_, line_, key, problem);
  }
  Status fail(std::string_view key, std::string_view problem) {
    note(key, problem);
    return status_;
  }

  void text(const char* key, std::string& value) {
    if (const json* found = find(key, json::value_t::string)) value = found->get_ref<const std::string&>();
  }
  void count(const char* key, int64_t& value) {
    const json* found = find(key, json::value_t::number_unsigned);
    if (found == nullptr) return;
    value = found->get<int64_t>();
    if (value < 0 || value > (int64_t{1} << 40)) note(key, "expected a count below 2^40");
  }
  void number(const char* key, double& value) {
    const auto found = object_.find(key);
    asked_.emplace_back(key);
    if (found == object_.end() || !found->is_number())
      note(key, "expected a number");
    else
      value = found->get<double>();
  }
  void numbers(const char* key, std::vector<double>& values) {
    const json* found = find(key, json::value_t::array);
    if (found == nullptr) return;
    values.reserve(found->size());
    for (const json& value : *found) {
      if (!value.is_number()) {
        note(key, "expected a list of numbers");
        return;
      }
      values.push_back(value.get<double>());
    }
  }
  void texts(const char* key, std::vector<std::string>& values) {
    const json* found = find(key, json::value_t::array);
    if (found == nullptr) return;
    for (const json& value : *found) {
      if (!value.is_string()) {
        note(key, "expected a list of texts");
        return;
      }
      values.push_back(value.get_ref<const std::string&>());
    }
  }
  void pairs(const char* key, std::vector<std::pair<std::string, std::string>>& values) {
    const json* found = find(key, json::value_t::object);
    if (found == nullptr) return;
    for (const auto& [column, value] : found->items()) {
      if (!value.is_string()) {
        note(key, "expected texts");
        return;
      }
      values.emplace_back(column, value.get_ref<const std::string&>());
    }
  }
  Fields object(const char* key) {
    const json* found = find(key, json::value_t::object);
    return Fields(found == nullptr ? json::object() : *found, name_, line_);
  }
  // A key that nobody asked for is an error.
  Status finish() {
    if (!status_.ok() || object_.size() == asked_.size()) return status_;
    for (const auto& [key, value] : object_.items()) {
      if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) return fail(key, "expected no such key");
    }
    return status_;
  }

 private:
  const json* find(const char* key, json::value_t type) {
    const auto found = object_.find(key);
    asked_.emplace_back(key);
    if (found != object_.end() && found->type() == type) return &*found;
    note(key, found == object_.end() ? "expected this key, got none" : "got the wrong type of value");
    return nullptr;
  }

  json object_;
  std::string_view name_;
  int64_t line_;
  std::vector<std::string_view> asked_;
  Status status_;
};

json slices_json(const SampleRecord& record) {
  json slices = json::object();
  for (const auto& [column, value] : record.slices) slices[column] = value;
  return slices;
}

void read_divergence(Fields& fields, SampleRecord& record) {
  fields.numbers("kl", record.kl);
  fields.numbers("probability_change", record.probability_change);
  fields.count("same_top", record.same_top);
  fields.count("confident_tokens", record.confident_tokens);
  fields.count("confident_flips", record.confident_flips);
  Fields worst = fields.object("worst");
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
Status consistent(const SampleRecord& record, Fields& fields) {
  if (!fields.status().ok()) return fields.status();
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

Status read_labels(Fields& fields, SampleRecord& record) {
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
  bool known = false;
  for (const Task one : {Task::perplexity, Task::divergence, Task::choices, Task::classify}) {
    if (task == task_name(one)) record.task = one, known = true;
  }
  if (!known) return fields.fail("task", "expected perplexity, divergence, choices or classify");
  const Result<Split> parsed = parse_split(split);
  if (!parsed.ok()) return fields.fail("split", parsed.status().message());
  record.split = *parsed;
  return {};
}

}  // namespace

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
  if (has_answers(record.task)) {
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
  Fields fields(std::move(parsed), name, line);
  SampleRecord record;
  HALFTONE_TRY(read_labels(fields, record));
  if (has_answers(record.task)) {
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
