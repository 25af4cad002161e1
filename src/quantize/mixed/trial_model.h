// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/evaluate/evaluator.h"

namespace halftone {

// One matrix as panels (Order::panel16), borrowed; layout null: as the file stores it.
struct Trial {
  WeightId id = kNoWeight;
  const Layout* layout = nullptr;
  const AlignedBuffer<std::byte>* panels = nullptr;
};

// What a change of some matrices costs: the mean KL of the next-token distribution from the float model's, over all
// tokens of the given texts. Trials change a base, at first the float model, and are forgotten. The base's values are
// kept where a single value crosses the graph, so that a trial computes only what follows its first change.
// Memory: 4 bytes * tokens * hidden * (2 * layers + 1), the evaluator's, and the float model's logits up to 256 MB
// (beyond, they are computed anew for each trial). Bits do not depend on threads. One caller at a time.
class TrialModel {
 public:
  // Borrows graph, source and pool.
  static Result<std::unique_ptr<TrialModel>> create(const Graph& graph, const ModelFile& source, Sequences texts,
                                                    ThreadPool& pool);

  // An error where the model's logits are not finite.
  Result<double> kl(std::span<const Trial> changes);
  // The changes become part of the base; gives its KL. Panels stay borrowed until they are replaced.
  Result<double> settle(std::span<const Trial> changes);

  int64_t tokens() const { return texts_.size(); }

 private:
  // `value` alone is read by nodes [node, end); before the first node there is none.
  struct Border {
    size_t node;
    ValueId value;
    AlignedBuffer<float> kept;
  };
  TrialModel(const Graph& graph, Sequences texts, WeightTable base, WeightTable reference, ThreadPool& pool);
  Status begin();
  void find_borders();
  size_t first_node(std::span<const Trial> changes) const;
  void apply(const Trial& trial);
  Status run_from(size_t node, bool keep);
  Result<double> mean_kl();
  Result<std::span<const float>> reference_logits(int64_t begin, int64_t end);
  int64_t vocabulary() const { return evaluator_->width(graph_.logits); }

  const Graph& graph_;
  ThreadPool& pool_;
  Sequences texts_;
  WeightTable weights_, reference_weights_;
  std::unique_ptr<Evaluator> evaluator_, reference_;
  std::vector<size_t> first_reader_;          // node, by weight
  std::vector<Trial> base_;                   // by weight
  std::vector<Border> borders_;               // ascending
  std::vector<AlignedBuffer<float>> pieces_;  // the float model's logits, empty where there are too many
  AlignedBuffer<float> reference_logits_, logits_;
};

// Calibration in two: texts to judge with, evenly spread, of about so many tokens and at most half of all; and the
// others, to learn from. An error: fewer than 2 sequences.
struct SplitTexts {
  Sequences learn, judge;
};
Result<SplitTexts> split_texts(const Sequences& calibration, int64_t judge_tokens);

}  // namespace halftone
