// SPDX-License-Identifier: Apache-2.0
// Walks kernels.inc: every ISA gives the bits that the contract of attention.h states, and those are near double
// precision.
#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/attention/attention_problem.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr float kGuard = 12345.678f;

std::vector<const AttentionKernel*> runnable() {
  int count = 0;
  const AttentionKernel* const* all = attention_kernels(&count);
  std::vector<const AttentionKernel*> out;
  for (const Isa isa : supported_isas()) {
    for (int i = 0; i < count; ++i) {
      if (all[i]->isa == isa) out.push_back(all[i]);
    }
  }
  return out;
}

// (group, head_dim) outputs, each row followed by a guard row that must stay.
std::vector<float> run(const AttentionKernel& kernel, const RandomKv& kv, int group, int64_t first, int64_t end) {
  const int d = kv.head_dim;
  std::vector<float> out(static_cast<size_t>(2 * group * d), kGuard);
  std::vector<float> scratch(static_cast<size_t>(attention_scratch_floats(group, d)) + 8, kGuard);
  AttentionArgs args = kv.args(group, first, end);
  args.out = out.data();
  args.out_stride = 2 * d;
  args.scratch = scratch.data();
  kernel.run(args);
  for (size_t i = scratch.size() - 8; i < scratch.size(); ++i) EXPECT_EQ(scratch[i], kGuard) << kernel.name;
  std::vector<float> rows;
  for (int h = 0; h < group; ++h) {
    const float* row = out.data() + 2 * h * d;
    rows.insert(rows.end(), row, row + d);
    for (int i = d; i < 2 * d; ++i) EXPECT_EQ(row[i], kGuard) << kernel.name << " wrote beyond head " << h;
  }
  return rows;
}

// Plain attention in double on the stored (rounded) keys and values.
std::vector<double> plain(const RandomKv& kv, int group, int64_t first, int64_t end) {
  std::vector<double> out;
  for (int h = 0; h < group; ++h) {
    std::vector<double> p;
    for (int64_t j = first; j < end; ++j) {
      double score = 0;
      for (int d = 0; d < kv.head_dim; ++d)
        score += static_cast<double>(kv.q_at(h, d)) * static_cast<double>(kv.k_at(j, d));
      p.push_back(score * static_cast<double>(kv.scale));
    }
    const double most = *std::max_element(p.begin(), p.end());
    double total = 0;
    for (double& x : p) total += x = std::exp(x - most);
    for (int d = 0; d < kv.head_dim; ++d) {
      double sum = 0;
      for (int64_t j = first; j < end; ++j)
        sum += p[static_cast<size_t>(j - first)] * static_cast<double>(kv.v_at(j, d));
      out.push_back(sum / total);
    }
  }
  return out;
}

void check(const RandomKv& kv, int group, int64_t first, int64_t end) {
  SCOPED_TRACE(::testing::Message() << "group " << group << " head_dim " << kv.head_dim << " keys " << first << ".."
                                    << end << " seed " << kv.seed);
  const std::vector<double> expected = plain(kv, group, first, end);
  std::vector<float> first_bits;
  for (const AttentionKernel* kernel : runnable()) {
    const std::vector<float> out = run(*kernel, kv, group, first, end);
    if (first_bits.empty()) first_bits = out;
    ASSERT_EQ(std::memcmp(out.data(), first_bits.data(), out.size() * sizeof(float)), 0) << kernel->name;
    for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 4e-6) << kernel->name << " at " << i;
  }
}

TEST(Attention, EveryCompiledIsaIsListedAndScalarRuns) {
  ASSERT_FALSE(runnable().empty());
  EXPECT_EQ(runnable().front()->isa, Isa::scalar);
  for (const AttentionKernel* kernel : runnable()) EXPECT_EQ(select_attention(kernel->isa), kernel);
}

TEST(Attention, GroupsAndHeadDims) {
  for (const int head_dim : {8, 16, 24, 32, 40, 64, 80, 96, 128, 256}) {
    const RandomKv kv(head_dim, 300, 11);
    for (const int group : {1, 2, 3, 4, 5, 7, 8}) check(kv, group, 0, 300);
  }
}

