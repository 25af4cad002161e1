// SPDX-License-Identifier: Apache-2.0
#include "quantize/tied_table.h"

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/calibration/statistics.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/evaluate/gradients.h"
#include "quantize/evaluate/row_gradients.h"

namespace halftone {
namespace {

constexpr int64_t kBatchTokens = 512;
constexpr uint64_t kSeed = 1;

// Sequences from `next` on, at least one.
Sequences next_batch(const Sequences& all, int64_t& next) {
  Sequences batch;
  do {
    batch.begins.push_back(batch.size());
    batch.tokens.insert(batch.tokens.end(), all.tokens.begin() + all.begin(next), all.tokens.begin() + all.end(next));
  } while (++next < all.count() && batch.size() + all.length(next) <= kBatchTokens);
  return batch;
}

// d (-log p of a token drawn from p) / d logits, p = softmax(logits), in the place of the logits. Adds p to `said`.
void draw_token(const VectorKernels& kernels, double at, std::span<float> logits, std::vector<double>& said) {
  const auto vocabulary = static_cast<int64_t>(logits.size());
  const float most = kernels.maximum(logits.data(), vocabulary);
  const double sum = kernels.sum_of_exp(logits.data(), vocabulary, most, logits.data());
  double left = at * sum;
  size_t token = 0;
  while (token + 1 < logits.size() && left >= static_cast<double>(logits[token]))
    left -= static_cast<double>(logits[token++]);
  const auto part = static_cast<float>(1 / sum);
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] *= part;
    said[i] += static_cast<double>(logits[i]);
  }
  logits[token] -= 1;
}

// Rows of x times the lengths of those of d.
std::vector<float> scaled_by_length(std::span<const float> x, int64_t columns, std::span<const float> d,
                                    int64_t width) {
  std::vector<float> scaled(x.begin(), x.end());
  for (int64_t t = 0; t < std::ssize(x) / columns; ++t) {
    double squares = 0;
    for (const float one : d.subspan(static_cast<size_t>(t * width), static_cast<size_t>(width)))
      squares += static_cast<double>(one) * static_cast<double>(one);
    const auto length = static_cast<float>(std::sqrt(squares));
    for (int64_t k = 0; k < columns; ++k) scaled[static_cast<size_t>(t * columns + k)] *= length;
  }
  return scaled;
}

// Nodes from `begin` on, up to the next part: all they read of what lies before is the value `from`.
struct Part {
  size_t begin;
  ValueId from;  // -1: nothing, at the graph's beginning
};

// As many parts as there are places where a single value goes on: two per layer of a Llama.
std::vector<Part> parts_of(const Graph& graph, size_t end) {
  std::vector<size_t> last_reader(graph.values.size(), 0);
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (const ValueId input : graph.nodes[i].inputs) last_reader[static_cast<size_t>(input)] = i;
  std::vector<Part> parts = {{0, -1}};
  for (size_t i = 1; i < end; ++i) {
    std::vector<ValueId> alive;
    for (size_t made = 0; made < i; ++made)
      if (last_reader[static_cast<size_t>(graph.nodes[made].output)] >= i) alive.push_back(graph.nodes[made].output);
    if (alive.size() == 1) parts.push_back({i, alive[0]});
  }
  return parts;
}

// What batches of text add to the Fisher information. Forward only what goes from part to part is held; each part is
// computed once more on the way back.
class FisherPass {
 public:
  FisherPass(const TiedTable& table, const Graph& graph, const WeightTable& weights, ThreadPool& pool)
      : table_(table),
        graph_(graph),
        weights_(weights),
        pool_(pool),
        parts_(parts_of(graph, table.linear)),
        x_(graph.nodes[table.linear].inputs[0]),
        sum_(graph.values[static_cast<size_t>(x_)].width),
        said_(static_cast<size_t>(graph.values[static_cast<size_t>(graph.logits)].width)) {}

