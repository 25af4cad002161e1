// SPDX-License-Identifier: Apache-2.0
// Walks kernels.inc: every ISA that this machine runs gives the bits of the chain that conv.h states.
#include "kernels/conv/conv.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "base/aligned.h"
#include "base/rng.h"

namespace halftone {
namespace {

constexpr float kGuard = 12345.678f;

struct Problem {
  int64_t runs, length, pixels, channels;
  bool bias;
};

std::vector<float> random_numbers(Rng& rng, int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = static_cast<float>(rng.normal());
  return out;
}

std::vector<const ConvKernels*> runnable() {
  int count = 0;
  const ConvKernels* const* all = conv_kernels(&count);
  std::vector<const ConvKernels*> out;
  for (const Isa isa : supported_isas())
    for (int i = 0; i < count; ++i)
      if (all[i]->isa == isa) out.push_back(all[i]);
  return out;
}

void expect_bits(const std::vector<float>& got, const std::vector<float>& want, const char* name) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(std::bit_cast<uint32_t>(got[i]), std::bit_cast<uint32_t>(want[i]))
        << name << " at " << i << ": " << got[i] << " instead of " << want[i];
}

// Both kinds, from numbers that lie anywhere; y has a column of guards.
void check(const Problem& p, bool depthwise) {
  Rng rng(static_cast<uint64_t>(p.runs * 1000 + p.pixels * 10 + p.channels));
  const int64_t taken = depthwise ? p.channels : p.length, columns = depthwise ? 1 : p.length;
  const std::vector<float> x = random_numbers(rng, taken + 500), bias = random_numbers(rng, p.channels);
  const std::vector<float> w = random_numbers(rng, p.channels * p.runs * columns);  // (outputs, runs, columns)
  std::vector<const float*> from;
  for (int64_t i = 0; i < p.runs * p.pixels; ++i) from.push_back(x.data() + rng.below(500));
  AlignedBuffer<float> packed(static_cast<size_t>(conv_packed_floats(p.channels, p.runs * columns)));
  pack_conv({w.data(), p.channels, p.runs, columns, p.runs * columns, columns, 1}, packed.data());
  const int64_t stride = p.channels + 1;
  std::vector<float> want(static_cast<size_t>(p.pixels * stride), kGuard);
  for (int64_t pixel = 0; pixel < p.pixels; ++pixel)
    for (int64_t o = 0; o < p.channels; ++o) {
      float acc = p.bias ? bias[static_cast<size_t>(o)] : 0;
      for (int64_t run = 0; run < p.runs; ++run)
        for (int64_t i = 0; i < columns; ++i)
          acc = std::fma(from[static_cast<size_t>(run * p.pixels + pixel)][depthwise ? o : i],
                         w[static_cast<size_t>((o * p.runs + run) * columns + i)], acc);
      want[static_cast<size_t>(pixel * stride + o)] = acc;
    }
  for (const ConvKernels* kernels : runnable()) {
    std::vector<float> got(want.size(), kGuard);
    const ConvArgs args{from.data(), p.runs,     taken, p.pixels, packed.data(), p.bias ? bias.data() : nullptr,
                        p.channels,  got.data(), stride};
    (depthwise ? kernels->run.depthwise : kernels->run.general)(args);
    expect_bits(got, want, kernels->name);
  }
}

TEST(Conv, EveryIsaGivesTheChain) {
  ASSERT_FALSE(runnable().empty());
  for (const int64_t channels : {1, 15, 16, 17, 32, 33, 48, 65})
    for (const int64_t pixels : {1, 5, 6, 7, 12, 13, 25, 96})
      for (const bool depthwise : {false, true}) check({9, 5, pixels, channels, pixels % 2 == 0}, depthwise);
  check({1, 300, 24, 40, true}, false);
}

TEST(Conv, PackingFillsTheLastPanelWithZeros) {
  const float weights[] = {1, 2, 3, 4, 5, 6};  // (3 outputs, 2 taps)
  float packed[32];
  pack_conv({weights, 3, 2, 1, 2, 1, 0}, packed);
  EXPECT_EQ(packed[0], 1);
  EXPECT_EQ(packed[2], 5);
  EXPECT_EQ(packed[3], 0);
  EXPECT_EQ(packed[16 + 1], 4);
  EXPECT_EQ(packed[16 + 15], 0);
}

}  // namespace
}  // namespace halftone
