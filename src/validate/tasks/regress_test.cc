// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "validate/fake_network.h"

namespace halftone {
namespace {

constexpr int kRegressSamples = 200;

// Two numbers in, their sum and product out; the candidate is off by an amount that the first number gives.
std::vector<float> sum_and_product(std::span<const float> x) { return {x[0] + x[1], x[0] * x[1]}; }
std::vector<float> a_bit_off(std::span<const float> x) { return {x[0] + x[1] + 0.1F * x[0], x[0] * x[1] - 0.2F}; }

class Regress : public testing::Test {
 protected:
  void SetUp() override {
    Rng rng(4);
    std::string list = "path,value,kind\n";
    for (int i = 0; i < kRegressSamples; ++i) {
      const double a = rng.uniform(), b = rng.uniform();
      numbers_.push_back(static_cast<float>(a));
      numbers_.push_back(static_cast<float>(b));
      targets_.push_back(a + b + 0.05);
      targets_.push_back(a * b);
      list += fmt::format("numbers.npy#{},{} {},{}\n", i, targets_[2 * i], targets_[2 * i + 1], i % 2 ? "odd" : "even");
    }
    write_rows(folder_, numbers_, 2);
    ASSERT_TRUE(write_file_atomic(folder_ / "list.csv", list).ok());
    ASSERT_TRUE(
        write_file_atomic(folder_ / "s.yaml", "name: sums\ntask: regress\nfile: list.csv\nslices: kind\n").ok());
  }

  // Per sample, the definition: the mean over both numbers.
  std::vector<double> errors(const FakeNetwork::Function& function) const {
    std::vector<double> errors;
    for (int i = 0; i < kRegressSamples; ++i) {
      const std::vector<float> values = function(std::span(numbers_).subspan(static_cast<size_t>(2 * i), 2));
      errors.push_back(
          (std::abs(double(values[0]) - targets_[2 * i]) + std::abs(double(values[1]) - targets_[2 * i + 1])) / 2);
    }
    return errors;
  }
  static double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  }
  Result<Validation> validate(FakeNetwork candidate, const Gate* gate = nullptr) {
    FakeNetwork reference(sum_and_product);
    return validate_networks(reference, candidate, (folder_ / "s.yaml").string(), gate, 400);
  }

  TempFolder folder_;
  std::vector<float> numbers_;
  std::vector<double> targets_;
};

TEST_F(Regress, MeanAndTailAreTheDefinition) {
  const auto validation = validate(FakeNetwork(a_bit_off));
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  const Comparison& comparison = validation->comparison;
  const std::vector<double> before = errors(sum_and_product);
  std::vector<double> after = errors(a_bit_off);
  const MetricRow& row = metric_of(comparison, "absolute_error");
  EXPECT_NEAR(*row.reference, mean(before), 1e-6);
  EXPECT_NEAR(*row.candidate, mean(after), 1e-6);
  EXPECT_NEAR(row.delta, mean(after) - mean(before), 1e-6);
  ASSERT_TRUE(row.interval.has_value());
  EXPECT_LT(row.interval->low, row.delta);
  EXPECT_EQ(row.n, kRegressSamples);
  EXPECT_EQ(row.method, "bca_bootstrap");
  std::sort(after.begin(), after.end());
  EXPECT_NEAR(*tails_named(comparison, "absolute_error").quantiles[1].value, after[189],
              1e-6);  // p95 of 200: the 190th
  ASSERT_EQ(comparison.slices.size(), 2U);
  EXPECT_EQ(comparison.slices[0].accuracy.n, kRegressSamples / 2);
  ASSERT_FALSE(comparison.worst.empty());
  EXPECT_GT(comparison.worst[0].loss, 0);
  // What the file holds gives the same bits.
  const auto again = parse_records(format_records(validation->records), "samples.jsonl");
  ASSERT_TRUE(again.ok()) << again.status().message();
  CompareOptions options;
  options.replicates = 400;
  EXPECT_EQ(to_json(*compare(*again, nullptr, options)), to_json(comparison));
}

TEST_F(Regress, AGateReadsMeanAndTail) {
  const auto gate = parse_gate(
      "checks:\n- {metric: absolute_error.increase, max: 0.02}\n- {metric: absolute_error.p95, max: 0.3, unit: "
      "value}\n",
      "g.yaml");
  ASSERT_TRUE(gate.ok()) << gate.status().message();
  EXPECT_EQ(validate(FakeNetwork(sum_and_product), &*gate)->comparison.gate->verdict, Verdict::pass);
  const auto worse = validate(FakeNetwork(a_bit_off), &*gate);
  EXPECT_EQ(worse->comparison.gate->checks[0].verdict, Verdict::fail);
  EXPECT_EQ(worse->comparison.gate->checks[1].verdict, Verdict::pass);
}

TEST_F(Regress, WhatDoesNotFitIsNamed) {
  const auto one = validate(FakeNetwork([](std::span<const float> x) { return std::vector<float>{x[0]}; }));
  EXPECT_NE(std::string(one.status().message()).find("sample numbers.npy#0: output: expected 2 numbers"),
            std::string::npos)
      << one.status().message();
  ASSERT_TRUE(write_file_atomic(folder_ / "list.csv", "path,value,kind\nnumbers.npy#0,1 x,odd\n").ok());
  EXPECT_EQ(std::string(load_suite((folder_ / "s.yaml").string()).status().message()),
            (folder_ / "list.csv").string() + ":2: value: expected numbers with spaces between, got \"1 x\"");
  ASSERT_TRUE(write_file_atomic(folder_ / "list.csv", "path,label\nnumbers.npy#0,1\n").ok());
  EXPECT_NE(std::string(load_suite((folder_ / "s.yaml").string()).status().message())
                .find(":1: expected the columns path and value, got path, label"),
            std::string::npos);
  EXPECT_NE(std::string(parse_record(R"({"suite":"s","task":"regress","id":"a","group":"a","split":"all",)"
                                     R"("candidate":"c","slices":{},"text":"","targets":[1],"reference_values":[1],)"
                                     R"("candidate_values":[]})",
                                     "f", 3)
                            .status()
                            .message())
                .find("f:3: targets: expected 1 or more"),
            std::string::npos);
}

}  // namespace
}  // namespace halftone
