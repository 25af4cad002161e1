// SPDX-License-Identifier: Apache-2.0
#include "runtime/session.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <map>

#include "base/rng.h"
#include "kernels/isa.h"

namespace halftone {
namespace {

constexpr int kHidden = 40, kHeads = 4, kKvHeads = 2, kHeadDim = 16, kFfn = 44, kVocabulary = 50, kLayers = 2;

// A small decoder with odd widths, its weights as plain float matrices by name.
struct TinyModel {
  std::map<std::string, std::vector<float>, std::less<>> weights;
  std::shared_ptr<const Model> model;

  explicit TinyModel(int64_t window = 0) {
    GraphBuilder builder;
    Rng rng(7);
    const auto matrix = [&](const std::string& name, int64_t rows, int64_t columns) {
      auto& values = weights[name];
      for (int64_t i = 0; i < rows * columns; ++i) {
        values.push_back(rows == 1 ? 1.0f + 0.1f * static_cast<float>(rng.normal())
                                   : static_cast<float>(rng.normal() / std::sqrt(static_cast<double>(columns))));
      }
      return builder.weight(name, rows, columns);
    };
    std::vector<float> frequencies;
    for (int i = 0; i < kHeadDim / 2; ++i)
      frequencies.push_back(std::pow(100.0f, -2.0f * static_cast<float>(i) / kHeadDim));
    const WeightId rope = builder.constant("rope", frequencies);
    const WeightId table = matrix("embed", kVocabulary, kHidden);
    ValueId h = builder.add("embed", Embedding{table}, {});
    for (int l = 0; l < kLayers; ++l) {
      const std::string p = "l" + std::to_string(l) + ".";
      const StateId state = builder.state(p + "kv", kKvHeads, kHeadDim, window);
      const ValueId n = builder.add(p + "norm", RmsNorm{matrix(p + "norm", 1, kHidden), 1e-5f}, {h});
      const ValueId q = builder.add(p + "q", Linear{matrix(p + "q", kHeads * kHeadDim, kHidden)}, {n});
      const ValueId k = builder.add(p + "k", Linear{matrix(p + "k", kKvHeads * kHeadDim, kHidden)}, {n});
      const ValueId v = builder.add(p + "v", Linear{matrix(p + "v", kKvHeads * kHeadDim, kHidden)}, {n});
      const ValueId rq = builder.add(p + "rq", Rope{kHeads, kHeadDim, kHeadDim, rope}, {q});
      const ValueId rk = builder.add(p + "rk", Rope{kKvHeads, kHeadDim, kHeadDim, rope}, {k});
      const ValueId a = builder.add(p + "a", Attention{state, kHeads, kKvHeads, kHeadDim, 0.25f, window}, {rq, rk, v});
      const ValueId o = builder.add(p + "o", Linear{matrix(p + "o", kHidden, kHeads * kHeadDim)}, {a});
      h = builder.add(p + "h1", Add{}, {h, o});
      const ValueId m = builder.add(p + "norm2", RmsNorm{matrix(p + "norm2", 1, kHidden), 1e-5f}, {h});
      const ValueId gate = builder.add(p + "gate", Linear{matrix(p + "gate", kFfn, kHidden)}, {m});
      const ValueId up = builder.add(p + "up", Linear{matrix(p + "up", kFfn, kHidden)}, {m});
      const ValueId s = builder.add(p + "s", SwiGlu{}, {gate, up});
      const ValueId d = builder.add(p + "down", Linear{matrix(p + "down", kHidden, kFfn)}, {s});
      h = builder.add(p + "h2", Add{}, {h, d});
    }
    const ValueId n = builder.add("norm", RmsNorm{matrix("norm", 1, kHidden), 1e-5f}, {h});
    const ValueId logits = builder.add("logits", Linear{table}, {n});
    Result<Graph> graph = std::move(builder).finish(logits);
    EXPECT_TRUE(graph.ok()) << graph.status().message();
    const auto find = [this](std::string_view name) {
      const auto& values = weights.find(name)->second;
      static const std::map<std::string, int64_t, std::less<>> kColumns = {{"o", kHeads * kHeadDim}, {"down", kFfn}};
      const auto column = kColumns.find(name.substr(name.find('.') + 1));
      const int64_t columns = column == kColumns.end() ? kHidden : column->second;
      return WeightView{&layout_of(LayoutId::f32), Order::rows, static_cast<int64_t>(values.size()) / columns, columns,
                        std::as_bytes(std::span(values))};
    };
    auto bound = Model::bind(std::move(graph).value(), find, nullptr);
    EXPECT_TRUE(bound.ok()) << bound.status().message();
    model = std::move(bound).value();
  }
};

using Row = std::vector<double>;

Row times(const std::vector<float>& w, const Row& x) {
  Row y(w.size() / x.size());
  for (size_t r = 0; r < y.size(); ++r) {
    for (size_t c = 0; c < x.size(); ++c) y[r] += static_cast<double>(w[r * x.size() + c]) * x[c];
  }
  return y;
}

Row norm(const std::vector<float>& w, Row x) {
  double sum = 0;
  for (double v : x) sum += v * v;
  for (size_t i = 0; i < x.size(); ++i) x[i] *= w[i] / std::sqrt(sum / static_cast<double>(x.size()) + 1e-5);
  return x;
}

void rotate(Row& x, int position) {
  for (size_t at = 0; at < x.size(); at += kHeadDim) {
    for (size_t i = 0; i < kHeadDim / 2; ++i) {
      const double angle = position * std::pow(100.0, -2.0 * static_cast<double>(i) / kHeadDim);
      const double a = x[at + i], b = x[at + i + kHeadDim / 2];
      x[at + i] = a * std::cos(angle) - b * std::sin(angle);
      x[at + i + kHeadDim / 2] = b * std::cos(angle) + a * std::sin(angle);
    }
  }
}

// The same decoder, written plainly in double precision: logits of the last token.
Row plain_logits(const TinyModel& tiny, const std::vector<int>& tokens, int64_t window) {
  const auto w = [&](const std::string& name) -> const std::vector<float>& { return tiny.weights.find(name)->second; };
  std::vector<std::vector<Row>> keys(kLayers), values(kLayers);
  Row h;
  for (size_t t = 0; t < tokens.size(); ++t) {
    const auto* row = w("embed").data() + tokens[t] * kHidden;
    h.assign(row, row + kHidden);
    for (int l = 0; l < kLayers; ++l) {
      const std::string p = "l" + std::to_string(l) + ".";
      const Row n = norm(w(p + "norm"), h);
      Row q = times(w(p + "q"), n), k = times(w(p + "k"), n), out(kHeads * kHeadDim);
      rotate(q, static_cast<int>(t));
      rotate(k, static_cast<int>(t));
      keys[static_cast<size_t>(l)].push_back(k);
      values[static_cast<size_t>(l)].push_back(times(w(p + "v"), n));
      const size_t first = window > 0 && t + 1 > static_cast<size_t>(window) ? t + 1 - static_cast<size_t>(window) : 0;
      for (size_t head = 0; head < kHeads; ++head) {
        const size_t kv = head / (kHeads / kKvHeads);
        Row p_row;
        double total = 0;
        for (size_t j = first; j <= t; ++j) {
          double dot = 0;
          for (size_t d = 0; d < kHeadDim; ++d) {
            dot += q[head * kHeadDim + d] * keys[static_cast<size_t>(l)][j][kv * kHeadDim + d];
          }
          p_row.push_back(std::exp(0.25 * dot));
          total += p_row.back();
        }
        for (size_t j = first; j <= t; ++j) {
          for (size_t d = 0; d < kHeadDim; ++d) {
            out[head * kHeadDim + d] += p_row[j - first] / total * values[static_cast<size_t>(l)][j][kv * kHeadDim + d];
          }
        }
      }
      const Row o = times(w(p + "o"), out);
      for (size_t i = 0; i < h.size(); ++i) h[i] += o[i];
      const Row m = norm(w(p + "norm2"), h);
      Row gate = times(w(p + "gate"), m);
      const Row up = times(w(p + "up"), m);
      for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      const Row d = times(w(p + "down"), gate);
      for (size_t i = 0; i < h.size(); ++i) h[i] += d[i];
    }
  }
  return times(w("embed"), norm(w("norm"), h));
}

std::vector<int> some_tokens(size_t count) {
  Rng rng(11);
  std::vector<int> tokens;
  for (size_t i = 0; i < count; ++i) tokens.push_back(static_cast<int>(rng.below(kVocabulary)));
  return tokens;
}

using Logits = std::vector<std::vector<float>>;

// Feeds `tokens` in pieces of `piece` and returns the logits of every position.
Logits feed(Executor& executor, Sequence& sequence, const std::vector<int>& tokens, size_t piece) {
  Logits logits;
  Sequence* sequences[] = {&sequence};
  for (size_t at = 0; at < tokens.size(); at += piece) {
    std::vector<BatchToken> batch;
    for (size_t i = at; i < std::min(tokens.size(), at + piece); ++i) batch.push_back({tokens[i], 0, true});
    const Status status = executor.forward(
        sequences, batch, [&](int64_t, std::span<const float> row) { logits.emplace_back(row.begin(), row.end()); });
    EXPECT_TRUE(status.ok()) << status.message();
  }
  return logits;
}

std::unique_ptr<Executor> executor_for(const TinyModel& tiny, int threads) {
  auto executor = Executor::create(tiny.model, {threads, Activations::exact});
  EXPECT_TRUE(executor.ok()) << executor.status().message();
  return std::move(executor).value();
}

TEST(Session, AgreesWithAPlainDoubleImplementation) {
  for (const int64_t window : {0, 5}) {
    const TinyModel tiny(window);
    const auto executor = executor_for(tiny, 2);
    Sequence sequence(tiny.model);
    const std::vector<int> tokens = some_tokens(20);
    const Logits logits = feed(*executor, sequence, tokens, 20);
    const Row expected = plain_logits(tiny, tokens, window);
    ASSERT_EQ(logits.size(), 20u);
    // Keys and values are stored in f16, so agreement is to about three digits.
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(logits.back()[i], expected[i], 5e-3) << "logit " << i;
  }
}

TEST(Session, SameBitsForAnyPieceSizeThreadsAndIsa) {
  const TinyModel tiny;
  const std::vector<int> tokens = some_tokens(300);  // crosses KV blocks, attention ranges and chunks
  for (const KvType kv : {KvType::f16, KvType::int8}) {
    Logits expected;
    for (Isa isa : supported_isas()) {
      ASSERT_TRUE(force_isa(isa).ok());
      for (const int threads : {1, 2, 3}) {
        for (const size_t piece : {size_t{1}, size_t{7}, size_t{300}}) {
          const auto executor = executor_for(tiny, threads);
          Sequence sequence(tiny.model, kv);
          const Logits logits = feed(*executor, sequence, tokens, piece);
          if (expected.empty()) expected = logits;
          ASSERT_EQ(logits, expected) << name_of(isa) << ", " << threads << " threads, pieces of " << piece;
        }
      }
    }
  }
  ASSERT_TRUE(force_isa(supported_isas().back()).ok());
}

TEST(Session, ForkedSequencesDoNotDisturbEachOther) {
  const TinyModel tiny;
  const auto executor = executor_for(tiny, 2);
  const std::vector<int> tokens = some_tokens(70);
  Sequence whole(tiny.model);
  const Logits expected = feed(*executor, whole, tokens, 70);

  Sequence prefix(tiny.model);
  feed(*executor, prefix, {tokens.begin(), tokens.begin() + 66}, 66);
  Sequence a = prefix.fork(), b = prefix.fork();
  Sequence* sequences[] = {&a, &b};
  std::vector<BatchToken> batch;
  for (size_t i = 66; i < 70; ++i) {
    batch.push_back({tokens[i], 0, true});
    batch.push_back({(tokens[i] + 1) % kVocabulary, 1, false});
  }
  Logits got;
  ASSERT_TRUE(executor
                  ->forward(sequences, batch,
                            [&](int64_t, std::span<const float> row) { got.emplace_back(row.begin(), row.end()); })
                  .ok());
  EXPECT_EQ(got, Logits(expected.begin() + 66, expected.end()));
  EXPECT_EQ(prefix.length(), 66);
  EXPECT_EQ(a.length(), 70);
}

TEST(Session, AProfileSumsToTheWholeAndChangesNothing) {
  const TinyModel tiny;
  const auto executor = executor_for(tiny, 2);
  const std::vector<int> tokens = some_tokens(300);
  Sequence plain(tiny.model);
  const Logits expected = feed(*executor, plain, tokens, 300);
  EXPECT_TRUE(executor->take_profile().empty());
  double off = 1;
  for (int attempt = 0; attempt < 5 && off > 0.02;
       ++attempt) {  // another process may take the core before the first step or after the last
    Sequence sequence(tiny.model);
    executor->start_profile();
    const auto begin = std::chrono::steady_clock::now();
    const Logits logits = feed(*executor, sequence, tokens, 300);
    const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - begin;
    const std::vector<StepTotal> steps = executor->take_profile();
    ASSERT_EQ(logits, expected);
    double sum = 0;
    std::map<std::string_view, StepTotal> ops;
    for (const StepTotal& step : steps) {
      sum += step.seconds;
      StepTotal& op = ops[step.op];
      op.calls += step.calls;
      op.weight_bytes += step.weight_bytes;
      op.f32_operations += step.f32_operations;
      op.kv_bytes += step.kv_bytes;
    }
    off = std::abs(sum / whole.count() - 1);
    EXPECT_EQ(ops["attention"].calls, 2 * kLayers);  // two chunks
    EXPECT_EQ(ops["attention"].f32_operations, 4.0 * kLayers * kHeads * kHeadDim * (300 * 301 / 2));
    EXPECT_EQ(ops["attention"].kv_bytes, 4.0 * kLayers * kKvHeads * kHeadDim * (256 + 300 + 300));
    double columns = 0;
    for (const auto& [name, values] : tiny.weights)
      columns += name.find("norm") == std::string::npos ? values.size() : 0;
    EXPECT_EQ(ops["linear"].f32_operations, 2 * 300 * columns);
    EXPECT_GT(ops["caller"].calls, 0);
  }
  EXPECT_LT(off, 0.02);
}

TEST(Session, KeysAndValuesInInt8AreNearAndTakeHalf) {
  const TinyModel tiny;
  auto executor = Executor::create(tiny.model, {2, Activations::exact, KvType::int8});
  ASSERT_TRUE(executor.ok());
  Sequence sequence = (*executor)->make_sequence();
  EXPECT_EQ(sequence.kv(), KvType::int8);
  const std::vector<int> tokens = some_tokens(70);
  const Logits logits = feed(**executor, sequence, tokens, 70);
  const Row expected = plain_logits(tiny, tokens, 0);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(logits.back()[i], expected[i], 5e-2) << "logit " << i;
  Sequence halves(tiny.model);
  feed(**executor, halves, tokens, 70);
  EXPECT_EQ(halves.kv(), KvType::f16);
  EXPECT_EQ(halves.kv_bytes(), 128 * tiny.model->kv_bytes_per_token(KvType::f16));
  EXPECT_EQ(sequence.kv_bytes(), 128 * tiny.model->kv_bytes_per_token(KvType::int8));
  EXPECT_EQ(tiny.model->kv_bytes_per_token(KvType::int8), kLayers * kKvHeads * (2 * kHeadDim + 4));
}

TEST(Session, BlocksThatLeftEveryWindowAreReleased) {
  constexpr int64_t kWindow = 100;
  const TinyModel tiny(kWindow);
  const std::vector<int> tokens = some_tokens(900);
  const auto executor = executor_for(tiny, 2);
  const int64_t block_bytes = kKvBlockTokens * tiny.model->kv_bytes_per_token();
  Logits expected;
  for (const size_t piece : {size_t{1}, size_t{40}, size_t{900}}) {
    Sequence sequence(tiny.model);
    Logits logits;
    for (size_t at = 0; at < tokens.size(); at += piece) {
      const auto end = std::min(tokens.size(), at + piece);
      const auto some =
          feed(*executor, sequence,
               {tokens.begin() + static_cast<int64_t>(at), tokens.begin() + static_cast<int64_t>(end)}, piece);
      logits.insert(logits.end(), some.begin(), some.end());
      // The window, what one chunk of at most 256 adds, and the blocks at both ends that are partly used.
      const int64_t tokens_held = kWindow + std::min<int64_t>(256, static_cast<int64_t>(piece));
      EXPECT_LE(sequence.kv_bytes(), (tokens_held / kKvBlockTokens + 2) * block_bytes) << "after " << end;
    }
    if (expected.empty()) expected = logits;
    ASSERT_EQ(logits, expected) << "pieces of " << piece;
    Sequence fork = sequence.fork();
    EXPECT_FALSE(sequence.truncate(300).ok());
    EXPECT_EQ(sequence.length(), 900);
    ASSERT_TRUE(sequence.truncate(890).ok());
    EXPECT_EQ(feed(*executor, sequence, {tokens.begin() + 890, tokens.end()}, 3),
              Logits(expected.begin() + 890, expected.end()));
    ASSERT_TRUE(fork.truncate(0).ok());
    EXPECT_EQ(fork.kv_bytes(), 0);
    EXPECT_EQ(feed(*executor, fork, {tokens.begin(), tokens.begin() + 70}, 70),
              Logits(expected.begin(), expected.begin() + 70));
  }
  const Row plain = plain_logits(tiny, tokens, kWindow);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(expected.back()[i], plain[i], 5e-3) << "logit " << i;
}

TEST(Session, TruncateForgets) {
  const TinyModel tiny;
  const auto executor = executor_for(tiny, 1);
  const std::vector<int> tokens = some_tokens(70);
  Sequence sequence(tiny.model);
  const Logits expected = feed(*executor, sequence, tokens, 70);
  ASSERT_TRUE(sequence.truncate(40).ok());
  const Logits again = feed(*executor, sequence, {tokens.begin() + 40, tokens.end()}, 13);
  EXPECT_EQ(again, Logits(expected.begin() + 40, expected.end()));
}

TEST(Session, RefusesTokensOutsideTheVocabularyBeforeAnythingChanges) {
  const TinyModel tiny;
  const auto executor = executor_for(tiny, 1);
  Sequence sequence(tiny.model);
  Sequence* sequences[] = {&sequence};
  const std::vector<BatchToken> batch = {{1, 0, false}, {kVocabulary, 0, false}};
  const Status status = executor->forward(sequences, batch, [](int64_t, std::span<const float>) {});
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("0..49, got 50"), std::string_view::npos) << status.message();
  EXPECT_EQ(sequence.length(), 0);
}

}  // namespace
}  // namespace halftone
