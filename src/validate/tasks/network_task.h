// SPDX-License-Identifier: Apache-2.0
// Tasks of networks beside telling classes apart: one file and one row of the table (network_task.cc) each.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.h"
#include "halftone/status.h"
#include "validate/quantities.h"
#include "validate/record_fields.h"
#include "validate/score.h"

namespace halftone {

struct WorstRow;
struct SliceRow;

enum class Side : uint8_t { reference, candidate };

struct NetworkTask {
  Task task;
  std::string_view column;         // of the list, beside path: what is right about a sample
  std::string_view primary, tail;  // the metric that a table shows first; the one whose tail matters

  // Keys of the suite that only this task has; null: none.
  Status (*parse_keys)(YamlMap& map, SuiteSpec& spec);
  // What the column says, into sample.numbers or sample.answer. Errors without file and line.
  // `others`: the row's columns that no key of the suite names.
  Status (*parse_target)(const std::string& text, const std::map<std::string, std::string>& others,
                         ChoiceSample& sample);
  // The sample's part of a record that no model has touched.
  void (*begin)(const ChoiceSample& sample, const Suite& suite, SampleRecord& record);
  // One model's outputs for one sample, into its side of the record; numbers rounded as they are stored.
  Status (*score)(std::span<const Tensor> outputs, const SeenSample& seen, const PreparedSuite& prepared, Side side,
                  SampleRecord& record);
  // Once all samples of a model are scored; null: nothing is left to do.
  Status (*finish)(const PreparedSuite& prepared, Side side, std::span<SampleRecord> records);

  // A line of samples.jsonl. `read` notes lengths that contradict each other.
  void (*write)(const SampleRecord& record, nlohmann::ordered_json& line);
  void (*read)(RecordFields& fields, SampleRecord& record);

  std::vector<Quantity> (*rates)(const SampleView& view);
  std::vector<Quantity> (*means)(const SampleView& view, int64_t replicates, uint64_t seed);
  std::vector<Distribution> (*distributions)(const SampleView& view);
  // Texts and loss of a sample; a loss of 0 or less is not shown.
  void (*worst)(const SampleRecord& record, WorstRow& row);
  // A row per class where samples hold several; null: classes, if any, are slices of samples.
  void (*classes)(const SampleView& view, const std::string& suite, std::vector<SliceRow>& rows);
};

const NetworkTask* network_task(Task task);  // null: text, answers and classes, which have code of their own

extern const NetworkTask kRegressTask, kRetrieveTask, kDetectTask;

}  // namespace halftone
