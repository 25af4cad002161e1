// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/hash.h"
#include "base/numbers.h"
#include "base/utf8.h"
#include "validate/csv.h"
#include "validate/sample_file.h"
#include "validate/suite.h"
#include "validate/tasks/network_task.h"
#include "validate/text.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxClasses = 100'000;

// One row of either format, before it is checked.
struct RawSample {
  int64_t line = 0;
  std::string question;
  std::vector<std::string> choices;
  std::string answer;
  std::map<std::string, std::string> others;
};

struct Checked {
  ChoiceSample sample;
  bool own_id = false;  // from the file's id column
};

Result<int64_t> answer_index(const RawSample& raw, const std::string& file) {
  const int64_t count = static_cast<int64_t>(raw.choices.size());
  int64_t index = -1;
  if (raw.answer.size() == 1 && raw.answer[0] >= 'A' && raw.answer[0] <= 'Z')
    index = raw.answer[0] - 'A';
  else if (const auto number = parse_integer(raw.answer))
    index = *number;
  if (index < 0 || index >= count)
    return invalid_input("{}:{}: answer: expected an index from 0 to {} or a letter from A to {}, got \"{}\"", file,
                         raw.line, count - 1, static_cast<char>('A' + count - 1), raw.answer);
  return index;
}

Result<std::string> other_column(const RawSample& raw, const std::string& column, const std::string& file) {
  const auto found = raw.others.find(column);
  if (found == raw.others.end())
    return invalid_input("{}:{}: expected the column \"{}\" that the suite names, got none; add it or change the suite",
                         file, raw.line, column);
  if (found->second.empty())
    return invalid_input("{}:{}: {}: expected a value, got an empty one; every sample needs it", file, raw.line,
                         column);
  return found->second;
}

// Group, id and slices from the columns that the suite names.
Status set_columns(const RawSample& raw, const SuiteSpec& spec, const std::string& file, Checked& result) {
  if (!spec.group.empty()) {
    HALFTONE_ASSIGN(result.sample.group, other_column(raw, spec.group, file));
  }
  result.own_id = raw.others.count("id") != 0;
  if (result.own_id) {
    HALFTONE_ASSIGN(result.sample.id, other_column(raw, "id", file));
  }
  for (const std::string& column : spec.slices) {
    HALFTONE_ASSIGN(std::string value, other_column(raw, column, file));
    result.sample.slices.emplace_back(column, std::move(value));
  }
  return {};
}

// The number of a class, by number or by name.
Result<int64_t> class_index(const RawSample& raw, const std::vector<std::string>& labels, const std::string& file) {
  const auto named = std::find(labels.begin(), labels.end(), raw.answer);
  if (named != labels.end()) return static_cast<int64_t>(named - labels.begin());
  const auto number = parse_integer(raw.answer);
  const int64_t most = labels.empty() ? kMaxClasses : static_cast<int64_t>(labels.size());
  if (number && *number >= 0 && *number < most) return *number;
  return invalid_input("{}:{}: label: expected a number from 0 to {}{}, got \"{}\"", file, raw.line, most - 1,
                       labels.empty() ? " (the suite's `labels` file would give names)" : " or a name of a class",
                       raw.answer);
}

// One name per line, each once.
Result<std::vector<std::string>> read_labels(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const std::string text, read_text_file(path));
  if (first_invalid_utf8(text)) return invalid_input("{}: expected UTF-8, got other bytes", path.string());
  std::vector<std::string> labels;
  std::set<std::string> seen;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string label = text.substr(begin, end - begin);
    begin = end + 1;
    if (label.ends_with('\r')) label.pop_back();
    if (label.empty() || !seen.insert(label).second)
      return invalid_input("{}:{}: expected the name of a class, each once, got \"{}\"", path.string(),
                           labels.size() + 1, label);
    labels.push_back(std::move(label));
  }
  if (labels.size() < 2 || labels.size() > kMaxClasses)
    return invalid_input("{}: expected 2 to {} names, got {}", path.string(), kMaxClasses, labels.size());
  return labels;
}

Result<Checked> checked(RawSample raw, const SuiteSpec& spec, const std::string& file) {
  Checked result;
  ChoiceSample& sample = result.sample;
  sample.line = raw.line;
  if (raw.question.empty()) return invalid_input("{}:{}: question: expected text, got none", file, raw.line);
  if (raw.choices.size() < 2 || raw.choices.size() > 26)
    return invalid_input("{}:{}: expected 2 to 26 choices, got {}", file, raw.line, raw.choices.size());
  std::string content = raw.question;
  for (size_t i = 0; i < raw.choices.size(); ++i) {
    if (raw.choices[i].empty()) return invalid_input("{}:{}: choice {}: expected text, got none", file, raw.line, i);
    content += '\x1f' + raw.choices[i];
  }
  HALFTONE_ASSIGN(sample.answer, answer_index(raw, file));
  const std::string digest = sha256_hex(content).substr(0, 16);
  sample.id = sample.group = digest;  // a repeated question belongs to itself
  HALFTONE_TRY(set_columns(raw, spec, file, result));
  sample.question = std::move(raw.question);
  sample.choices = std::move(raw.choices);
  return result;
}

