// SPDX-License-Identifier: Apache-2.0
#include "quantize/tune/tune.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/evaluate/divergence.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/evaluate/gradients.h"
#include "quantize/tune/tunable.h"

namespace halftone {
namespace {

constexpr int64_t kHeldOutOneIn = 10;               // sequences
constexpr int64_t kHeldOutTokens = 4096;            // are enough
constexpr int64_t kLogitFloats = int64_t{1} << 26;  // of one batch, each model
constexpr int64_t kPieceTokens = 256;
constexpr int64_t kWarmUp = 5;  // steps

Sequences pick(const Sequences& all, std::span<const int64_t> which) {
  Sequences some;
  for (const int64_t i : which) {
    some.begins.push_back(some.size());
    some.tokens.insert(some.tokens.end(), all.tokens.begin() + all.begin(i), all.tokens.begin() + all.end(i));
  }
  return some;
}

struct Parameter {
  WeightId id;
  std::unique_ptr<Tunable> tunable;
  size_t tensor;
};

class Tuner {
 public:
  Tuner(const Graph& graph, const TuneOptions& options, WeightTable teacher, WeightTable student, ThreadPool& pool)
      : graph_(graph),
        options_(options),
        pool_(pool),
        teacher_weights_(std::move(teacher)),
        student_weights_(std::move(student)) {}

  void add(WeightId id, std::unique_ptr<Tunable> tunable, size_t tensor) {
    parameters_.push_back({id, std::move(tunable), tensor});
  }

  // Every tenth sequence is held out until there are enough; the others come in a fixed random order.
  void split(const Sequences& calibration) {
    std::vector<int64_t> held_out;
    int64_t held_tokens = 0;
    for (int64_t i = 0; i < calibration.count(); ++i) {
      const bool kept = i % kHeldOutOneIn == kHeldOutOneIn - 1 && held_tokens < kHeldOutTokens;
      if (kept) held_tokens += calibration.length(i);
      (kept ? held_out : order_).push_back(i);
    }
    held_out_ = pick(calibration, held_out);
    shuffle();
  }
  const WeightTable& source() const { return teacher_weights_; }
  int64_t held_out_tokens() const { return held_out_.size(); }

  Status begin() {
    std::vector<bool> wanted(graph_.weights.size(), false);
    for (const Parameter& parameter : parameters_) wanted[static_cast<size_t>(parameter.id)] = true;
    gradients_.emplace(graph_, std::move(wanted));
    HALFTONE_ASSIGN(teacher_, Evaluator::create(graph_, teacher_weights_, held_out_, pool_));
    HALFTONE_ASSIGN(student_, Evaluator::create(graph_, student_weights_, held_out_, pool_, {.keep_values = true}));
    decode();
    return {};
  }

  // Of the numbers as they are now, on the held-out sequences.
  Result<double> held_out_kl() {
    HALFTONE_TRY(teacher_->reset(held_out_));
    HALFTONE_TRY(student_->reset(held_out_));
    HALFTONE_TRY(teacher_->run(0, teacher_->tail_begin()));
    HALFTONE_TRY(student_->run(0, student_->tail_begin()));
    double sum = 0;
    std::vector<double> kl;
    for (int64_t begin = 0; begin < held_out_.size(); begin += kPieceTokens) {
      const int64_t end = std::min(held_out_.size(), begin + kPieceTokens);
      HALFTONE_TRY(teacher_->run_tail(begin, end, teacher_logits_));
      HALFTONE_TRY(student_->run_tail(begin, end, student_logits_));
      const auto floats = static_cast<size_t>((end - begin) * vocabulary());
      kl.resize(static_cast<size_t>(end - begin));
      divergence({{teacher_logits_.data(), floats}, {student_logits_.data(), floats}, vocabulary()},
                 student_->products().vector(), pool_, kl, nullptr);
      sum = std::accumulate(kl.begin(), kl.end(), sum);
    }
    return sum / static_cast<double>(held_out_.size());
  }

  Status step(const Sequences& calibration, float rate) {
    const Sequences batch = next_batch(calibration);
    HALFTONE_TRY(teacher_->reset(batch));
    HALFTONE_TRY(student_->reset(batch));
    HALFTONE_TRY(teacher_->run(0, graph_.nodes.size()));
    HALFTONE_TRY(student_->run(0, graph_.nodes.size()));
    const std::span<const float> candidate = student_->value(graph_.logits);
    student_logits_.grow(candidate.size());
    std::vector<double> kl(static_cast<size_t>(batch.size()));
    divergence({.reference = teacher_->value(graph_.logits),
                .candidate = candidate,
                .vocabulary = vocabulary(),
                .factor = 1 / static_cast<float>(batch.size())},
               student_->products().vector(), pool_, kl, student_logits_.data());
    gradients_->clear();
    HALFTONE_TRY(gradients_->add(*student_, graph_.logits, {student_logits_.data(), candidate.size()}));
    for (Parameter& parameter : parameters_) parameter.tunable->learn(gradients_->weight(parameter.id), rate, pool_);
    decode();
    tokens_ += batch.size();
    return {};
  }

