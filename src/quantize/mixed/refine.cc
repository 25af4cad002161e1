// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed/refine.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace halftone {
namespace {

constexpr size_t kFromFront = 4, kSolutions = 6, kProposals = 24;
constexpr double kFrontSlack = 0.002, kLeastGain = 1e-3;

// No other option has fewer bytes for at most the cost, or less cost for the same bytes.
bool on_front(const std::vector<BudgetOption>& options, size_t i) {
  for (size_t j = 0; j < options.size(); ++j) {
    const bool no_worse = options[j].bytes <= options[i].bytes && options[j].cost <= options[i].cost;
    const bool differs = options[j].bytes < options[i].bytes || options[j].cost < options[i].cost || j < i;
    if (j != i && no_worse && differs) return false;
  }
  return true;
}

struct Proposal {
  double predicted;
  Selection selection;
};

class Refiner {
 public:
  Refiner(const BudgetItems& alone, const std::vector<std::vector<double>>& extra, SelectionKl& kl,
          const RefineOptions& options, Progress& progress)
      : alone_(alone), extra_(extra), kl_(kl), options_(options), progress_(progress), first_trial_(kl.trials()) {}

  Result<Refined> run() {
    const BudgetSolution solution = solve_budget(alone_, options_.budget_bytes, kFromFront, kFrontSlack);
    if (solution.choices.empty()) return Refined();
    result_.price = solution.price;
    std::vector<Proposal> proposals;
    for (const BudgetChoice& choice : solution.choices) proposals.push_back({choice.cost, choice.options});
    HALFTONE_ASSIGN(best_cost_, cost_of(proposals[0].selection));
    best_ = proposals[0].selection;
    HALFTONE_ASSIGN(result_.first_kl, kl_.measure(best_));
    HALFTONE_ASSIGN(bool better, try_all(proposals));
    do {
      HALFTONE_ASSIGN(better, round());
    } while (better && trials() < options_.most_trials);
    result_.selection = best_;
    HALFTONE_ASSIGN(result_.kl, kl_.measure(best_));
    for (size_t i = 0; i < best_.size(); ++i) result_.predicted_kl += alone_[i][best_[i]].cost - extra_[i][best_[i]];
    result_.trials = trials();
    return result_;
  }

 private:
  int64_t trials() const { return kl_.trials() - first_trial_; }

  Result<double> cost_of(const Selection& selection) {
    const int64_t before = kl_.trials();
    HALFTONE_ASSIGN(double cost, kl_.measure(selection));
    progress_.advance(kl_.trials() - before);
    for (size_t i = 0; i < selection.size(); ++i) cost += extra_[i][selection[i]];
    return cost;
  }

  bool fits(const Selection& selection) const {
    int64_t bytes = 0;
    for (size_t i = 0; i < selection.size(); ++i) bytes += alone_[i][selection[i]].bytes;
    return bytes <= options_.budget_bytes;
  }

  // In the order given, while there are trials; keeps the best.
  Result<bool> try_all(const std::vector<Proposal>& proposals) {
    bool better = false;
    size_t tried = 0;
    for (const Proposal& one : proposals) {
      if (tried == kProposals || trials() >= options_.most_trials) break;
      if (kl_.knows(one.selection) || !fits(one.selection)) continue;
      ++tried;
      HALFTONE_ASSIGN(const double cost, cost_of(one.selection));
      if (cost >= best_cost_ - kLeastGain * std::abs(best_cost_)) continue;
      best_cost_ = cost;
      best_ = one.selection;
      better = true;
    }
    return better;
  }

  Result<bool> round() {
    ++result_.rounds;
    HALFTONE_TRY(kl_.settle(best_));
    HALFTONE_ASSIGN(const BudgetItems here, steps_here());
    std::vector<Proposal> proposals = exchanges(here);
    for (BudgetChoice& choice : solve_budget(here, options_.budget_bytes, kSolutions, 1).choices)
      proposals.push_back({choice.cost, std::move(choice.options)});
    std::stable_sort(proposals.begin(), proposals.end(),
                     [](const Proposal& a, const Proposal& b) { return a.predicted < b.predicted; });
    return try_all(proposals);
  }

