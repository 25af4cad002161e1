// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed/trial_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "quantize/evaluate/divergence.h"

namespace halftone {
namespace {

constexpr int64_t kTrialPiece = 256;                    // tokens whose logits exist together
constexpr int64_t kReferenceFloats = int64_t{1} << 26;  // of logits that are kept

std::vector<WeightId> matrices_of(const Op& op) {
  if (const auto* linear = std::get_if<Linear>(&op)) return {linear->weight};
  if (const auto* embedding = std::get_if<Embedding>(&op)) return {embedding->table};
  return {};
}

void append(const Sequences& from, int64_t i, Sequences& to) {
  to.begins.push_back(to.size());
  to.tokens.insert(to.tokens.end(), from.tokens.begin() + from.begin(i), from.tokens.begin() + from.end(i));
}

}  // namespace

TrialModel::TrialModel(const Graph& graph, Sequences texts, WeightTable base, WeightTable reference, ThreadPool& pool)
    : graph_(graph),
      pool_(pool),
      texts_(std::move(texts)),
      weights_(std::move(base)),
      reference_weights_(std::move(reference)),
      first_reader_(graph.weights.size(), graph.nodes.size()),
      base_(graph.weights.size()) {
  for (size_t node = graph.nodes.size(); node-- > 0;)
    for (const WeightId id : matrices_of(graph.nodes[node].op)) first_reader_[static_cast<size_t>(id)] = node;
  for (size_t i = 0; i < base_.size(); ++i) base_[i].id = static_cast<WeightId>(i);
}

Result<std::unique_ptr<TrialModel>> TrialModel::create(const Graph& graph, const ModelFile& source, Sequences texts,
                                                       ThreadPool& pool) {
  HALFTONE_ASSIGN(WeightTable base, WeightTable::create(graph, source));
  HALFTONE_ASSIGN(WeightTable reference, WeightTable::create(graph, source));
  std::unique_ptr<TrialModel> model(
      new TrialModel(graph, std::move(texts), std::move(base), std::move(reference), pool));
  HALFTONE_TRY(model->begin());
  return model;
}

Status TrialModel::begin() {
  HALFTONE_ASSIGN(evaluator_, Evaluator::create(graph_, weights_, texts_, pool_));
  HALFTONE_ASSIGN(reference_, Evaluator::create(graph_, reference_weights_, texts_, pool_));
  find_borders();
  HALFTONE_TRY(run_from(0, true));
  const ValueId tail = borders_.back().value;
  reference_->set_value(tail, evaluator_->value(tail));
  if (texts_.size() * vocabulary() > kReferenceFloats) return {};
  for (int64_t begin = 0; begin < texts_.size(); begin += kTrialPiece) {
    pieces_.emplace_back();
    HALFTONE_TRY(reference_->run_tail(begin, std::min(texts_.size(), begin + kTrialPiece), pieces_.back()));
  }
  return {};
}

// The tail begins with a border: it is a chain.
void TrialModel::find_borders() {
  std::vector<size_t> last_reader(graph_.values.size(), 0);
  for (size_t i = 0; i < graph_.nodes.size(); ++i)
    for (const ValueId input : graph_.nodes[i].inputs) last_reader[static_cast<size_t>(input)] = i;
  std::vector<ValueId> alive;
  borders_.push_back({0, -1, {}});
  for (size_t node = 1; node <= evaluator_->tail_begin(); ++node) {
    alive.push_back(graph_.nodes[node - 1].output);
    if (node == graph_.nodes.size()) last_reader[static_cast<size_t>(graph_.logits)] = node;
    std::erase_if(alive, [&](ValueId id) { return last_reader[static_cast<size_t>(id)] < node; });
    if (alive.size() == 1) borders_.push_back({node, alive[0], {}});
  }
  HALFTONE_CHECK(borders_.back().node == evaluator_->tail_begin());
}

size_t TrialModel::first_node(std::span<const Trial> changes) const {
  size_t first = evaluator_->tail_begin();
  for (const Trial& trial : changes) first = std::min(first, first_reader_[static_cast<size_t>(trial.id)]);
  return first;
}

void TrialModel::apply(const Trial& trial) {
  if (trial.layout == nullptr)
    weights_.restore(trial.id);
  else
    weights_.replace(trial.id, *trial.layout, *trial.panels);
}

// From the last border that does not lie behind the node; keep: what passes borders is the base's from here on.
Status TrialModel::run_from(size_t node, bool keep) {
  auto border = std::find_if(borders_.rbegin(), borders_.rend(), [&](const Border& one) { return one.node <= node; });
  HALFTONE_TRY(evaluator_->reset(texts_));
  if (border->node > 0) evaluator_->set_value(border->value, {border->kept.data(), border->kept.size()});
  size_t at = border->node;
  for (auto next = border.base(); next != borders_.end(); ++next) {
    HALFTONE_TRY(evaluator_->run(at, next->node));
    at = next->node;
    if (!keep) continue;
    const std::span<const float> value = evaluator_->value(next->value);
    next->kept.grow(value.size());
    std::copy(value.begin(), value.end(), next->kept.data());
  }
  return {};
}

Result<std::span<const float>> TrialModel::reference_logits(int64_t begin, int64_t end) {
  const auto floats = static_cast<size_t>((end - begin) * vocabulary());
  if (!pieces_.empty()) return std::span<const float>(pieces_[static_cast<size_t>(begin / kTrialPiece)].data(), floats);
  HALFTONE_TRY(reference_->run_tail(begin, end, reference_logits_));
  return std::span<const float>(reference_logits_.data(), floats);
}

Result<double> TrialModel::mean_kl() {
  double sum = 0;
  std::vector<double> kl;
  for (int64_t begin = 0; begin < texts_.size(); begin += kTrialPiece) {
    const int64_t end = std::min(texts_.size(), begin + kTrialPiece);
    HALFTONE_ASSIGN(const std::span<const float> reference, reference_logits(begin, end));
    HALFTONE_TRY(evaluator_->run_tail(begin, end, logits_));
    kl.resize(static_cast<size_t>(end - begin));
    divergence({reference, {logits_.data(), reference.size()}, vocabulary()}, evaluator_->products().vector(), pool_,
               kl, nullptr);
    sum = std::accumulate(kl.begin(), kl.end(), sum);
  }
  if (std::isfinite(sum)) return sum / static_cast<double>(texts_.size());
  return invalid_input(
      "[mixed] expected finite logits on the calibration text, got NaN or infinity; the model does not compute with "
      "these numbers");
}

Result<double> TrialModel::kl(std::span<const Trial> changes) {
  for (const Trial& trial : changes) apply(trial);
  const Status status = run_from(first_node(changes), false);
  Result<double> result = status.ok() ? mean_kl() : Result<double>(status);
  for (const Trial& trial : changes) apply(base_[static_cast<size_t>(trial.id)]);
  return result;
}

Result<double> TrialModel::settle(std::span<const Trial> changes) {
  for (const Trial& trial : changes) {
    apply(trial);
    base_[static_cast<size_t>(trial.id)] = trial;
  }
  HALFTONE_TRY(run_from(first_node(changes), true));
  return mean_kl();
}

Result<SplitTexts> split_texts(const Sequences& calibration, int64_t judge_tokens) {
  const int64_t count = calibration.count();
  if (count < 2)
    return invalid_input(
        "[mixed] expected at least 2 calibration sequences, since choices are judged on text that no method saw, got "
        "{}; give a longer file, or shorter windows (--calibration-length)",
        count);
  const int64_t wanted =
      std::clamp<int64_t>((judge_tokens * count + calibration.size() - 1) / calibration.size(), 1, count / 2);
  SplitTexts texts;
  for (int64_t i = 0, taken = 0; i < count; ++i) {
    const bool judge = (i + 1) * wanted / count > taken;
    taken += judge ? 1 : 0;
    append(calibration, i, judge ? texts.judge : texts.learn);
  }
  return texts;
}

}  // namespace halftone