  int64_t tokens() const { return tokens_; }
  void store(std::vector<TunedTensor>& tensors) const {
    for (const Parameter& parameter : parameters_) {
      AlignedBuffer<std::byte>& bytes = tensors[parameter.tensor].bytes;
      parameter.tunable->store({bytes.data(), bytes.size()});
    }
  }

 private:
  int64_t vocabulary() const { return student_->width(graph_.logits); }

  void decode() {
    for (const Parameter& parameter : parameters_) {
      const WeightRef& ref = graph_.weight(parameter.id);
      std::vector<float> values(static_cast<size_t>(ref.rows * ref.columns));
      parameter.tunable->decode(pool_, values.data());
      student_weights_.replace(parameter.id, std::move(values));
    }
  }

  void shuffle() {
    for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[rng_.below(i)]);
    next_ = 0;
  }

  Sequences next_batch(const Sequences& calibration) {
    const int64_t most = std::min(options_.batch_tokens, kLogitFloats / vocabulary());
    std::vector<int64_t> chosen;
    int64_t tokens = 0;
    while (chosen.empty() || tokens + calibration.length(order_[next_]) <= most) {
      tokens += calibration.length(order_[next_]);
      chosen.push_back(order_[next_]);
      if (++next_ < order_.size()) continue;
      shuffle();
      break;
    }
    return pick(calibration, chosen);
  }

  const Graph& graph_;
  const TuneOptions& options_;
  ThreadPool& pool_;
  WeightTable teacher_weights_, student_weights_;
  std::unique_ptr<Evaluator> teacher_, student_;
  std::optional<Gradients> gradients_;
  std::vector<Parameter> parameters_;
  Sequences held_out_;
  std::vector<int64_t> order_;
  size_t next_ = 0;
  Rng rng_{1};
  int64_t tokens_ = 0;
  AlignedBuffer<float> teacher_logits_, student_logits_;
};

std::map<std::string, WeightId, std::less<>> ids_by_name(const Graph& graph) {
  std::map<std::string, WeightId, std::less<>> ids;
  for (size_t i = 0; i < graph.weights.size(); ++i)
    if (graph.weights[i].constant.empty()) ids.emplace(graph.weights[i].name, static_cast<WeightId>(i));
  return ids;
}

// What can be learned of a stored tensor; null: it stays.
std::unique_ptr<Tunable> tunable_of(const TunedTensor& tensor, const WeightTable& weights, WeightId id) {
  const Layout* layout = tensor.assignment->layout;
  const WeightRef& ref = weights.ref(id);
  if (layout != nullptr && !layout->is_float()) {
    const auto make = layout->is_palette() ? make_tunable_palettes : make_tunable_scales;
    return make(*layout, ref.rows, ref.columns, {tensor.bytes.data(), tensor.bytes.size()});
  }
  if (layout == nullptr && !weights.is_matrix(id)) {
    std::vector<float> values = weights.vector(id);
    if (!tensor.assignment->corrects.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return make_tunable_vector(std::move(values), ref.offset);
  }
  return nullptr;
}

// Warm-up, then a smooth fall to zero; a polynomial, since the C library's cosine differs between machines.
double rate_at(int64_t step, const TuneOptions& options) {
  const double done = static_cast<double>(step) / static_cast<double>(options.steps);
  const double fall = (1 - done) * (1 - done) * (1 + 2 * done);
  return options.rate * fall * std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(kWarmUp));
}

}  // namespace

Result<TuneReport> tune(const Graph& graph, const ModelFile& source, const Sequences& calibration,
                        const TuneOptions& options, std::vector<TunedTensor>& tensors, ThreadPool& pool,
                        Progress& progress) {
  if (calibration.count() < kHeldOutOneIn)
    return invalid_input("[tune] expected at least {} calibration sequences, since one in ten is held out, got {}",
                         kHeldOutOneIn, calibration.count());
  HALFTONE_ASSIGN(WeightTable teacher, WeightTable::create(graph, source));
  HALFTONE_ASSIGN(WeightTable student, WeightTable::create(graph, source));
  Tuner tuner(graph, options, std::move(teacher), std::move(student), pool);
  const auto ids = ids_by_name(graph);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto id = ids.find(tensors[i].assignment->source->name);
    if (id == ids.end()) continue;
    if (auto tunable = tunable_of(tensors[i], tuner.source(), id->second)) tuner.add(id->second, std::move(tunable), i);
  }
  tuner.split(calibration);
  HALFTONE_TRY(tuner.begin());
  TuneReport report{.steps = options.steps, .held_out_tokens = tuner.held_out_tokens()};
  HALFTONE_ASSIGN(report.kl_before, tuner.held_out_kl());
  progress.begin("tune", options.steps, "steps");
  for (int64_t step = 0; step < options.steps; ++step) {
    HALFTONE_TRY(tuner.step(calibration, static_cast<float>(rate_at(step, options))));
    progress.advance(1);
  }
  progress.end();
  HALFTONE_ASSIGN(report.kl_after, tuner.held_out_kl());
  report.tokens = tuner.tokens();
  report.kept = report.kl_after < report.kl_before;
  if (report.kept) tuner.store(tensors);
  return report;
}

}  // namespace halftone