  Status add(const Sequences& batch) {
    HALFTONE_ASSIGN(const auto evaluator, Evaluator::create(graph_, weights_, batch, pool_));
    HALFTONE_CHECK(evaluator->tail_begin() == table_.linear && graph_.nodes.size() <= table_.linear + 2);  // one cap
    std::vector<std::vector<float>> held(parts_.size());
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (const ValueId from = parts_[i].from; from >= 0)
        held[i].assign(evaluator->value(from).begin(), evaluator->value(from).end());
      HALFTONE_TRY(evaluator->run(parts_[i].begin, end_of(i)));
    }
    std::vector<float> d(evaluator->value(x_).size());
    HALFTONE_TRY(back_to_tail(*evaluator, d));
    return back_to_table(batch, held, std::move(d));
  }

  TableFisher finish() {
    TableFisher fisher{sum_.take_mean(), {}};
    const double mean = std::accumulate(said_.begin(), said_.end(), 0.0) / static_cast<double>(said_.size());
    for (const double one : said_) fisher.row_weights.push_back(static_cast<float>(one + mean));
    return fisher;
  }

 private:
  size_t end_of(size_t part) const { return part + 1 < parts_.size() ? parts_[part + 1].begin : table_.linear; }

  // Draws tokens, adds what the logits say, and gives d / d x.
  Status back_to_tail(Evaluator& evaluator, std::vector<float>& d_x) {
    constexpr int64_t kStretch = 64;
    const int64_t tokens = evaluator.tokens(), vocabulary = std::ssize(said_);
    AlignedBuffer<float> logits, d(static_cast<size_t>(tokens * vocabulary));
    for (int64_t begin = 0; begin < tokens; begin += kStretch) {
      const int64_t end = std::min(tokens, begin + kStretch);
      HALFTONE_TRY(evaluator.run_tail(begin, end, logits));
      std::copy_n(logits.data(), (end - begin) * vocabulary, d.data() + begin * vocabulary);
      for (int64_t t = begin; t < end; ++t) {
        const std::span row(d.data() + t * vocabulary, said_.size());
        draw_token(evaluator.products().vector(), rng_.uniform(), row, said_);
        for (size_t node = graph_.nodes.size() - 1; node > table_.linear; --node)
          soft_cap_gradient(logits.data() + (t - begin) * vocabulary, row.data(), vocabulary,
                            std::get<SoftCap>(graph_.nodes[node].op).cap, row.data());
      }
    }
    const std::vector<float> rows =
        scaled_by_length(evaluator.value(x_), evaluator.width(x_), {d.data(), d.size()}, vocabulary);
    sum_.add(rows.data(), tokens, evaluator.products());
    const auto& last = std::get<Linear>(graph_.nodes[table_.linear].op);
    evaluator.products().by_stored(d.data(), tokens, weights_.matrix(last.weight), d_x.data());
    return {};
  }

  Status back_to_table(const Sequences& batch, const std::vector<std::vector<float>>& held, std::vector<float> d) {
    const Node& embedding = graph_.nodes[table_.embedding];
    HALFTONE_ASSIGN(const auto evaluator, Evaluator::create(graph_, weights_, batch, pool_, {.keep_values = true}));
    Gradients gradients(graph_, std::vector<bool>(graph_.weights.size(), false));
    for (size_t i = parts_.size(); i-- > 0;) {
      const ValueId from = parts_[i].from >= 0 ? parts_[i].from : embedding.output;
      const ValueId to = i + 1 < parts_.size() ? parts_[i + 1].from : x_;
      HALFTONE_TRY(evaluator->reset(batch));
      if (parts_[i].from >= 0) evaluator->set_value(from, held[i]);
      HALFTONE_TRY(evaluator->run(parts_[i].begin, end_of(i)));
      gradients.keep({from});
      HALFTONE_TRY(gradients.add(*evaluator, to, d, parts_[i].begin));
      d.assign(gradients.value(from).begin(), gradients.value(from).end());
    }
    const float scale = std::get<Embedding>(embedding.op).scale;
    for (float& pull : d) pull *= scale;
    sum_.add(d.data(), batch.size(), evaluator->products());
    return {};
  }

  const TiedTable& table_;
  const Graph& graph_;
  const WeightTable& weights_;
  ThreadPool& pool_;
  std::vector<Part> parts_;
  ValueId x_;  // what the last matrix multiplies
  HessianSum sum_;
  std::vector<double> said_;  // by token: its probabilities, added up
  Rng rng_{kSeed};
};

}  // namespace

Result<TableFisher> fisher_of(const TiedTable& table, const Graph& graph, const WeightTable& weights,
                              const Sequences& sequences, ThreadPool& pool) {
  FisherPass pass(table, graph, weights, pool);
  Sequences batch;
  for (int64_t next = 0, seen = 0; next < sequences.count() && seen < kFisherTokens; seen += batch.size()) {
    batch = next_batch(sequences, next);
    HALFTONE_TRY(pass.add(batch));
  }
  return pass.finish();
}

}  // namespace halftone
