// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "validate/fake_network.h"

namespace halftone {
namespace {

constexpr int kRetrieveSamples = 120, kRetrieveLabels = 30, kEmbeddingWidth = 6;

std::vector<float> as_it_is(std::span<const float> x) { return {x.begin(), x.end()}; }
// Coarse steps: what rounding does.
std::vector<float> rounded(std::span<const float> x) {
  std::vector<float> out;
  for (const float value : x) out.push_back(std::round(value * 1.5F) / 1.5F);
  return out;
}

class Retrieve : public testing::Test {
 protected:
  void SetUp() override {
    Rng rng(6);
    std::vector<float> centres;
    for (int i = 0; i < kRetrieveLabels * kEmbeddingWidth; ++i) centres.push_back(static_cast<float>(rng.normal()));
    std::string list = "path,label\n";
    for (int i = 0; i < kRetrieveSamples; ++i) {
      labels_.push_back(i * 7 % kRetrieveLabels);
      for (int k = 0; k < kEmbeddingWidth; ++k)
        numbers_.push_back(centres[static_cast<size_t>(labels_.back() * kEmbeddingWidth + k)] +
                           0.7F * static_cast<float>(rng.normal()));
      list += fmt::format("numbers.npy#{},thing {}\n", i, labels_.back());
    }
    write_rows(folder_, numbers_, kEmbeddingWidth);
    ASSERT_TRUE(write_file_atomic(folder_ / "list.csv", list).ok());
  }

  // Of every sample the ten with the largest cosine, by sorting all.
  std::vector<std::vector<int>> neighbours(const FakeNetwork::Function& function) const {
    std::vector<std::vector<double>> all;
    for (int i = 0; i < kRetrieveSamples; ++i) {
      const auto values =
          function(std::span(numbers_).subspan(static_cast<size_t>(i * kEmbeddingWidth), kEmbeddingWidth));
      all.emplace_back(values.begin(), values.end());
    }
    const auto cosine = [&](int a, int b) {
      double ab = 0, aa = 0, bb = 0;
      for (int k = 0; k < kEmbeddingWidth; ++k) {
        ab += all[a][k] * all[b][k];
        aa += all[a][k] * all[a][k];
        bb += all[b][k] * all[b][k];
      }
      return ab / std::sqrt(aa * bb);
    };
    std::vector<std::vector<int>> found;
    for (int i = 0; i < kRetrieveSamples; ++i) {
      std::vector<int> others;
      for (int j = 0; j < kRetrieveSamples; ++j)
        if (j != i) others.push_back(j);
      std::stable_sort(others.begin(), others.end(), [&](int a, int b) { return cosine(i, a) > cosine(i, b) + 1e-12; });
      others.resize(10);
      found.push_back(std::move(others));
    }
    return found;
  }
  // Recall of at most ten, nDCG, and how often the nearest is relevant, by their definitions.
  std::array<double, 3> scores(const std::vector<std::vector<int>>& found) const {
    std::array<double, 3> sums = {};
    for (int i = 0; i < kRetrieveSamples; ++i) {
      const auto relevant = std::count(labels_.begin(), labels_.end(), labels_[i]) - 1;
      double hits = 0, gain = 0, best = 0;
      for (int rank = 0; rank < 10; ++rank) {
        const double worth = 1 / std::log2(rank + 2.0);
        if (labels_[found[i][rank]] == labels_[i]) {
          ++hits;
          gain += worth;
        }
        if (rank < relevant) best += worth;
      }
      sums[0] += hits / static_cast<double>(std::min<int64_t>(relevant, 10));
      sums[1] += gain / best;
      sums[2] += labels_[found[i][0]] == labels_[i];
    }
    for (double& sum : sums) sum /= kRetrieveSamples;
    return sums;
  }
  Result<Validation> validate(FakeNetwork candidate, const Gate* gate = nullptr) {
    FakeNetwork reference(as_it_is);
    return validate_networks(reference, candidate, "retrieve:" + (folder_ / "list.csv").string(), gate, 400);
  }

  TempFolder folder_;
  std::vector<float> numbers_;
  std::vector<int> labels_;
};

TEST_F(Retrieve, EveryFigureIsItsDefinition) {
  const auto validation = validate(FakeNetwork(rounded));
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  const Comparison& comparison = validation->comparison;
  const auto before = neighbours(as_it_is), after = neighbours(rounded);
  const auto expected_before = scores(before), expected_after = scores(after);
  const char* const names[] = {"recall_at_10", "ndcg_at_10", "nearest_right"};
  for (size_t m = 0; m < 3; ++m) {
    const MetricRow& row = metric_of(comparison, names[m]);
    EXPECT_NEAR(*row.reference, expected_before[m], 1e-9) << names[m];
    EXPECT_NEAR(*row.candidate, expected_after[m], 1e-9) << names[m];
    EXPECT_TRUE(row.interval.has_value());
  }
  EXPECT_GT(expected_before[0], expected_after[0]);
  double flips = 0;
  for (int i = 0; i < kRetrieveSamples; ++i)
    for (const int one : before[i]) flips += std::find(after[i].begin(), after[i].end(), one) == after[i].end();
  EXPECT_NEAR(metric_of(comparison, "neighbour_flips").delta, flips / (10.0 * kRetrieveSamples), 1e-9);
  EXPECT_EQ(metric_of(comparison, "neighbour_flips").n, 10 * kRetrieveSamples);
  EXPECT_EQ(tails_named(comparison, "cosine_distance").n, kRetrieveSamples);
  EXPECT_GT(tails_named(comparison, "cosine_distance").max, 0.001);
  const auto again = parse_records(format_records(validation->records), "samples.jsonl");
  ASSERT_TRUE(again.ok()) << again.status().message();
  CompareOptions options;
  options.replicates = 400;
  EXPECT_EQ(to_json(*compare(*again, nullptr, options)), to_json(comparison));
}

// No ranking changed: a bootstrap of zeros would say "no loss, for sure".
TEST_F(Retrieve, NothingLostOfFewIsNotNothingLost) {
  const auto gate = parse_gate("checks:\n- {metric: recall_at_10.loss, max: 1}\n", "g.yaml");
  ASSERT_TRUE(gate.ok()) << gate.status().message();
  const auto same = validate(FakeNetwork(as_it_is), &*gate);
  EXPECT_EQ(same->comparison.gate->checks[0].value, 0.0);
  EXPECT_EQ(same->comparison.gate->verdict, Verdict::inconclusive);  // 120 queries bound the loss at 2.5 points
  const auto worse = validate(FakeNetwork([](std::span<const float> x) {
                                return std::vector<float>{x[5], 1};
                              }),
                              &*gate);
  EXPECT_EQ(worse->comparison.gate->verdict, Verdict::fail);
}

TEST_F(Retrieve, ALabelAloneIsNamed) {
  ASSERT_TRUE(
      write_file_atomic(folder_ / "list.csv", "path,label\nnumbers.npy#0,a\nnumbers.npy#1,a\nnumbers.npy#2,b\n").ok());
  EXPECT_NE(std::string(validate(FakeNetwork(as_it_is)).status().message())
                .find("sample numbers.npy#2: label: expected another sample labelled \"b\" in this part, got none"),
            std::string::npos);
}

}  // namespace
}  // namespace halftone
