// SPDX-License-Identifier: Apache-2.0
#include "quantize/evaluate/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"

namespace halftone {
namespace {

// In double, from the definition.
double plain_divergence(std::span<const double> reference, std::span<const double> candidate, double temperature) {
  const auto log_softmax = [&](std::span<const double> logits) {
    double sum = 0;
    for (const double x : logits) sum += std::exp(x / temperature);
    std::vector<double> out;
    for (const double x : logits) out.push_back(x / temperature - std::log(sum));
    return out;
  };
  const std::vector<double> p = log_softmax(reference), q = log_softmax(candidate);
  double kl = 0;
  for (size_t i = 0; i < p.size(); ++i) kl += std::exp(p[i]) * (p[i] - q[i]);
  return kl;
}

struct Logits {
  static constexpr int64_t kRows = 5, kVocabulary = 53;
  std::vector<float> reference, candidate;
  Logits() {
    Rng rng(2);
    for (int64_t i = 0; i < kRows * kVocabulary; ++i) {
      reference.push_back(static_cast<float>(3 * rng.normal()));
      candidate.push_back(reference.back() + static_cast<float>(0.2 * rng.normal()));
    }
  }
  std::vector<double> row(const std::vector<float>& logits, int64_t row) const {
    return {logits.begin() + row * kVocabulary, logits.begin() + (row + 1) * kVocabulary};
  }
};

TEST(Divergence, AndItsGradientAreThoseOfTheDefinition) {
  const Logits logits;
  for (const float temperature : {1.0f, 2.0f}) {
    std::vector<double> kl(Logits::kRows);
    std::vector<float> gradient(logits.reference.size());
    ThreadPool pool(2);
    divergence({logits.reference, logits.candidate, Logits::kVocabulary, temperature, 0.5f},
               select_vector(*active_isa()), pool, kl, gradient.data());
    for (int64_t row = 0; row < Logits::kRows; ++row) {
      const auto reference = logits.row(logits.reference, row);
      auto candidate = logits.row(logits.candidate, row);
      const auto t = static_cast<double>(temperature);
      EXPECT_NEAR(kl[static_cast<size_t>(row)], plain_divergence(reference, candidate, t), 1e-7);
      for (size_t i = 0; i < candidate.size(); ++i) {
        constexpr double kStep = 1e-4;
        const double at = candidate[i];
        candidate[i] = at + kStep;
        const double above = plain_divergence(reference, candidate, t);
        candidate[i] = at - kStep;
        const double below = plain_divergence(reference, candidate, t);
        candidate[i] = at;
        const float got = gradient[static_cast<size_t>(row * Logits::kVocabulary) + i];
        EXPECT_NEAR(static_cast<double>(got), 0.5 * (above - below) / (2 * kStep), 1e-7) << i;
      }
    }
  }
}

TEST(Divergence, OfEqualRowsIsZeroAndLargeLogitsStand) {
  ThreadPool pool(1);
  const std::vector<float> logits = {1e4f, -1e4f, 3}, other = {-1e4f, 1e4f, 3};
  std::vector<double> kl(1);
  std::vector<float> gradient(3);
  const VectorKernels& kernels = select_vector(*active_isa());
  divergence({logits, logits, 3}, kernels, pool, kl, gradient.data());
  EXPECT_EQ(kl[0], 0);
  EXPECT_EQ(gradient, std::vector<float>(3));
  divergence({logits, other, 3}, kernels, pool, kl, gradient.data());
  EXPECT_EQ(kl[0], 2e4);
  EXPECT_EQ(gradient, (std::vector<float>{-1, 1, 0}));
}

TEST(Divergence, OfALogitThatIsNotFiniteIsNotANumber) {
  ThreadPool pool(1);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<double> kl(1);
    divergence({std::vector<float>{0, 1}, std::vector<float>{0, bad}, 2}, select_vector(*active_isa()), pool, kl,
               nullptr);
    EXPECT_TRUE(std::isnan(kl[0]));
  }
}

TEST(Divergence, MayWriteOverTheCandidate) {
  Logits logits;
  std::vector<double> kl(Logits::kRows);
  std::vector<float> apart(logits.reference.size());
  ThreadPool pool(2);
  const VectorKernels& kernels = select_vector(*active_isa());
  const DivergenceRows rows{logits.reference, logits.candidate, Logits::kVocabulary};
  divergence(rows, kernels, pool, kl, apart.data());
  divergence(rows, kernels, pool, kl, logits.candidate.data());
  EXPECT_EQ(logits.candidate, apart);
}

}  // namespace
}  // namespace halftone
