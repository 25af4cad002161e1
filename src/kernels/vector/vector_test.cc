// SPDX-License-Identifier: Apache-2.0
// Walks kernels.inc: every ISA that this machine runs gives the bits of the scalar one, and those are near double
// precision.
#include "kernels/vector/vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/rng.h"

namespace halftone {
namespace {

constexpr int64_t kSizes[] = {1,  2,  7,   8,   9,   15,  16,  17,  31,  32,   33,  63,
                              64, 65, 172, 255, 256, 257, 511, 512, 513, 1000, 4097};
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kGuard = 12345.678f;

std::vector<const VectorKernels*> runnable() {
  int count = 0;
  const VectorKernels* const* all = vector_kernels(&count);
  std::vector<const VectorKernels*> out;
  for (const Isa isa : supported_isas()) {
    for (int i = 0; i < count; ++i) {
      if (all[i]->isa == isa) out.push_back(all[i]);
    }
  }
  return out;
}

const VectorKernels& scalar() { return select_vector(Isa::scalar); }

std::vector<float> random_floats(int64_t n, uint64_t seed, double deviation = 1) {
  Rng rng(seed);
  std::vector<float> out(static_cast<size_t>(n));
  for (float& x : out) x = static_cast<float>(deviation * rng.normal());
  return out;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Runs `op` on n outputs with 16 guard values behind them, on every ISA; the bits must agree and the guards stay.
template <class Op>
std::vector<float> agreed(int64_t n, const Op& op) {
  std::vector<float> expected;
  for (const VectorKernels* kernels : runnable()) {
    std::vector<float> y(static_cast<size_t>(n) + 16, kGuard);
    op(*kernels, y.data());
    for (size_t i = static_cast<size_t>(n); i < y.size(); ++i) EXPECT_EQ(y[i], kGuard) << kernels->name << " n " << n;
    if (expected.empty()) expected = y;
    EXPECT_TRUE(same_bits(y, expected)) << kernels->name << " differs from scalar at n " << n;
  }
  expected.resize(static_cast<size_t>(n));
  return expected;
}

double ulps_between(float got, double expected) {
  const auto near = static_cast<float>(expected);
  const double ulp = static_cast<double>(std::nextafter(near, kInfinity)) - static_cast<double>(near);
  return std::abs(static_cast<double>(got) - expected) / ulp;
}

// exp of every ISA: sum_of_exp with maximum 0 writes exp(x).
std::vector<float> exp_of(const std::vector<float>& x) {
  return agreed(static_cast<int64_t>(x.size()), [&](const VectorKernels& k, float* y) {
    (void)k.sum_of_exp(x.data(), static_cast<int64_t>(x.size()), 0, y);
  });
}

TEST(Vector, EveryCompiledIsaIsListedAndScalarRuns) {
  int count = 0;
  const VectorKernels* const* all = vector_kernels(&count);
  ASSERT_GE(count, 1);
  EXPECT_EQ(all[count - 1]->isa, Isa::scalar);
  ASSERT_GE(runnable().size(), 1u);
  EXPECT_EQ(runnable().front()->isa, Isa::scalar);
  for (const VectorKernels* kernels : runnable()) {
    EXPECT_EQ(&select_vector(kernels->isa), kernels);
    EXPECT_EQ(kernels->name, name_of(kernels->isa));
  }
}

TEST(VectorExp, WithinTwoUlpOfDouble) {
  std::vector<float> x;
  // Every 1,009th float from the least normal result to the greatest, both signs.
  for (uint32_t bits = 0; bits < std::bit_cast<uint32_t>(88.72f); bits += 1009) {
    x.push_back(std::bit_cast<float>(bits));
    if (x.back() < 87.3f) x.push_back(-x.back());
  }
  ASSERT_GT(x.size(), 1000000u);
  const std::vector<float> y = exp_of(x);
  double worst = 0;
  float worst_x = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double ulps = ulps_between(y[i], std::exp(static_cast<double>(x[i])));
    if (ulps > worst) {
      worst = ulps;
      worst_x = x[i];
    }
  }
  EXPECT_LE(worst, 2) << "at " << worst_x;
  EXPECT_GT(worst, 0.4) << "a float cannot be nearer than half an ulp everywhere: is the test measuring?";
  RecordProperty("worst_ulps", std::to_string(worst));
}

TEST(VectorExp, EdgesAsDocumented) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> y =
      exp_of({0.0f, -0.0f, -87.4f, -1000.0f, -kInfinity, 88.73f, 1000.0f, kInfinity, nan, 88.72f});
  EXPECT_EQ(y[0], 1.0f);
  EXPECT_EQ(y[1], 1.0f);
  for (int i = 2; i < 5; ++i) EXPECT_EQ(y[static_cast<size_t>(i)], 0.0f);
  for (int i = 5; i < 8; ++i) EXPECT_EQ(y[static_cast<size_t>(i)], kInfinity);
  EXPECT_TRUE(std::isnan(y[8]));
  EXPECT_TRUE(std::isfinite(y[9]));
}

TEST(VectorExp, NeverFallsAsXGrows) {
  std::vector<float> x;
  for (float v = -88; v < 88.73f; v += 0.00037f) x.push_back(v);
  // Where the power of two changes, neighbouring floats.
  for (int n = -125; n < 128; ++n) {
    float v = static_cast<float>((n + 0.5) * 0.6931471805599453);
    for (int step = 0; step < 20; ++step) v = std::nextafter(v, -kInfinity);
    for (int step = 0; step < 40; ++step) {
      x.push_back(v);
      v = std::nextafter(v, kInfinity);
    }
  }
  std::sort(x.begin(), x.end());
  const std::vector<float> y = exp_of(x);
  int falls = 0;
  for (size_t i = 1; i < y.size(); ++i) falls += y[i] < y[i - 1];
  EXPECT_EQ(falls, 0);
}

TEST(VectorRmsNorm, SameBitsAndNearDouble) {
  for (const int64_t n : kSizes) {
    const auto x = random_floats(n, 1, 3), weight = random_floats(n, 2);
    for (const float* w : {weight.data(), static_cast<const float*>(nullptr)}) {
      const auto y = agreed(n, [&](const VectorKernels& k, float* out) { k.rms_norm(x.data(), w, n, 1e-5f, out); });
      double squares = 0;
      for (const float v : x) squares += static_cast<double>(v) * v;
      const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
      for (size_t i = 0; i < y.size(); ++i) {
        const double expected = x[i] * factor * (w != nullptr ? w[i] : 1.0f);
        ASSERT_NEAR(y[i], expected, 1e-6 * std::abs(expected) + 1e-12) << "n " << n << " i " << i;
      }
    }
  }
}

TEST(VectorRmsNorm, InPlaceAndZeros) {
  std::vector<float> x = random_floats(100, 3), y(100);
  scalar().rms_norm(x.data(), nullptr, 100, 1e-6f, y.data());
  for (const VectorKernels* k : runnable()) {
    std::vector<float> z = x;
    k->rms_norm(z.data(), nullptr, 100, 1e-6f, z.data());
    EXPECT_TRUE(same_bits(z, y)) << k->name;
  }
  const std::vector<float> zeros(40, 0.0f);
  const auto normed =
      agreed(40, [&](const VectorKernels& k, float* out) { k.rms_norm(zeros.data(), nullptr, 40, 1e-5f, out); });
  for (const float v : normed) EXPECT_EQ(v, 0.0f);
}

TEST(VectorSwiglu, SameBitsAndNearDouble) {
  for (const int64_t n : kSizes) {
    const auto gate = random_floats(n, 4, 6), up = random_floats(n, 5);
    const auto y = agreed(n, [&](const VectorKernels& k, float* out) { k.swiglu(gate.data(), up.data(), n, out); });
    for (size_t i = 0; i < y.size(); ++i) {
      const double expected = gate[i] / (1 + std::exp(-static_cast<double>(gate[i]))) * up[i];
      ASSERT_NEAR(y[i], expected, 6e-7 * std::abs(expected) + 1e-30) << gate[i];
    }
  }
}

TEST(VectorLayerNorm, SameBitsAndNearDouble) {
  for (const int64_t n : kSizes) {
    auto x = random_floats(n, 11, 3);
    for (float& v : x) v += 5;
    const auto weight = random_floats(n, 12), bias = random_floats(n, 13);
    const auto y = agreed(n, [&](const VectorKernels& k, float* out) {
      k.layer_norm(x.data(), weight.data(), bias.data(), n, 1e-5f, out);
    });
    double mean = 0, squares = 0;
    for (const float v : x) mean += static_cast<double>(v) / static_cast<double>(n);
    for (const float v : x) squares += (v - mean) * (v - mean);
    const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    for (size_t i = 0; i < y.size(); ++i) {
      // The mean of n numbers near 5 is rounded; with one number that is all there is.
      const double expected = (x[i] - mean) * factor * weight[i] + bias[i];
      ASSERT_NEAR(y[i], expected, 3e-6 * (1 + std::abs(expected)) + (n < 3 ? 1e-3 : 0)) << "n " << n << " i " << i;
    }
  }
}

TEST(VectorGeglu, SameBitsAndNearDouble) {
  for (const int64_t n : kSizes) {
    const auto gate = random_floats(n, 14, 4), up = random_floats(n, 15);
    for (const float* u : {up.data(), static_cast<const float*>(nullptr)}) {
      const auto y = agreed(n, [&](const VectorKernels& k, float* out) { k.geglu(gate.data(), u, n, out); });
      for (size_t i = 0; i < y.size(); ++i) {
        const double g = gate[i], inner = std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g);
        // e^-2u with u up to 50 here, whose rounding the result inherits where it is next to nothing.
        const double expected = g / (1 + std::exp(-2 * inner)) * (u != nullptr ? u[i] : 1.0f);
        ASSERT_NEAR(y[i], expected, 1e-6 * std::abs(expected) * (1 + std::abs(inner)) + 1e-30) << gate[i];
      }
    }
  }
  const std::vector<float> huge = {-1000, -30, 0, 30, 1000};
  const auto y = agreed(5, [&](const VectorKernels& k, float* out) { k.geglu(huge.data(), nullptr, 5, out); });
  EXPECT_EQ(y, (std::vector<float>{-0.0f, -0.0f, 0, 30, 1000}));
}

