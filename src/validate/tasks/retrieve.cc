// SPDX-License-Identifier: Apache-2.0
// Embeddings: every sample asks for its neighbours among the others of its part; those with its label are relevant.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "metrics/retrieval.h"
#include "metrics/vectors.h"
#include "validate/compare.h"
#include "validate/quantity_tools.h"
#include "validate/tasks/network_task.h"
#include "validate/text.h"

namespace halftone {
namespace {

constexpr int64_t kNeighbours = 10;

Status parse_label(const std::string& text, const std::map<std::string, std::string>&, ChoiceSample& sample) {
  if (text.empty()) return invalid_input("label: expected what relevant samples share, got nothing");
  sample.choices = {text};
  return {};
}

void begin_retrieve(const ChoiceSample& sample, const Suite&, SampleRecord& record) {
  record.label = sample.choices[0];
}

// Embeddings wait in the record until all are there.
Status score_embedding(std::span<const Tensor> outputs, const SeenSample&, const PreparedSuite&, Side side,
                       SampleRecord& record) {
  if (outputs[0].elements() < 2)
    return invalid_input("output: expected an embedding of 2 numbers or more, got {}", text_of(outputs[0].shape()));
  const auto values = outputs[0].values<float>();
  (side == Side::reference ? record.reference_embedding : record.candidate_embedding)
      .assign(values.begin(), values.end());
  return {};
}

Status find_neighbours(const PreparedSuite&, Side side, std::span<SampleRecord> records) {
  std::vector<float> all;
  const auto embedding = [&](SampleRecord& record) -> std::vector<float>& {
    return side == Side::reference ? record.reference_embedding : record.candidate_embedding;
  };
  const size_t width = embedding(records[0]).size();
  std::map<std::string_view, int64_t> with_label;
  for (SampleRecord& record : records) {
    if (embedding(record).size() != width)
      return invalid_input("sample {}: output: expected an embedding of {} numbers like the first, got {}", record.id,
                           width, embedding(record).size());
    all.insert(all.end(), embedding(record).begin(), embedding(record).end());
    ++with_label[record.label];
  }
  const Embeddings corpus{all, static_cast<int64_t>(width)};
  for (size_t i = 0; i < records.size(); ++i) {
    SampleRecord& record = records[i];
    record.relevant = with_label[record.label] - 1;
    if (record.relevant == 0)
      return invalid_input(
          "sample {}: label: expected another sample labelled \"{}\" in this part, got none; add "
          "samples or group them so that they stay together",
          record.id, record.label);
    auto& found = side == Side::reference ? record.reference_found : record.candidate_found;
    auto& ranks = side == Side::reference ? record.reference_ranks : record.candidate_ranks;
    found.clear();
    ranks.clear();
    for (const int64_t other :
         nearest_rows(corpus, corpus.row(static_cast<int64_t>(i)), kNeighbours, static_cast<int64_t>(i))) {
      found.push_back(records[static_cast<size_t>(other)].id);
      if (records[static_cast<size_t>(other)].label == record.label) ranks.push_back(static_cast<double>(found.size()));
    }
    if (side == Side::candidate)
      record.cosine =
          record.reference_embedding.size() == width
              ? round_significant(cosine(record.reference_embedding, record.candidate_embedding), kScoreDigits)
              : 0;
  }
  return {};
}

void write_retrieve(const SampleRecord& record, nlohmann::ordered_json& line) {
  line["label"] = record.label;
  line["relevant"] = record.relevant;
  line["reference_found"] = record.reference_found;
  line["candidate_found"] = record.candidate_found;
  line["reference_ranks"] = record.reference_ranks;
  line["candidate_ranks"] = record.candidate_ranks;
  line["cosine"] = record.cosine;
}

bool are_ranks(const std::vector<double>& ranks, size_t most) {
  for (size_t i = 0; i < ranks.size(); ++i)
    if (ranks[i] != std::floor(ranks[i]) || ranks[i] <= (i == 0 ? 0 : ranks[i - 1]) ||
        ranks[i] > static_cast<double>(most))
      return false;
  return true;
}

void read_retrieve(RecordFields& fields, SampleRecord& record) {
  fields.text("label", record.label);
  fields.count("relevant", record.relevant);
  fields.texts("reference_found", record.reference_found);
  fields.texts("candidate_found", record.candidate_found);
  fields.numbers("reference_ranks", record.reference_ranks);
  fields.numbers("candidate_ranks", record.candidate_ranks);
  fields.number("cosine", record.cosine);
  if (record.relevant < 1) fields.note("relevant", "expected at least 1");
  if (record.reference_found.empty() || record.reference_found.size() != record.candidate_found.size())
    fields.note("reference_found", "expected as many neighbours as the candidate finds, at least 1");
  if (!are_ranks(record.reference_ranks, record.reference_found.size()) ||
      !are_ranks(record.candidate_ranks, record.candidate_found.size()))
    fields.note("reference_ranks", "expected rising ranks of what was found");
}

double recall_of(const SampleRecord& record, const std::vector<double>& ranks) {
  const int64_t best = std::min(record.relevant, static_cast<int64_t>(record.reference_found.size()));
  return std::min(1.0, static_cast<double>(ranks.size()) / static_cast<double>(best));
}

// The ranks of what is relevant as metrics/retrieval.h sees them: item 1 at rank 1, item 2 at rank 2, ...
double gain_of(const SampleRecord& record, const std::vector<double>& ranks) {
  std::vector<int64_t> found, relevant;
  for (size_t i = 0; i < record.reference_found.size(); ++i) found.push_back(static_cast<int64_t>(i) + 1);
  for (const double rank : ranks) relevant.push_back(static_cast<int64_t>(rank));
  // Relevant samples that were not found count in what would be best.
  for (int64_t i = static_cast<int64_t>(relevant.size()); i < record.relevant && i < kNeighbours; ++i)
    relevant.push_back(-1 - i);
  return ndcg_of(found, relevant);
}

bool nearest_is_right(const std::vector<double>& ranks) { return !ranks.empty() && ranks[0] == 1; }

double flipped_neighbours(const SampleRecord& record) {
  double flipped = 0;
  for (const std::string& one : record.reference_found)
    flipped +=
        std::find(record.candidate_found.begin(), record.candidate_found.end(), one) == record.candidate_found.end();
  return flipped;
}

std::vector<Quantity> retrieve_rates(const SampleView& view) {
  std::vector<Quantity> quantities;
  quantities.push_back(paired_rate(view, "nearest_right", 0, [](const SampleRecord& record) {
    return RightPair{nearest_is_right(record.reference_ranks), nearest_is_right(record.candidate_ranks)};
  }));
  quantities.push_back(rate(view, "neighbour_flips", "neighbours", 0, [](const SampleRecord& record) {
    return GroupSum{static_cast<double>(record.reference_found.size()), flipped_neighbours(record)};
  }));
  return quantities;
}

std::vector<Quantity> retrieve_means(const SampleView& view, int64_t replicates, uint64_t seed) {
  std::vector<MeanPlan> plans;
  plans.push_back(mean_change(
      view, "recall_at_10", 1, [](const SampleRecord& record) { return recall_of(record, record.reference_ranks); },
      [](const SampleRecord& record) { return recall_of(record, record.candidate_ranks); }));
  plans.push_back(mean_change(
      view, "ndcg_at_10", 1, [](const SampleRecord& record) { return gain_of(record, record.reference_ranks); },
      [](const SampleRecord& record) { return gain_of(record, record.candidate_ranks); }));
  std::vector<Quantity> quantities = bootstrapped(
      view, std::move(plans), [](const SampleRecord&) { return 1.0; }, replicates, seed);
  for (Quantity& quantity : quantities) bound_if_unchanged(view, quantity);
  return quantities;
}

std::vector<Distribution> retrieve_distributions(const SampleView& view) {
  return {distribution(view, "cosine_distance", "samples",
                       [](const SampleRecord& record, Values& values) { values.push_back(1 - record.cosine); })};
}

void retrieve_worst(const SampleRecord& record, WorstRow& row) {
  row.expected = record.label;
  row.reference = record.reference_found[0];
  row.candidate = record.candidate_found[0];
  row.loss = gain_of(record, record.reference_ranks) - gain_of(record, record.candidate_ranks);
}

}  // namespace

const NetworkTask kRetrieveTask = {.task = Task::retrieve,
                                   .column = "label",
                                   .primary = "recall_at_10",
                                   .tail = "cosine_distance",
                                   .parse_keys = nullptr,
                                   .parse_target = parse_label,
                                   .begin = begin_retrieve,
                                   .score = score_embedding,
                                   .finish = find_neighbours,
                                   .write = write_retrieve,
                                   .read = read_retrieve,
                                   .rates = retrieve_rates,
                                   .means = retrieve_means,
                                   .distributions = retrieve_distributions,
                                   .worst = retrieve_worst,
                                   .classes = nullptr};

}  // namespace halftone
