// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "kernels/linear/linear.h"

namespace halftone {
namespace {

constexpr int8_t kGarbage = 99;

struct Quantized {
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<int32_t> sums;
};

Quantized quantize(QuantizeFn run, const std::vector<float>& x, float fixed_scale = 0) {
  const size_t groups = (x.size() + 31) / 32;
  Quantized q = {std::vector<int8_t>(groups * 32 + 1, kGarbage), std::vector<float>((x.size() + 127) / 128 + 1, -1.0f),
                 std::vector<int32_t>(groups + 1, 77)};
  run(x.data(), static_cast<int64_t>(x.size()), fixed_scale, q.codes.data(), q.scales.data(), q.sums.data());
  return q;
}

template <class Body>
void for_each_kernel(const Body& body) {
  int count = 0, ran = 0;
  const QuantizeKernel* const* kernels = quantize_kernels(&count);
  for (int i = 0; i < count; ++i) {
    for (const Isa isa : supported_isas()) {
      if (isa != kernels[i]->isa) continue;
      SCOPED_TRACE(kernels[i]->name);
      body(kernels[i]->run);
      ++ran;
    }
  }
  EXPECT_GT(ran, 0);
}

TEST(QuantizeActivations, KernelsAgreeBitForBit) {
  const QuantizeFn reference = select_quantize(Isa::scalar);
  for_each_kernel([&](QuantizeFn run) {
    Rng rng(31);
    for (size_t n = 1; n < 420; n += n < 140 ? 1 : 37) {
      for (const float magnitude : {1.0f, 1e-30f, 1e-38f, 1e-44f, 1e30f}) {
        std::vector<float> x(n);
        for (float& value : x) value = static_cast<float>(rng.normal()) * magnitude;
        const Quantized want = quantize(reference, x), got = quantize(run, x);
        ASSERT_EQ(got.codes, want.codes) << n << ' ' << magnitude;
        ASSERT_EQ(got.sums, want.sums) << n;
        for (size_t i = 0; i < want.scales.size(); ++i) {
          ASSERT_EQ(std::bit_cast<uint32_t>(got.scales[i]), std::bit_cast<uint32_t>(want.scales[i])) << n;
        }
      }
    }
  });
}

TEST(QuantizeActivations, RoundsToNearestEvenAndSums) {
  for_each_kernel([](QuantizeFn run) {
    std::vector<float> x(33, 0.0f);  // scale 1
    x[0] = -127;
    x[1] = 0.5f, x[2] = 1.5f, x[3] = 2.5f, x[4] = -0.5f, x[5] = -1.5f, x[6] = 126.5f, x[32] = 3.0f;
    const Quantized q = quantize(run, x);
    const int want[] = {-127, 0, 2, 2, 0, -2, 126};
    for (size_t i = 0; i < 7; ++i) EXPECT_EQ(q.codes[i], want[i]) << i;
    EXPECT_EQ(q.scales[0], 1.0f);
    EXPECT_EQ(q.sums[0], 1);
    EXPECT_EQ(q.sums[1], 3);
    for (size_t i = 33; i < 64; ++i) EXPECT_EQ(q.codes[i], 0) << "padding " << i;
    EXPECT_EQ(q.codes[64], kGarbage);
    EXPECT_EQ(q.scales[1], -1.0f);
    EXPECT_EQ(q.sums[2], 77);
  });
}

// What a fixed scale means, in plain code: every block has it, and values beyond 127 steps are cut.
Quantized plainly(const std::vector<float>& x, float scale) {
  const size_t groups = (x.size() + 31) / 32;
  Quantized q = {std::vector<int8_t>(groups * 32 + 1), std::vector<float>((x.size() + 127) / 128 + 1, scale),
                 std::vector<int32_t>(groups + 1)};
  for (size_t i = 0; i < x.size(); ++i) {
    const float code = std::min(std::max(std::nearbyint(x[i] / scale), -127.0f), 127.0f);
    q.codes[i] = static_cast<int8_t>(code);
    q.sums[i / 32] += q.codes[i];
  }
  q.codes.back() = kGarbage, q.scales.back() = -1, q.sums.back() = 77;
  return q;
}

TEST(QuantizeActivations, AFixedScaleCutsWhatLiesBeyond) {
  for_each_kernel([](QuantizeFn run) {
    Rng rng(32);
    int64_t cut = 0;
    for (size_t n = 1; n < 420; n += n < 140 ? 1 : 37) {
      for (const float scale : {1.0f / 64, 3e-38f, 1e30f, 0.02f}) {
        std::vector<float> x(n);
        for (float& value : x) value = static_cast<float>(rng.normal());
        x[n / 2] = scale * 2.5f;  // a tie
        const Quantized want = plainly(x, scale), got = quantize(run, x, scale);
        ASSERT_EQ(got.codes, want.codes) << n << ' ' << scale;
        ASSERT_EQ(got.sums, want.sums) << n;
        ASSERT_EQ(got.scales, want.scales) << n;
        for (const int8_t code : got.codes) cut += code == 127 || code == -127 ? 1 : 0;
      }
    }
    EXPECT_GT(cut, 1000);
  });
}

TEST(QuantizeActivations, AFixedScaleHidesNoInfinity) {
  for_each_kernel([](QuantizeFn run) {
    std::vector<float> x(300, 1.0f);
    x[130] = std::numeric_limits<float>::infinity();
    const Quantized q = quantize(run, x, 0.5f);
    EXPECT_EQ(q.scales[0], 0.5f);
    EXPECT_TRUE(std::isnan(q.scales[1]));
    EXPECT_EQ(q.scales[2], 0.5f);
    for (size_t i = 128; i < 256; ++i) ASSERT_EQ(q.codes[i], 0) << i;
    EXPECT_EQ(q.codes[299], 2);
  });
}

TEST(QuantizeActivations, ZeroAndNonFiniteBlocks) {
  for_each_kernel([](QuantizeFn run) {
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> x(384, 0.0f);
      x[130] = bad, x[131] = 5.0f;
      x[300] = -2.0f;
      const Quantized q = quantize(run, x);
      EXPECT_EQ(q.scales[0], 0.0f);
      EXPECT_TRUE(std::isnan(q.scales[1]));
      EXPECT_EQ(q.scales[2], 2.0f / 127.0f);
      for (size_t i = 0; i < 256; ++i) ASSERT_EQ(q.codes[i], 0) << i;
      EXPECT_EQ(q.codes[300], -127);
      EXPECT_EQ(q.sums[300 / 32], -127);
    }
  });
}

}  // namespace
}  // namespace halftone
