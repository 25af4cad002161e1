// SPDX-License-Identifier: Apache-2.0
#include "validate/suite.h"

#include <algorithm>
#include <array>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/yaml.h"
#include "validate/tasks/network_task.h"

namespace halftone {
namespace {

constexpr std::array<std::string_view, 7> kTaskNames = {"perplexity", "divergence", "choices", "classify",
                                                        "retrieve",   "regress",    "detect"};
constexpr std::array<std::string_view, 3> kSplitNames = {"all", "decide", "confirm"};

// The index of `word` among `names`, or an error that lists them.
template <size_t kSize>
Result<size_t> choice_of(YamlMap& map, std::string_view key, const std::array<std::string_view, kSize>& names,
                         std::optional<std::string> fallback) {
  HALFTONE_ASSIGN(const std::string word, map.text(key, std::move(fallback)));
  const auto found = std::find(names.begin(), names.end(), word);
  if (found == names.end())
    return map.error(key, fmt::format("expected one of {}, got \"{}\"", fmt::join(names, ", "), word));
  return static_cast<size_t>(found - names.begin());
}

Status parse_choice_keys(YamlMap& map, SuiteSpec& spec) {
  HALFTONE_ASSIGN(const size_t scoring, choice_of<2>(map, "scoring", {"answer", "letter"}, "answer"));
  HALFTONE_ASSIGN(const size_t normalize, choice_of<3>(map, "normalize", {"none", "tokens", "bytes"}, "none"));
  spec.scoring = static_cast<Scoring>(scoring);
  spec.normalize = static_cast<Normalize>(normalize);
  const bool letter = spec.scoring == Scoring::letter;
  HALFTONE_ASSIGN(spec.prompt, map.text("prompt", letter ? "{question}\n{choices}\nAnswer:" : "{question}\nAnswer:"));
  const bool shows_choices = spec.prompt.find("{choices}") != std::string::npos;
  if (spec.prompt.find("{question}") == std::string::npos)
    return map.error("prompt", "expected a template with {question}, got none; add it where the question goes");
  if (letter && !shows_choices)
    return map.error("prompt",
                     "expected a template with {choices} for scoring: letter, got none; a letter means nothing "
                     "without the choices");
  if (letter && spec.normalize != Normalize::none)
    return map.error("normalize", "expected none with scoring: letter (every letter is as long); remove it");
  HALFTONE_ASSIGN(spec.group, map.text("group", ""));
  HALFTONE_ASSIGN(spec.slices, map.texts("slices"));
  return {};
}

Status parse_network_keys(YamlMap& map, const std::filesystem::path& folder, SuiteSpec& spec) {
  if (const NetworkTask* task = network_task(spec.task)) {
    if (task->parse_keys != nullptr) HALFTONE_TRY(task->parse_keys(map, spec));
  } else {
    HALFTONE_ASSIGN(const std::string labels, map.text("labels", ""));
    if (!labels.empty()) spec.labels = folder / labels;
    HALFTONE_ASSIGN(spec.ood, map.boolean("ood", false));
  }
  HALFTONE_ASSIGN(YamlMap input, map.map("input"));
  HALFTONE_ASSIGN(spec.input, parse_input(std::move(input)));
  HALFTONE_ASSIGN(spec.group, map.text("group", ""));
  HALFTONE_ASSIGN(spec.slices, map.texts("slices"));
  if (std::find(spec.slices.begin(), spec.slices.end(), kOodColumn) != spec.slices.end())
    return map.error("slices", fmt::format("expected columns other than {}, which `ood: true` makes", kOodColumn));
  return {};
}

Status parse_text_keys(YamlMap& map, SuiteSpec& spec) {
  HALFTONE_ASSIGN(spec.window, map.integer("window", 0));
  if (map.has("window") && spec.window < 2)
    return map.error("window", fmt::format("expected at least 2 tokens, got {}", spec.window));
  HALFTONE_ASSIGN(const size_t documents, choice_of<2>(map, "documents", {"file", "blank_lines"}, "file"));
  spec.documents = documents == 1;
  if (spec.task == Task::divergence) {
    HALFTONE_ASSIGN(spec.answer_tokens, map.integer("answer_tokens", spec.answer_tokens));
    if (spec.answer_tokens < 0)
      return map.error("answer_tokens", fmt::format("expected 0 or more, got {}", spec.answer_tokens));
  }
  return {};
}

}  // namespace

Result<Task> parse_task(std::string_view name) {
  const auto found = std::find(kTaskNames.begin(), kTaskNames.end(), name);
  if (found == kTaskNames.end())
    return invalid_input("expected one of {}, got \"{}\"", fmt::join(kTaskNames, ", "), name);
  return static_cast<Task>(found - kTaskNames.begin());
}

std::string_view task_name(Task task) { return kTaskNames[static_cast<size_t>(task)]; }
std::string_view split_name(Split split) { return kSplitNames[static_cast<size_t>(split)]; }

Result<Split> parse_split(std::string_view name) {
  const auto found = std::find(kSplitNames.begin(), kSplitNames.end(), name);
  if (found == kSplitNames.end()) return invalid_input("expected the split all, decide or confirm, got \"{}\"", name);
  return static_cast<Split>(found - kSplitNames.begin());
}

Split split_of(std::string_view group, double decide_fraction) {
  const double place = static_cast<double>(stable_hash64(group) >> 11) / 9007199254740992.0;  // 2^53: exact in a double
  return place < decide_fraction ? Split::decide : Split::confirm;
}

Result<SuiteSpec> parse_suite(std::string_view yaml, const std::filesystem::path& path) {
  HALFTONE_ASSIGN(YamlMap map, YamlMap::parse_text(yaml, path.string()));
  SuiteSpec spec;
  HALFTONE_ASSIGN(spec.name, map.text("name", path.stem().string()));
  if (spec.name.empty() || spec.name.find(':') != std::string::npos)
    return map.error("name", fmt::format("expected a word without colons, got \"{}\"", spec.name));
  HALFTONE_ASSIGN(const size_t task, choice_of(map, "task", kTaskNames, std::nullopt));
  spec.task = static_cast<Task>(task);
  HALFTONE_ASSIGN(const std::string file, map.text("file"));
  if (file.empty()) return map.error("file", "expected the data file, got nothing");
  spec.file = path.parent_path() / file;
  if (!is_of_network(spec.task)) {
    HALFTONE_ASSIGN(spec.bos, map.boolean("bos", true));
  }
  HALFTONE_ASSIGN(spec.max_samples, map.integer("max_samples", 0));
  if (map.has("max_samples") && spec.max_samples < 1)
    return map.error("max_samples", fmt::format("expected at least 1, got {}", spec.max_samples));
  HALFTONE_TRY(spec.task == Task::choices ? parse_choice_keys(map, spec)
               : is_of_network(spec.task) ? parse_network_keys(map, path.parent_path(), spec)
                                          : parse_text_keys(map, spec));
  HALFTONE_TRY(map.finish());
  return spec;
}

Result<Suite> load_suite(std::string_view argument) {
  const size_t colon = argument.find(':');
  const std::string_view task = argument.substr(0, std::min(colon, argument.size()));
  const auto known = std::find(kTaskNames.begin(), kTaskNames.end(), task);
  if (colon != std::string_view::npos && known != kTaskNames.end()) {
    SuiteSpec spec;
    spec.task = static_cast<Task>(known - kTaskNames.begin());
    spec.file = std::filesystem::path(argument.substr(colon + 1));
    spec.name = spec.file.stem().string();
    spec.prompt = "{question}\nAnswer:";
    return load_suite_data(std::move(spec));
  }
  const std::filesystem::path path(argument);
  const std::string extension = path.extension().string();
  if (extension != ".yaml" && extension != ".yml")
    return invalid_input(
        "[suite] expected FILE.yaml, perplexity:FILE.txt, divergence:FILE.txt, "
        "choices:FILE.csv|jsonl or classify:FILE.csv (or retrieve, regress, detect), got \"{}\"",
        argument);
  HALFTONE_ASSIGN(const std::string yaml, read_text_file(path));
  HALFTONE_ASSIGN(SuiteSpec spec, parse_suite(yaml, path));
  return load_suite_data(std::move(spec));
}

}  // namespace halftone