TEST(Attention, EveryEdgeOfPanelBlockAndRange) {
  const RandomKv kv(40, 1100, 12);
  for (const int64_t end : {1, 2, 15, 16, 17, 31, 63, 64, 65, 127, 255, 256, 257, 511, 512, 513, 1000, 1100}) {
    check(kv, 3, 0, end);
  }
}

TEST(Attention, Windows) {
  const RandomKv kv(64, 1100, 13);
  for (const int64_t first : {1, 15, 16, 17, 63, 64, 100, 255, 256, 257, 600, 767, 1023}) {
    for (const int64_t length : {1, 16, 40, 300}) check(kv, 4, first, std::min<int64_t>(first + length, 1100));
  }
}

// Sharp rows: one key takes nearly everything, scores reach hundreds, and ranges merge with factors of zero.
TEST(Attention, ExtremeScores) {
  for (const double sharpness : {8.0, 60.0}) {
    const RandomKv kv(32, 700, 14, sharpness);
    check(kv, 2, 0, 700);
    check(kv, 2, 300, 700);
  }
}

TEST(Attention, OneKeyIsItsValue) {
  const RandomKv kv(64, 70, 15);
  for (const AttentionKernel* kernel : runnable()) {
    const std::vector<float> out = run(*kernel, kv, 1, 69, 70);
    for (int d = 0; d < 64; ++d) EXPECT_EQ(out[static_cast<size_t>(d)], kv.v_at(69, d)) << kernel->name;
  }
}

// What lies behind the last key was never written in a real cache: it may be anything.
TEST(Attention, GarbageOutsideTheWindowIsIgnored) {
  RandomKv kv(48, 300, 16);
  const auto clean = run(*runnable().front(), kv, 4, 20, 275);
  kv.poison(0, 20);
  kv.poison(275, 320);
  for (const AttentionKernel* kernel : runnable()) {
    const auto out = run(*kernel, kv, 4, 20, 275);
    EXPECT_EQ(std::memcmp(out.data(), clean.data(), out.size() * sizeof(float)), 0) << kernel->name;
  }
}

TEST(Attention, NotANumberIsNeverHidden) {
  RandomKv kv(16, 300, 17);
  kv.poison(100, 101);
  for (const AttentionKernel* kernel : runnable()) {
    EXPECT_TRUE(std::isnan(run(*kernel, kv, 2, 0, 300)[0])) << kernel->name;
    EXPECT_FALSE(std::isnan(run(*kernel, kv, 2, 101, 300)[0])) << kernel->name;
  }
}

TEST(Attention, HeadsDoNotDependOnTheirGroup) {
  const RandomKv kv(64, 600, 18);
  for (const AttentionKernel* kernel : runnable()) {
    const auto all = run(*kernel, kv, 8, 0, 600);
    for (const int group : {1, 2, 3, 5, 7}) {
      const auto some = run(*kernel, kv, group, 0, 600);
      EXPECT_EQ(std::memcmp(some.data(), all.data(), some.size() * sizeof(float)), 0) << kernel->name << " " << group;
    }
  }
}

TEST(AppendKv, RoundsToHalvesInTheRightPlace) {
  constexpr int kHeadDim = 24;
  std::vector<uint16_t> k_block(kKvBlockTokens * kHeadDim, 0xffff), v_block = k_block;
  std::vector<float> k(kHeadDim), v(kHeadDim);
  for (int d = 0; d < kHeadDim; ++d) {
    k[static_cast<size_t>(d)] = static_cast<float>(d) + 0.1f;
    v[static_cast<size_t>(d)] = static_cast<float>(-d) - 0.3f;
  }
  append_kv(k.data(), v.data(), kHeadDim, 37, k_block.data(), v_block.data());
  int written = 0;
  for (const uint16_t bits : k_block) written += bits != 0xffff;
  EXPECT_EQ(written, kHeadDim);
  for (int d = 0; d < kHeadDim; ++d) {
    EXPECT_EQ(k_block[static_cast<size_t>(2 * 16 * kHeadDim + d * 16 + 5)], f32_to_f16(k[static_cast<size_t>(d)]));
    EXPECT_EQ(v_block[static_cast<size_t>(37 * kHeadDim + d)], f32_to_f16(v[static_cast<size_t>(d)]));
  }
}

}  // namespace
}  // namespace halftone