// Own ids must differ; repeated questions get "-2", "-3" in file order.
Result<std::vector<ChoiceSample>> named_apart(std::vector<Checked> rows, const std::string& file) {
  std::map<std::string, int64_t> seen;
  std::vector<ChoiceSample> samples;
  samples.reserve(rows.size());
  for (Checked& row : rows) {
    const int64_t times = ++seen[row.sample.id];
    if (times > 1 && row.own_id)
      return invalid_input("{}:{}: id: expected each id once, got \"{}\" again", file, row.sample.line, row.sample.id);
    if (times > 1) row.sample.id += fmt::format("-{}", times);
    samples.push_back(std::move(row.sample));
  }
  return samples;
}

// Names of the choice columns: choice0, choice1, ... or A, B, ...
std::vector<std::string> choice_columns(const CsvTable& table) {
  std::vector<std::string> names;
  const bool letters = !table.column("choice0");
  for (int i = 0; i < 26; ++i) {
    std::string name = letters ? std::string(1, static_cast<char>('A' + i)) : fmt::format("choice{}", i);
    if (!table.column(name)) break;
    names.push_back(std::move(name));
  }
  return names;
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_primitive() && !value.is_null() ? value.dump() : "";
}

Result<RawSample> raw_from_json(const Json& row, const std::string& file, int64_t line) {
  if (!row.is_object()) return invalid_input("{}:{}: expected an object, got {}", file, line, row.type_name());
  RawSample raw;
  raw.line = line;
  for (const char* key : {"question", "choices", "answer"})
    if (!row.contains(key)) return invalid_input("{}:{}: expected the key \"{}\", got none", file, line, key);
  if (!row["question"].is_string())
    return invalid_input("{}:{}: question: expected text, got {}", file, line, row["question"].type_name());
  raw.question = row["question"].get<std::string>();
  if (!row["choices"].is_array())
    return invalid_input("{}:{}: choices: expected a list, got {}", file, line, row["choices"].type_name());
  for (const Json& choice : row["choices"]) {
    if (!choice.is_string())
      return invalid_input("{}:{}: choices: expected texts, got {}", file, line, choice.type_name());
    raw.choices.push_back(choice.get<std::string>());
  }
  raw.answer = scalar_text(row["answer"]);
  for (const auto& [key, value] : row.items())
    if (key != "question" && key != "choices" && key != "answer") raw.others[key] = scalar_text(value);
  return raw;
}

}  // namespace

Result<std::vector<ChoiceSample>> parse_choices_csv(std::string_view text, const SuiteSpec& spec) {
  const std::string file = spec.file.string();
  HALFTONE_ASSIGN(const CsvTable table, parse_csv(text, file));
  const std::vector<std::string> names = choice_columns(table);
  const auto question = table.column("question"), answer = table.column("answer");
  if (!question || !answer || names.size() < 2)
    return invalid_input("{}:1: expected the columns question, choice0, choice1, ... (or A, B, ...) and answer, got {}",
                         file, fmt::join(table.header, ", "));
  std::set<size_t> used = {*question, *answer};
  for (const std::string& name : names) used.insert(*table.column(name));
  std::vector<Checked> samples;
  for (const CsvRow& row : table.rows) {
    RawSample raw;
    raw.line = row.line;
    raw.question = row.fields[*question];
    raw.answer = row.fields[*answer];
    for (const std::string& name : names) raw.choices.push_back(row.fields[*table.column(name)]);
    for (size_t i = 0; i < row.fields.size(); ++i)
      if (used.count(i) == 0) raw.others[table.header[i]] = row.fields[i];
    HALFTONE_ASSIGN(Checked sample, checked(std::move(raw), spec, file));
    samples.push_back(std::move(sample));
  }
  return named_apart(std::move(samples), file);
}

Result<std::vector<ChoiceSample>> parse_choices_jsonl(std::string_view text, const SuiteSpec& spec) {
  const std::string file = spec.file.string();
  std::vector<Checked> samples;
  int64_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    ++line;
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = text.substr(begin, end - begin);
    begin = end + 1;
    if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (first_invalid_utf8(row))
      return invalid_input("{}:{}: expected UTF-8, got other bytes; convert the file", file, line);
    const Json parsed = Json::parse(row.begin(), row.end(), nullptr, false);
    if (parsed.is_discarded())
      return invalid_input("{}:{}: expected one JSON object per line, got invalid JSON", file, line);
    HALFTONE_ASSIGN(RawSample raw, raw_from_json(parsed, file, line));
    HALFTONE_ASSIGN(Checked sample, checked(std::move(raw), spec, file));
    samples.push_back(std::move(sample));
  }
  if (samples.empty()) return invalid_input("{}: expected at least one question, got an empty file", file);
  return named_apart(std::move(samples), file);
}

