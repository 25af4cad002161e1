// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "validate/keep_lowest.h"
#include "validate/score.h"
#include "validate/tasks/network_task.h"
#include "validate/text.h"

namespace halftone {
namespace {

constexpr size_t kExcerptBytes = 300;
constexpr size_t kChoiceBytes = 80;
constexpr int64_t kDefaultWindow = 512;
constexpr size_t kMostClassSlices = 100;
// Logit rows padded for alignment are common (a few hundred); more means that the tokenizer is another model's.
constexpr int64_t kMaxPaddingRows = 512;

Status check_tokenizer(const Scorer& scorer, std::string_view who) {
  const int64_t tokens = scorer.tokenizer_size(), rows = scorer.vocabulary();
  if (tokens <= rows && rows - tokens <= kMaxPaddingRows) return {};
  return invalid_input(
      "[validate] the {}: expected a tokenizer for its {} logits, got one of {} tokens; it belongs to "
      "another model",
      who, rows, tokens);
}

Status check_tokens(std::span<const int> tokens, const Scorer& scorer, std::string_view where) {
  for (const int token : tokens)
    if (token < 0 || token >= scorer.vocabulary())
      return invalid_input("[validate] {}: expected token ids below {}, got {}", where, scorer.vocabulary(), token);
  return {};
}

std::string prompt_of(const ChoiceSample& sample, const SuiteSpec& spec) {
  std::string lettered;
  for (size_t i = 0; i < sample.choices.size(); ++i)
    lettered += fmt::format("{}{}. {}", i == 0 ? "" : "\n", static_cast<char>('A' + i), sample.choices[i]);
  // The marks are found in the template alone, never in what was filled in.
  std::string prompt;
  std::string_view rest = spec.prompt;
  while (!rest.empty()) {
    const size_t question = rest.find("{question}"), choices = rest.find("{choices}");
    const size_t next = std::min(question, choices);
    if (next == std::string_view::npos) break;
    prompt += rest.substr(0, next);
    prompt += next == question ? sample.question : lettered;
    rest.remove_prefix(next + (next == question ? 10 : 9));
  }
  return prompt + std::string(rest);
}

// Tokenizes prompt + choice as one text, so that merges across the seam are the model's own; the prefix is what the
// prompt and all of them share.
Result<ChoiceItem> choice_item(const ChoiceSample& sample, const SuiteSpec& spec, Scorer& scorer) {
  const std::string prompt = prompt_of(sample, spec);
  const std::string where = fmt::format("{}:{}", spec.file.string(), sample.line);
  HALFTONE_ASSIGN(const std::vector<int> alone, scorer.tokenize(prompt, spec.bos));
  size_t shared = alone.size();
  std::vector<std::vector<int>> wholes;
  for (size_t i = 0; i < sample.choices.size(); ++i) {
    const std::string continuation =
        spec.scoring == Scoring::letter ? std::string(1, static_cast<char>('A' + i)) : sample.choices[i];
    HALFTONE_ASSIGN(std::vector<int> whole, scorer.tokenize(prompt + " " + continuation, spec.bos));
    HALFTONE_TRY(check_tokens(whole, scorer, where));
    if (static_cast<int64_t>(whole.size()) > scorer.context())
      return invalid_input(
          "{}: expected a prompt and answer of at most {} tokens (the model's context), got {}; shorten "
          "the question or remove it",
          where, scorer.context(), whole.size());
    const auto end = alone.begin() + static_cast<std::ptrdiff_t>(std::min(shared, whole.size()));
    shared = static_cast<size_t>(std::mismatch(alone.begin(), end, whole.begin()).first - alone.begin());
    wholes.push_back(std::move(whole));
  }
  for (const auto& whole : wholes) shared = std::min(shared, whole.size() - std::min<size_t>(whole.size(), 1));
  if (shared == 0)
    return invalid_input("{}: expected a prompt of at least one token, got none; use bos: true or a longer template",
                         where);
  ChoiceItem item;
  const auto cut = static_cast<std::ptrdiff_t>(shared);
  item.prefix.assign(wholes[0].begin(), wholes[0].begin() + cut);
  for (const auto& whole : wholes) item.continuations.emplace_back(whole.begin() + cut, whole.end());
  return item;
}

SampleRecord labels(const PreparedSuite& prepared, std::string id, std::string group) {
  SampleRecord record;
  record.suite = prepared.spec.name;
  record.task = prepared.spec.task;
  record.split = prepared.split;
  record.id = std::move(id);
  record.group = std::move(group);
  return record;
}

bool in_split(const PreparedSuite& prepared, const std::string& group) {
  return prepared.split == Split::all || split_of(group, prepared.decide_fraction) == prepared.split;
}

// The labelled samples of this part of the split.
Result<std::vector<ChoiceSample>> part_of(const Suite& suite, const PreparedSuite& prepared) {
  std::vector<ChoiceSample> samples;
  std::set<std::pair<std::string, std::string>> strata, filled;
  for (const ChoiceSample& sample : suite.choices) {
    strata.insert(sample.slices.begin(), sample.slices.end());
    if (in_split(prepared, sample.group)) samples.push_back(sample);
  }
  keep_lowest(samples, suite.spec.max_samples, [](const ChoiceSample& sample) { return sample.id; });
  for (const ChoiceSample& sample : samples) filled.insert(sample.slices.begin(), sample.slices.end());
  for (const auto& [column, value] : strata)
    if (!samples.empty() && filled.count({column, value}) == 0)
      return invalid_input("{}: expected samples with {} = {} in the {} part, got none; add samples or drop the slice",
                           suite.spec.file.string(), column, value, split_name(prepared.split));
  return samples;
}

Status prepare_choices(const Suite& suite, Scorer& scorer, PreparedSuite& prepared) {
  HALFTONE_ASSIGN(const std::vector<ChoiceSample> samples, part_of(suite, prepared));
  for (const ChoiceSample& sample : samples) {
    HALFTONE_ASSIGN(ChoiceItem item, choice_item(sample, suite.spec, scorer));
    SampleRecord record = labels(prepared, sample.id, sample.group);
    record.slices = sample.slices;
    record.text = excerpt(sample.question, kExcerptBytes);
    for (const std::string& choice : sample.choices) record.choices.push_back(excerpt(choice, kChoiceBytes));
    record.answer = sample.answer;
    prepared.items.push_back(std::move(item));
    prepared.samples.push_back(std::move(record));
  }
  return {};
}

// How many classes there are is asked of the model, with the first sample.
Status name_classes(const Suite& suite, Classifier& classifier, PreparedSuite& prepared) {
  if (prepared.files.empty()) return {};
  HALFTONE_ASSIGN(const SeenSample first, SampleReader(prepared.input, prepared.input_shape).read(prepared.files[0]));
  HALFTONE_ASSIGN(const std::vector<double> scores, classifier.log_probabilities(first.values));
  prepared.labels = suite.labels;
  if (prepared.labels.empty())
    for (size_t i = 0; i < scores.size(); ++i) prepared.labels.push_back(std::to_string(i));
  if (prepared.labels.size() != scores.size())
    return invalid_input("{}: expected a name for each of the model's {} classes, got {}", suite.spec.labels.string(),
                         scores.size(), prepared.labels.size());
  return {};
}

// A class is a slice like any other, unless there are too many to read.
Status begin_class(const Suite& suite, const ChoiceSample& sample, const PreparedSuite& prepared,
                   SampleRecord& record) {
  if (sample.answer >= static_cast<int64_t>(prepared.labels.size()))
    return invalid_input("{}:{}: label: expected a class below {}, as the model has, got {}", suite.spec.file.string(),
                         sample.line, prepared.labels.size(), sample.answer);
  if (prepared.labels.size() <= kMostClassSlices)
    record.slices.emplace_back("class", prepared.labels[static_cast<size_t>(sample.answer)]);
  record.answer = sample.answer;
  return {};
}

// Behind the samples themselves, one copy of each per shift.
void add_shifted(PreparedSuite& prepared) {
  const size_t count = prepared.samples.size();
  for (size_t i = 0; i < count; ++i)
    for (const Shift shift : kShifts) {
      SampleRecord record = prepared.samples[i];
      record.id += fmt::format("~{}", shift_name(shift));
      record.slices.emplace_back(kOodColumn, shift_name(shift));
      SampleFile file = prepared.files[i];
      file.shift = shift;
      file.seed = stable_hash64(record.id);
      prepared.samples.push_back(std::move(record));
      prepared.files.push_back(std::move(file));
    }
}

Status prepare_network(const Suite& suite, Classifier& classifier, PreparedSuite& prepared) {
  HALFTONE_ASSIGN(const std::vector<ChoiceSample> samples, part_of(suite, prepared));
  for (const ChoiceSample& sample : samples)
    prepared.files.push_back(sample_file(suite.spec.file.parent_path(), sample.question));
  prepared.input = suite.spec.input;
  prepared.input_shape = classifier.input_shape();
  if (prepared.input == InputFormat()) {
    HALFTONE_ASSIGN(prepared.input, classifier.own_input());
  }
  const NetworkTask* task = network_task(suite.spec.task);
  if (task == nullptr) HALFTONE_TRY(name_classes(suite, classifier, prepared));
  for (const ChoiceSample& sample : samples) {
    SampleRecord record = labels(prepared, sample.id, sample.group);
    record.slices = sample.slices;
    record.text = excerpt(sample.question, kExcerptBytes);
    if (task != nullptr)
      task->begin(sample, suite, record);
    else
      HALFTONE_TRY(begin_class(suite, sample, prepared, record));
    prepared.samples.push_back(std::move(record));
  }
  if (suite.spec.ood) add_shifted(prepared);
  return {};
}

struct Window {
  std::vector<int> tokens;
  std::string id, group;
};

// Windows of `size` tokens, BOS first in each; what is left at the end of a document is a shorter one.
Status cut_windows(const TextDocument& document, const Suite& suite, Scorer& scorer, int64_t size,
                   std::vector<Window>& out) {
  HALFTONE_ASSIGN(const std::vector<int> tokens, scorer.tokenize(document.text, false));
  const std::string where = fmt::format("{}:{}", suite.spec.file.string(), document.line);
  HALFTONE_TRY(check_tokens(tokens, scorer, where));
  std::vector<int> start;
  if (suite.spec.bos) {
    HALFTONE_ASSIGN(start, scorer.tokenize("", true));
  }
  const int64_t room = size - static_cast<int64_t>(start.size());
  const std::string group = suite.spec.documents ? sha256_hex(document.text).substr(0, 16) : "";
  for (size_t begin = 0; begin < tokens.size(); begin += static_cast<size_t>(room)) {
    const size_t end = std::min(tokens.size(), begin + static_cast<size_t>(room));
    Window window{start, "", group};
    window.tokens.insert(window.tokens.end(), tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                         tokens.begin() + static_cast<std::ptrdiff_t>(end));
    if (window.tokens.size() < 2) break;  // one token predicts nothing
    window.id = sha256_hex(fmt::format("{}", fmt::join(window.tokens, " "))).substr(0, 16);
    if (window.group.empty()) window.group = window.id;
    out.push_back(std::move(window));
  }
  return {};
}

Status prepare_text(const Suite& suite, Scorer& scorer, PreparedSuite& prepared) {
  const int64_t size = suite.spec.window != 0 ? suite.spec.window : std::min(scorer.context(), kDefaultWindow);
  if (size > scorer.context())
    return invalid_input("{}: window: expected at most {} tokens (the model's context), got {}",
                         suite.spec.file.string(), scorer.context(), size);
  if (size < 4) return invalid_input("{}: window: expected at least 4 tokens, got {}", suite.spec.file.string(), size);
  std::vector<Window> windows;
  for (const TextDocument& document : suite.documents)
    HALFTONE_TRY(cut_windows(document, suite, scorer, size, windows));
  if (windows.empty())
    return invalid_input("{}: expected at least 2 tokens of text, got fewer", suite.spec.file.string());
  std::erase_if(windows, [&](const Window& window) { return !in_split(prepared, window.group); });
  keep_lowest(windows, suite.spec.max_samples, [](const Window& window) { return window.id; });
  std::map<std::string, int> seen;
  for (Window& window : windows) {
    const int times = ++seen[window.id];
    SampleRecord record =
        labels(prepared, times == 1 ? window.id : fmt::format("{}-{}", window.id, times), window.group);
    std::string text;
    for (const int token : std::span(window.tokens).subspan(suite.spec.bos ? 1 : 0)) {
      text += scorer.piece(token);
      if (text.size() > kExcerptBytes) break;
    }
    record.text = excerpt(valid_utf8(text), kExcerptBytes);
    record.tokens = static_cast<int64_t>(window.tokens.size()) - 1;
    prepared.windows.push_back(std::move(window.tokens));
    prepared.samples.push_back(std::move(record));
  }
  return {};
}

}  // namespace

int64_t PreparedSuite::originals() const {
  return static_cast<int64_t>(samples.size()) - std::count_if(samples.begin(), samples.end(), is_shifted);
}

std::string PreparedSuite::split_hash() const {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n", spec.name, file_sha256, split_name(split), decide_fraction);
  for (const SampleRecord& sample : samples) text += sample.id + '\n';
  return sha256_hex(text);
}

Result<PreparedSuite> prepare_suite(const Suite& suite, Subject& reference, Split split, double decide_fraction) {
  if (split != Split::all && !(decide_fraction > 0 && decide_fraction < 1))
    return invalid_input("[validate] expected a share of samples to decide on between 0 and 1, got {}",
                         decide_fraction);
  PreparedSuite prepared;
  prepared.spec = suite.spec;
  prepared.split = split;
  prepared.decide_fraction = decide_fraction;
  prepared.file_sha256 = suite.file_sha256;
  if (is_of_network(suite.spec.task)) {
    if (reference.classifier() == nullptr)
      return invalid_input("{}: expected a network for the task {}, got a language model", suite.spec.file.string(),
                           task_name(suite.spec.task));
    HALFTONE_TRY(prepare_network(suite, *reference.classifier(), prepared));
  } else {
    if (reference.language_model() == nullptr)
      return invalid_input(
          "{}: expected a language model for the task {}, got a network; networks are scored with "
          "classify, retrieve, regress or detect",
          suite.spec.file.string(), task_name(suite.spec.task));
    Scorer& scorer = *reference.language_model();
    HALFTONE_TRY(check_tokenizer(scorer, "reference"));
    HALFTONE_TRY(suite.spec.task == Task::choices ? prepare_choices(suite, scorer, prepared)
                                                  : prepare_text(suite, scorer, prepared));
  }
  if (prepared.samples.empty())
    return invalid_input(
        "{}: expected samples in the {} part of the split, got none; the suite is too small to be split",
        suite.spec.file.string(), split_name(split));
  return prepared;
}

}  // namespace halftone