  // What each option changes, at the best selection: one step measured, what lies beyond as far from it as alone.
  Result<BudgetItems> steps_here() {
    BudgetItems here = alone_;
    for (size_t i = 0; i < here.size(); ++i) {
      const size_t at = best_[i], down = step_down(alone_[i], at), up = step_up(alone_[i], at);
      std::vector<double> shift(2, 0.0);  // below and above: measured less what alone says
      for (const size_t step : {down, up}) {
        if (step == at || trials() >= options_.most_trials) continue;
        Selection changed = best_;
        changed[i] = step;
        HALFTONE_ASSIGN(const double cost, cost_of(changed));
        shift[step == down ? 0 : 1] = cost - best_cost_ - (alone_[i][step].cost - alone_[i][at].cost);
      }
      for (size_t j = 0; j < here[i].size(); ++j) {
        const int64_t more = alone_[i][j].bytes - alone_[i][at].bytes;
        here[i][j].cost = alone_[i][j].cost - alone_[i][at].cost;
        if (j != at && more != 0) here[i][j].cost += shift[more < 0 ? 0 : 1];
      }
    }
    return here;
  }

  // One tensor a step up alone, or with another one a step down.
  std::vector<Proposal> exchanges(const BudgetItems& here) const {
    std::vector<Proposal> proposals;
    for (size_t a = 0; a < here.size(); ++a) {
      const size_t up = step_up(alone_[a], best_[a]);
      if (up == best_[a]) continue;
      Selection raised = best_;
      raised[a] = up;
      proposals.push_back({here[a][up].cost, raised});
      for (size_t b = 0; b < here.size(); ++b) {
        const size_t down = step_down(alone_[b], best_[b]);
        if (b == a || down == best_[b]) continue;
        Selection exchanged = raised;
        exchanged[b] = down;
        proposals.push_back({here[a][up].cost + here[b][down].cost, std::move(exchanged)});
      }
    }
    std::erase_if(proposals, [&](const Proposal& one) { return !fits(one.selection); });
    return proposals;
  }

  const BudgetItems& alone_;
  const std::vector<std::vector<double>>& extra_;
  SelectionKl& kl_;
  const RefineOptions& options_;
  Progress& progress_;
  int64_t first_trial_;
  Selection best_;
  double best_cost_ = 0;
  Refined result_;
};

}  // namespace

std::vector<Trial> SelectionKl::changes_to(const Selection& selection) const {
  std::vector<Trial> changes;
  for (size_t i = 0; i < selection.size(); ++i)
    if (base_.empty() || base_[i] != selection[i]) changes.push_back(tensors_[i].trial(selection[i]));
  return changes;
}

Result<double> SelectionKl::measure(const Selection& selection) {
  const auto found = known_.find(selection);
  if (found != known_.end()) return found->second;
  HALFTONE_ASSIGN(const double kl, model_.kl(changes_to(selection)));
  ++trials_;
  known_.emplace(selection, kl);
  return kl;
}

Status SelectionKl::settle(const Selection& selection) {
  HALFTONE_ASSIGN(const double kl, model_.settle(changes_to(selection)));
  base_ = selection;
  known_.emplace(selection, kl);
  return {};
}

size_t step_down(const std::vector<BudgetOption>& options, size_t candidate) {
  size_t best = candidate;
  for (size_t i = 0; i < options.size(); ++i)
    if (on_front(options, i) && options[i].bytes < options[candidate].bytes &&
        (best == candidate || options[i].bytes > options[best].bytes))
      best = i;
  return best;
}

size_t step_up(const std::vector<BudgetOption>& options, size_t candidate) {
  size_t best = candidate;
  for (size_t i = 0; i < options.size(); ++i)
    if (on_front(options, i) && options[i].bytes > options[candidate].bytes &&
        (best == candidate || options[i].bytes < options[best].bytes))
      best = i;
  return best;
}

Result<Refined> refine(const BudgetItems& alone, const std::vector<std::vector<double>>& extra, SelectionKl& kl,
                       const RefineOptions& options, Progress& progress) {
  progress.begin("refine", options.most_trials, "trials");
  Result<Refined> result = Refiner(alone, extra, kl, options, progress).run();
  progress.end();
  return result;
}

}  // namespace halftone