TEST(VectorSoftCap, SameBitsAndNearDouble) {
  for (const float cap : {0.5f, 30.0f}) {
    for (const double deviation : {1e-4, 0.3, 20.0, 1000.0}) {
      const auto x = random_floats(4097, 16, deviation);
      const auto y = agreed(4097, [&](const VectorKernels& k, float* out) { k.soft_cap(x.data(), 4097, cap, out); });
      for (size_t i = 0; i < y.size(); ++i) {
        const double expected = cap * std::tanh(static_cast<double>(x[i]) / cap);
        ASSERT_NEAR(y[i], expected, 5e-7 * std::abs(expected)) << x[i] << " cap " << cap;
      }
    }
  }
  const std::vector<float> edges = {-kInfinity, -0.0f, kInfinity, std::numeric_limits<float>::quiet_NaN()};
  const auto y = agreed(4, [&](const VectorKernels& k, float* out) { k.soft_cap(edges.data(), 4, 2, out); });
  EXPECT_EQ(y[0], -2.0f);
  EXPECT_EQ(y[2], 2.0f);
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_TRUE(std::isnan(y[3]));
}

TEST(VectorSwiglu, HugeGates) {
  const std::vector<float> gate = {-1000, -100, -88.8f, 0, 88.8f, 1000, kInfinity}, up(7, 2.0f);
  const auto y = agreed(7, [&](const VectorKernels& k, float* out) { k.swiglu(gate.data(), up.data(), 7, out); });
  EXPECT_EQ(y, (std::vector<float>{-0.0f, -0.0f, -0.0f, 0, 177.6f, 2000, kInfinity}));
}

