// SPDX-License-Identifier: Apache-2.0
// Which layout each matrix gets so that the model as a whole is nearest to the float one within so many bytes. No
// tensor has a privilege but what the measurement gives it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "graph/graph.h"
#include "halftone/status.h"
#include "quantize/evaluate/sequences.h"
#include "quantize/recipe.h"

namespace halftone {

// From the layout that a tensor has to the next smaller (or larger) one of use, everything else as chosen.
struct MixedStep {
  std::string layout;  // empty: there is none
  int64_t bytes = 0;   // more than now; negative on the way down
  double kl = 0;       // measured, more than now
  double kl_per_megabyte() const {
    return bytes == 0 ? 0 : -kl / (static_cast<double>(bytes) / 1e6);
  }  // gained, or lost
};

struct MixedCandidate {
  std::string layout, method;
  int64_t bytes = 0;
  double kl = 0;  // of the model with only this tensor stored so
};

struct MixedTensor {
  std::string name, op, layout, method;
  int64_t elements = 0, bytes = 0;
  double kl = 0;  // of the model with only this tensor stored so
  MixedStep down, up;
  std::vector<MixedCandidate> candidates;  // what it could have got
};

// KL: mean over the judging tokens, nats per token, before tuning and with the statistics of the float model.
struct MixedReport {
  std::vector<std::string> candidates;  // layouts
  std::string method;
  int64_t tokens = 0;                   // judged with
  int64_t budget_bytes = 0, bytes = 0;  // of all tensors, vectors counted
  double target_bits = 0;               // the budget as bits per weight
  double bits_per_weight = 0;
  double kl = 0, predicted_kl = 0;        // measured as a whole; the sum of what each tensor costs alone
  double first_kl = 0;                    // measured, of the best sum, where refining began
  double price_per_megabyte = 0;          // KL that one more megabyte would save, where the budget cut
  int64_t trials = 0, refine_trials = 0;  // models measured in all, and of them to refine
  double seconds = 0;
  std::vector<MixedTensor> tensors;
  nlohmann::ordered_json to_json() const;
};

struct MixedChoice {
  Recipe recipe;  // a rule per matrix, no `mixed`: what it does needs no measurement again
  MixedReport report;
};

// REQUIRES: recipe.mixed. Memory: the packed panels of every candidate, and TrialModel's. Deterministic for any number
// of threads. Errors: no calibration, a target below what the smallest candidates take (names the nearest that can be
// reached), rules that leave nothing to choose, and those of measure_sensitivity.
Result<MixedChoice> choose_mixed(const ModelFile& source, const Graph& graph, const Recipe& recipe,
                                 const Sequences* calibration, ThreadPool& pool, Progress& progress);

}  // namespace halftone
