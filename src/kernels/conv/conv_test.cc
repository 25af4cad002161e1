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
  bool ends = false;  // with what is added, and limits
};
constexpr float kLeast = -0.5f, kMost = 1.25f;

// As Binary add and Clip compute it.
float ended(float sum, const float* added) {
  if (added != nullptr) sum += *added;
  return sum < kLeast ? kLeast : sum > kMost ? kMost : sum;
}

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
  std::vector<float> added = random_numbers(rng, p.pixels * stride);
  added[0] = std::nanf("");  // goes through limits
  std::vector<float> want(static_cast<size_t>(p.pixels * stride), kGuard);
  for (int64_t pixel = 0; pixel < p.pixels; ++pixel)
    for (int64_t o = 0; o < p.channels; ++o) {
      float acc = p.bias ? bias[static_cast<size_t>(o)] : 0;
      for (int64_t run = 0; run < p.runs; ++run)
        for (int64_t i = 0; i < columns; ++i)
          acc = std::fma(from[static_cast<size_t>(run * p.pixels + pixel)][depthwise ? o : i],
                         w[static_cast<size_t>((o * p.runs + run) * columns + i)], acc);
      const auto at = static_cast<size_t>(pixel * stride + o);
      want[at] = p.ends ? ended(acc, &added[at]) : acc;
    }
  for (const ConvKernels* kernels : runnable()) {
    std::vector<float> got(want.size(), kGuard);
    ConvArgs args{from.data(), p.runs,     taken, p.pixels, packed.data(), p.bias ? bias.data() : nullptr,
                  p.channels,  got.data(), stride};
    if (p.ends) args.added = added.data(), args.least = kLeast, args.most = kMost;
    (depthwise ? kernels->run.depthwise : kernels->run.general)(args);
    expect_bits(got, want, kernels->name);
  }
}

TEST(Conv, EveryIsaGivesTheChain) {
  ASSERT_FALSE(runnable().empty());
  for (const int64_t channels : {1, 15, 16, 17, 32, 33, 48, 65})
    for (const int64_t pixels : {1, 5, 6, 7, 12, 13, 25, 96})
      for (const bool depthwise : {false, true})
        check({9, 5, pixels, channels, pixels % 2 == 0, channels % 2 == 0}, depthwise);
  check({1, 300, 24, 40, true}, false);
}

// Columns that lie anywhere, as those of an image and its pads do.
void check_row(int64_t kernel, int64_t stride, int64_t pixels, int64_t channels) {
  Rng rng(static_cast<uint64_t>(kernel * 1000 + stride * 100 + pixels + channels));
  const int64_t rows = 3, columns = (pixels - 1) * stride + kernel, taps = rows * kernel, y_stride = channels + 1;
  const std::vector<float> x = random_numbers(rng, channels + 500), bias = random_numbers(rng, channels);
  const std::vector<float> w = random_numbers(rng, channels * taps), added = random_numbers(rng, pixels * y_stride);
  std::vector<const float*> from;
  for (int64_t i = 0; i < rows * columns; ++i) from.push_back(x.data() + rng.below(500));
  AlignedBuffer<float> packed(static_cast<size_t>(conv_packed_floats(channels, taps)));
  pack_conv({w.data(), channels, taps, 1, taps, 1, 0}, packed.data());
  std::vector<float> want(static_cast<size_t>(pixels * y_stride), kGuard);
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t c = 0; c < channels; ++c) {
      float acc = bias[static_cast<size_t>(c)];
      for (int64_t tap = 0; tap < taps; ++tap)
        acc = std::fma(from[static_cast<size_t>(tap / kernel * columns + pixel * stride + tap % kernel)][c],
                       w[static_cast<size_t>(c * taps + tap)], acc);
      const auto at = static_cast<size_t>(pixel * y_stride + c);
      want[at] = ended(acc, &added[at]);
    }
  for (const ConvKernels* kernels : runnable()) {
    std::vector<float> got(want.size(), kGuard);
    ConvRowArgs args{from.data(), rows, kernel, stride, pixels, {}};
    args.rest.weights = packed.data(), args.rest.bias = bias.data(), args.rest.channels = channels;
    args.rest.y = got.data(), args.rest.y_stride = y_stride;
    args.rest.added = added.data(), args.rest.least = kLeast, args.rest.most = kMost;
    kernels->run.depthwise_row(args);
    expect_bits(got, want, kernels->name);
  }
}