TEST(VectorAdd, SameBitsAlsoInPlace) {
  for (const int64_t n : kSizes) {
    const auto a = random_floats(n, 6), b = random_floats(n, 7);
    const auto y = agreed(n, [&](const VectorKernels& k, float* out) { k.add(a.data(), b.data(), n, out); });
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], a[i] + b[i]);
    for (const VectorKernels* k : runnable()) {
      auto in_place = a;
      k->add(in_place.data(), b.data(), n, in_place.data());
      EXPECT_TRUE(same_bits(in_place, y)) << k->name;
    }
  }
}

TEST(VectorRope, SameBitsAndRotatesHalves) {
  struct Shape {
    int64_t heads, head_dim, rotary;
  };
  for (const Shape s :
       {Shape{1, 2, 2}, {3, 8, 8}, {2, 64, 64}, {5, 80, 32}, {2, 96, 72}, {4, 128, 128}, {1, 256, 256}}) {
    const int64_t n = s.heads * s.head_dim, half = s.rotary / 2;
    const auto x = random_floats(n, 8), angle = random_floats(half, 9);
    std::vector<float> cosine, sine;
    for (const float a : angle) {
      cosine.push_back(std::cos(a));
      sine.push_back(std::sin(a));
    }
    const auto y = agreed(n, [&](const VectorKernels& k, float* out) {
      std::memcpy(out, x.data(), x.size() * sizeof(float));
      k.rope(out, s.heads, s.head_dim, s.rotary, cosine.data(), sine.data());
    });
    for (int64_t i = 0; i < n; ++i) {
      const int64_t d = i % s.head_dim, pair = d < half ? i + half : i - half;
      const auto a = static_cast<size_t>(i), b = static_cast<size_t>(pair);
      const double c = d < s.rotary ? cosine[static_cast<size_t>(d % half)] : 1;
      const double t = d < s.rotary ? sine[static_cast<size_t>(d % half)] : 0;
      const double expected = d >= s.rotary ? x[a] : d < half ? x[a] * c - x[b] * t : x[a] * c + x[b] * t;
      ASSERT_NEAR(y[a], expected, 1e-6) << "head_dim " << s.head_dim << " d " << d;
      ASSERT_TRUE(d < s.rotary || y[a] == x[a]) << "beyond the rotary part nothing changes";
    }
  }
}