Result<std::vector<TextDocument>> parse_documents(std::string_view text, const SuiteSpec& spec) {
  const std::string file = spec.file.string();
  if (const auto bad = first_invalid_utf8(text))
    return invalid_input("{}:{}: expected UTF-8, got the byte 0x{:02x}; convert the file", file, line_of(text, *bad),
                         static_cast<unsigned char>(text[*bad]));
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  const auto blank = [](std::string_view part) { return part.find_first_not_of(" \t\r\n") == std::string_view::npos; };
  if (blank(text)) return invalid_input("{}: expected text, got an empty file", file);
  if (!spec.documents) return std::vector<TextDocument>{{1, std::string(text)}};
  std::vector<TextDocument> documents;
  bool open = false;
  int64_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    ++line;
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = text.substr(begin, end - begin);
    begin = end + 1;
    if (blank(row)) {
      open = false;
      continue;
    }
    if (!open) documents.push_back({line, ""});
    open = true;
    documents.back().text += std::string(row) + '\n';
  }
  return documents;
}

namespace {

// What is right about a sample, as its task reads it.
Status set_target(const RawSample& raw, const SuiteSpec& spec, const std::vector<std::string>& labels,
                  const std::string& file, ChoiceSample& sample) {
  const NetworkTask* task = network_task(spec.task);
  if (task == nullptr) {
    HALFTONE_ASSIGN(sample.answer, class_index(raw, labels, file));
    return {};
  }
  const Status status = task->parse_target(raw.answer, raw.others, sample);
  return status.ok() ? status : Status(status.code(), fmt::format("{}:{}: {}", file, raw.line, status.message()));
}

}  // namespace

Result<std::vector<ChoiceSample>> parse_network_csv(std::string_view text, const SuiteSpec& spec,
                                                    const std::vector<std::string>& labels) {
  const std::string file = spec.file.string();
  HALFTONE_ASSIGN(const CsvTable table, parse_csv(text, file));
  const NetworkTask* task = network_task(spec.task);
  const std::string_view column = task == nullptr ? "label" : task->column;
  const auto path = table.column("path"), target = table.column(column);
  if (!path || !target)
    return invalid_input("{}:1: expected the columns path and {}, got {}", file, column, fmt::join(table.header, ", "));
  std::vector<Checked> samples;
  for (const CsvRow& row : table.rows) {
    RawSample raw;
    raw.line = row.line;
    raw.question = row.fields[*path];
    raw.answer = row.fields[*target];
    for (size_t i = 0; i < row.fields.size(); ++i)
      if (i != *path && i != *target) raw.others[table.header[i]] = row.fields[i];
    if (raw.question.empty()) return invalid_input("{}:{}: path: expected a file, got nothing", file, row.line);
    Checked one;
    one.sample.line = raw.line;
    HALFTONE_TRY(set_target(raw, spec, labels, file, one.sample));
    one.sample.id = one.sample.group = raw.question;
    HALFTONE_TRY(set_columns(raw, spec, file, one));
    one.sample.question = std::move(raw.question);
    samples.push_back(std::move(one));
  }
  return named_apart(std::move(samples), file);
}

namespace {

// The hash covers the list and every file that it names.
Result<Suite> load_samples(const std::string& list, Suite suite) {
  if (!suite.spec.labels.empty()) {
    HALFTONE_ASSIGN(suite.labels, read_labels(suite.spec.labels));
  }
  HALFTONE_ASSIGN(suite.choices, parse_network_csv(list, suite.spec, suite.labels));
  std::string hashes = suite.file_sha256 + "\n";
  std::map<std::filesystem::path, std::string> known;  // rows of one file name it often
  for (const ChoiceSample& sample : suite.choices) {
    std::string& hash = known[sample_file(suite.spec.file.parent_path(), sample.question).path];
    if (hash.empty()) {
      const auto map = FileMap::open(sample_file(suite.spec.file.parent_path(), sample.question).path);
      if (!map.ok())
        return invalid_input("{}:{}: path: {}", suite.spec.file.string(), sample.line, map.status().message());
      hash = sha256_hex((*map)->bytes());
    }
    hashes += hash + "\n";
  }
  suite.file_sha256 = sha256_hex(hashes);
  return suite;
}

}  // namespace

Result<Suite> load_suite_data(SuiteSpec spec) {
  Suite suite;
  suite.spec = std::move(spec);
  const std::filesystem::path& file = suite.spec.file;
  HALFTONE_ASSIGN(const std::string text, read_text_file(file));
  suite.file_sha256 = sha256_hex(text);
  if (is_of_network(suite.spec.task)) return load_samples(text, std::move(suite));
  if (suite.spec.task != Task::choices) {
    HALFTONE_ASSIGN(suite.documents, parse_documents(text, suite.spec));
    return suite;
  }
  const std::string extension = file.extension().string();
  if (extension == ".csv") {
    HALFTONE_ASSIGN(suite.choices, parse_choices_csv(text, suite.spec));
  } else if (extension == ".jsonl") {
    HALFTONE_ASSIGN(suite.choices, parse_choices_jsonl(text, suite.spec));
  } else {
    return invalid_input("{}: expected a .csv or .jsonl file of questions, got \"{}\"", file.string(), extension);
  }
  return suite;
}

}  // namespace halftone
