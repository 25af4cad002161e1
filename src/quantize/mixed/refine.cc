// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed/refine.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <span>

#include "base/error.h"

namespace halftone {
namespace {

constexpr size_t kFromFront = 4, kSolutions = 6;
constexpr size_t kOfThree = 24;   // moves up and down that are combined by three
constexpr size_t kAtLeast = 32;   // proposals of a round are measured, however little is expected of them
constexpr size_t kTogether = 24;  // proposals of one round that are compared before the best of them is taken
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

// Tensors of the best selection that get another candidate, and what is expected of it.
struct Proposal {
  double cost;
  std::vector<std::pair<size_t, size_t>> changes;  // tensor, candidate
};

// One tensor to another candidate, from the best selection.
struct Move {
  size_t tensor, candidate;
  int64_t bytes;
  double cost;  // expected, more than now
  double rate() const { return cost / static_cast<double>(std::abs(bytes) + 1); }
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
    best_ = solution.choices[0].options;
    HALFTONE_ASSIGN(best_cost_, cost_of(best_));
    HALFTONE_ASSIGN(result_.first_kl, kl_.measure(best_));
    std::vector<Proposal> others;
    for (const BudgetChoice& choice : solution.choices) others.push_back(proposal_of(choice));
    HALFTONE_ASSIGN(bool better, try_all(others));
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

  // From what is best now.
  Proposal proposal_of(const BudgetChoice& choice) const {
    Proposal proposal{choice.cost, {}};
    for (size_t i = 0; i < best_.size(); ++i)
      if (choice.options[i] != best_[i]) proposal.changes.emplace_back(i, choice.options[i]);
    return proposal;
  }

  Selection changed(const Proposal& proposal) const {
    Selection selection = best_;
    for (const auto& [tensor, candidate] : proposal.changes) selection[tensor] = candidate;
    return selection;
  }

  // In the order given; the best of the first few that hold one that is better. After some, ends where expectations are
  // worse than the best by more than twice what an expectation was too high so far.
  Result<bool> try_all(const std::vector<Proposal>& proposals) {
    const Selection before = best_;
    Selection better = best_;
    size_t tried = 0;
    const double cost_before = best_cost_;
    for (const Proposal& one : proposals) {
      if (trials() >= options_.most_trials) break;
      if (tried >= kAtLeast && one.cost > cost_before + 2 * too_high_) break;
      if (tried >= kTogether && best_cost_ < cost_before) break;
      const Selection selection = changed(one);
      if (!kl_.knows(selection)) ++tried;
      HALFTONE_ASSIGN(const double cost, cost_of(selection));
      too_high_ = std::max(too_high_, one.cost - cost);
      if (cost >= best_cost_ - kLeastGain * std::abs(best_cost_)) continue;
      best_cost_ = cost;
      better = selection;
    }
    best_ = better;
    return best_ != before;
  }

  Result<bool> round() {
    ++result_.rounds;
    HALFTONE_TRY(kl_.settle(best_));
    HALFTONE_ASSIGN(const BudgetItems here, steps_here());
    std::vector<Proposal> proposals = exchanges(here);
    for (const BudgetChoice& choice : solve_budget(here, options_.budget_bytes, kSolutions, 1).choices)
      proposals.push_back(proposal_of(choice));
    for (Proposal& one : proposals) one.cost += best_cost_;
    std::stable_sort(proposals.begin(), proposals.end(),
                     [](const Proposal& a, const Proposal& b) { return a.cost < b.cost; });
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
        double& more = shift[step == down ? 0 : 1];
        more = cost - best_cost_ - (alone_[i][step].cost - alone_[i][at].cost);
        too_high_ = std::max(too_high_, -more);
      }
      for (size_t j = 0; j < here[i].size(); ++j) {
        const int64_t more = alone_[i][j].bytes - alone_[i][at].bytes;
        here[i][j].cost = alone_[i][j].cost - alone_[i][at].cost;
        if (j != at && more != 0) here[i][j].cost += shift[more < 0 ? 0 : 1];
      }
    }
    return here;
  }

  // Every change of one tensor to a candidate of use, the best per byte first.
  void list_moves(const BudgetItems& here, std::vector<Move>& ups, std::vector<Move>& downs) const {
    for (size_t i = 0; i < here.size(); ++i) {
      for (size_t j = 0; j < here[i].size(); ++j) {
        const int64_t bytes = here[i][j].bytes - here[i][best_[i]].bytes;
        if (j == best_[i] || !on_front(alone_[i], j)) continue;
        (bytes > 0 ? ups : downs).push_back({i, j, bytes, here[i][j].cost});
      }
    }
    const auto by_rate = [](const Move& a, const Move& b) { return a.rate() < b.rate(); };
    std::stable_sort(ups.begin(), ups.end(), by_rate);
    std::stable_sort(downs.begin(), downs.end(), by_rate);
  }

  // One tensor up; with another one down; and of the moves that are best per byte, three of both kinds.
  std::vector<Proposal> exchanges(const BudgetItems& here) const {
    int64_t left = options_.budget_bytes;
    for (size_t i = 0; i < best_.size(); ++i) left -= alone_[i][best_[i]].bytes;
    std::vector<Move> ups, downs;
    list_moves(here, ups, downs);
    std::vector<Proposal> proposals;
    const auto propose = [&](std::initializer_list<Move> moves) {
      Proposal proposal{0, {}};
      int64_t bytes = 0;
      for (const Move& move : moves) {
        for (const auto& [tensor, candidate] : proposal.changes)
          if (tensor == move.tensor) return;
        proposal.cost += move.cost;
        proposal.changes.emplace_back(move.tensor, move.candidate);
        bytes += move.bytes;
      }
      if (bytes <= left) proposals.push_back(std::move(proposal));
    };
    for (const Move& up : ups) {
      propose({up});
      for (const Move& down : downs) propose({up, down});
    }
    const auto few_ups = std::span(ups).first(std::min(kOfThree, ups.size()));
    const auto few_downs = std::span(downs).first(std::min(kOfThree, downs.size()));
    for (size_t i = 0; i < few_ups.size(); ++i)
      for (size_t j = 0; j < few_downs.size(); ++j) {
        for (size_t k = 0; k < i; ++k) propose({few_ups[i], few_ups[k], few_downs[j]});
        for (size_t k = 0; k < j; ++k) propose({few_ups[i], few_downs[j], few_downs[k]});
      }
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
  double too_high_ = 0;  // the most that an expected cost was above the measured one
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