TEST(VectorLogSumExp, SameBitsAndNearDouble) {
  for (const int64_t n : {int64_t{1}, int64_t{15}, int64_t{17}, int64_t{4096}, int64_t{4100}, int64_t{128256}}) {
    for (const double deviation : {0.01, 3.0, 30.0}) {
      const auto x = random_floats(n, static_cast<uint64_t>(n), deviation);
      double most = -INFINITY, sum = 0;
      for (const float v : x) most = std::max(most, static_cast<double>(v));
      for (const float v : x) sum += std::exp(v - most);
      const double expected = most + std::log(sum);
      for (const VectorKernels* k : runnable()) {
        const double got = k->log_sum_exp(x.data(), n);
        EXPECT_EQ(got, scalar().log_sum_exp(x.data(), n)) << k->name;
        EXPECT_NEAR(got, expected, 2e-7) << k->name << " n " << n << " deviation " << deviation;
      }
    }
  }
}

TEST(VectorSoftmax, SameBitsSumsToOneAndNearDouble) {
  for (const int64_t n : kSizes) {
    const auto x = random_floats(n, static_cast<uint64_t>(n) + 50, 4);
    const auto y = agreed(n, [&](const VectorKernels& k, float* out) {
      std::memcpy(out, x.data(), x.size() * sizeof(float));
      EXPECT_EQ(k.softmax(out, n), *std::max_element(x.begin(), x.end()));
    });
    double most = -INFINITY, sum = 0, total = 0;
    for (const float v : x) most = std::max(most, static_cast<double>(v));
    for (const float v : x) sum += std::exp(v - most);
    for (size_t i = 0; i < y.size(); ++i) {
      const double expected = std::exp(x[i] - most) / sum;
      ASSERT_NEAR(y[i], expected, (3e-7 + 1e-7 * (most - x[i])) * expected) << "n " << n;  // x - most is rounded
      total += y[i];
    }
    EXPECT_NEAR(total, 1, 4e-7) << "n " << n;
  }
}

TEST(VectorSoftmax, NotANumberIsNeverHidden) {
  std::vector<float> x(40, 1.0f);
  x[33] = std::numeric_limits<float>::quiet_NaN();
  for (const VectorKernels* k : runnable()) {
    auto y = x;
    (void)k->softmax(y.data(), 40);
    EXPECT_TRUE(std::isnan(y[0])) << k->name;
    EXPECT_TRUE(std::isnan(k->log_sum_exp(x.data(), 40))) << k->name;
  }
  std::vector<float> masked(20, -kInfinity);
  masked[3] = 2;
  for (const VectorKernels* k : runnable()) {
    auto y = masked;
    EXPECT_EQ(k->softmax(y.data(), 20), 2.0f);
    EXPECT_EQ(y[3], 1.0f) << k->name;
    EXPECT_EQ(y[4], 0.0f) << k->name;
  }
}

}  // namespace
}  // namespace halftone