TEST(Conv, ARowOfADepthwiseOneIsTheSameChain) {
  int checked = 0;
  for (int64_t kernel = 1; kernel <= 7; ++kernel)
    for (int64_t stride = 1; stride <= 3; ++stride) {
      if (!has_conv_row(kernel, stride)) continue;
      ++checked;
      for (const int64_t pixels : {1, 3, 4, 7, 8, 9, 14, 23})
        for (const int64_t channels : {1, 16, 17, 40}) check_row(kernel, stride, pixels, channels);
    }
  EXPECT_GE(checked, 4);
}

TEST(Conv, SumsOfOthersEndTheSameWay) {
  Rng rng(5);
  const int64_t pixels = 3, channels = 37, stride = 40;
  const std::vector<float> sums = random_numbers(rng, pixels * stride), added = random_numbers(rng, pixels * stride),
                           bias = random_numbers(rng, channels);
  std::vector<float> want = sums;
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t c = 0; c < channels; ++c) {
      const auto at = static_cast<size_t>(pixel * stride + c);
      want[at] = ended(sums[at] + bias[static_cast<size_t>(c)], &added[at]);
    }
  for (const ConvKernels* kernels : runnable()) {
    std::vector<float> got = sums;
    ConvArgs args{};
    args.pixels = pixels, args.channels = channels, args.bias = bias.data();
    args.y = got.data(), args.y_stride = stride;
    args.added = added.data(), args.least = kLeast, args.most = kMost;
    kernels->run.end(args);
    expect_bits(got, want, kernels->name);
  }
}

// Pixels that lie in step, found by the kernel and told to it.
TEST(Conv, PixelsInStepAreTheSameChain) {
  Rng rng(6);
  const int64_t runs = 3, length = 7, channels = 40;
  for (const int64_t pixels : {1, 4, 6, 11, 12, 25})
    for (const int64_t step : {1, 7, 9}) {
      const std::vector<float> x = random_numbers(rng, runs * 500), w = random_numbers(rng, channels * runs * length);
      AlignedBuffer<float> packed(static_cast<size_t>(conv_packed_floats(channels, runs * length)));
      pack_conv({w.data(), channels, runs, length, runs * length, length, 1}, packed.data());
      std::vector<const float*> all, first;
      for (int64_t run = 0; run < runs; ++run) {
        first.push_back(x.data() + run * 500);
        for (int64_t p = 0; p < pixels; ++p) all.push_back(first.back() + p * step);
      }
      std::vector<float> want;
      for (int64_t p = 0; p < pixels; ++p)
        for (int64_t o = 0; o < channels; ++o) {
          float acc = 0;
          for (int64_t k = 0; k < runs * length; ++k)
            acc = std::fma(first[static_cast<size_t>(k / length)][p * step + k % length],
                           w[static_cast<size_t>(o * runs * length + k)], acc);
          want.push_back(acc);
        }
      for (const ConvKernels* kernels : runnable())
        for (const bool told : {false, true}) {
          std::vector<float> got(want.size(), kGuard);
          ConvArgs args{told ? first.data() : all.data(),
                        runs,
                        length,
                        pixels,
                        packed.data(),
                        nullptr,
                        channels,
                        got.data(),
                        channels};
          if (told) args.step = step;
          kernels->run.general(args);
          expect_bits(got, want, kernels->name);
        }
    }
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
