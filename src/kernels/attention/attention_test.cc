// SPDX-License-Identifier: Apache-2.0
// Walks kernels.inc: every ISA gives the bits that the contract of attention.h states, for one token and for many,
// whole or split into ranges, and those are near double precision.
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
constexpr KvType kTypes[] = {KvType::f16, KvType::int8};

std::vector<const AttentionKernel*> runnable(KvType type) {
  int count = 0;
  const AttentionKernel* const* all = attention_kernels(&count);
  std::vector<const AttentionKernel*> out;
  for (const Isa isa : supported_isas()) {
    for (int i = 0; i < count; ++i) {
      if (all[i]->isa == isa && all[i]->kv == type) out.push_back(all[i]);
    }
  }
  return out;
}

struct Case {
  int group, tokens;
  int64_t position, window;
  bool split = false;
};

void run_split(const AttentionKernel& kernel, const AttentionArgs& args) {
  const int64_t first_key = args.window > 0 ? std::max<int64_t>(0, args.position + 1 - args.window) : 0;
  const int64_t first = first_key / kAttentionRange;
  const int64_t count = (args.position + args.tokens - 1) / kAttentionRange - first + 1;
  const int64_t each = attention_partial_floats(args.tokens * args.group, args.head_dim);
  AlignedBuffer<float> partials(static_cast<size_t>(each * count + 16));
  for (int i = 0; i < 16; ++i) partials.data()[each * count + i] = kGuard;
  for (int64_t i = count - 1; i >= 0; --i) kernel.run->attend_range(args, first + i, partials.data() + i * each);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(partials.data()[each * count + i], kGuard) << kernel.name;
  kernel.run->merge(args, first, count, partials.data());
}

// (tokens, group, head_dim) outputs; between the tokens lie guards that must stay.
std::vector<float> run(const AttentionKernel& kernel, const RandomKv& kv, const Case& c) {
  const int rows = c.tokens * c.group, width = c.group * kv.head_dim;
  std::vector<float> out(static_cast<size_t>(c.tokens * (width + 3)), kGuard);
  const int64_t floats = attention_scratch_floats(rows, kv.head_dim);
  AlignedBuffer<float> scratch(static_cast<size_t>(floats) + 16);
  std::fill_n(scratch.data(), floats + 16, kGuard);
  AttentionArgs args = kv.args(c.group, c.tokens, c.position, c.window);
  args.out = out.data();
  args.out_stride = width + 3;
  args.scratch = scratch.data();
  c.split ? run_split(kernel, args) : kernel.run->attend(args);
  for (int64_t i = floats; i < floats + 16; ++i) EXPECT_EQ(scratch.data()[i], kGuard) << kernel.name;
  std::vector<float> kept;
  for (int t = 0; t < c.tokens; ++t) {
    const float* row = out.data() + t * (width + 3);
    kept.insert(kept.end(), row, row + width);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(row[width + i], kGuard) << kernel.name << " wrote beyond token " << t;
  }
  return kept;
}
// One token that sees the keys [first, end).
Case one(int group, int64_t first, int64_t end) { return {group, 1, end - 1, first > 0 ? end - first : 0}; }

// A query as the kernels of the type see it.
std::vector<double> query(const RandomKv& kv, int row) {
  std::vector<double> q;
  float largest = 0;
  for (int d = 0; d < kv.head_dim; ++d) largest = std::max(largest, std::abs(kv.q_at(row, d)));
  for (int d = 0; d < kv.head_dim; ++d) {
    const float x = kv.q_at(row, d), scale = largest / 127.0f;
    q.push_back(static_cast<double>(kv.type == KvType::f16 ? x : std::nearbyint(x / scale) * scale));
  }
  return q;
}

// The stored keys and values before `end` as numbers, (keys, head_dim).
struct Decoded {
  std::vector<double> k, v;
  Decoded(const RandomKv& kv, int64_t end) {
    for (int64_t j = 0; j < end; ++j) {
      for (int d = 0; d < kv.head_dim; ++d) {
        k.push_back(static_cast<double>(kv.k_at(j, d)));
        v.push_back(static_cast<double>(kv.v_at(j, d)));
      }
    }
  }
};

// Plain attention in double on the stored (rounded) keys and values, for one token.
std::vector<double> plain(const RandomKv& kv, const Decoded& decoded, int group, int token, int64_t first,
                          int64_t end) {
  const auto number = [&](int64_t key, int d) { return static_cast<size_t>(key * kv.head_dim + d); };
  std::vector<double> out;
  for (int h = 0; h < group; ++h) {
    const std::vector<double> q = query(kv, token * RandomKv::kMostHeads + h);
    std::vector<double> p;
    for (int64_t j = first; j < end; ++j) {
      double score = 0;
      for (int d = 0; d < kv.head_dim; ++d) score += q[static_cast<size_t>(d)] * decoded.k[number(j, d)];
      score *= static_cast<double>(kv.scale);
      const auto cap = static_cast<double>(kv.soft_cap);
      p.push_back(cap > 0 ? cap * std::tanh(score / cap) : score);
    }
    const double most = *std::max_element(p.begin(), p.end());
    double total = 0;
    for (double& x : p) total += x = std::exp(x - most);
    for (int d = 0; d < kv.head_dim; ++d) {
      double sum = 0;
      for (int64_t j = first; j < end; ++j) sum += p[static_cast<size_t>(j - first)] * decoded.v[number(j, d)];
      out.push_back(sum / total);
    }
  }
  return out;
}

void check(const RandomKv& kv, const Case& c) {
  SCOPED_TRACE(::testing::Message() << name_of(kv.type) << " group " << c.group << " head_dim " << kv.head_dim
                                    << " tokens " << c.tokens << " at " << c.position << " window " << c.window
                                    << " seed " << kv.seed);
  const Decoded decoded(kv, c.position + c.tokens);
  std::vector<double> expected;
  for (int t = 0; t < c.tokens; ++t) {
    const int64_t end = c.position + t + 1, first = c.window > 0 ? std::max<int64_t>(0, end - c.window) : 0;
    const auto token = plain(kv, decoded, c.group, t, first, end);
    expected.insert(expected.end(), token.begin(), token.end());
  }
  std::vector<float> first_bits;
  for (const AttentionKernel* kernel : runnable(kv.type)) {
    const std::vector<float> out = run(*kernel, kv, c);
    if (first_bits.empty()) first_bits = out;
    ASSERT_EQ(std::memcmp(out.data(), first_bits.data(), out.size() * sizeof(float)), 0) << kernel->name;
    for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 4e-6) << kernel->name << " at " << i;
  }
}

TEST(Attention, EveryCompiledIsaIsListedAndScalarRuns) {
  for (const KvType type : kTypes) {
    ASSERT_FALSE(runnable(type).empty());
    EXPECT_EQ(runnable(type).front()->isa, Isa::scalar);
    for (const AttentionKernel* kernel : runnable(type)) EXPECT_EQ(select_attention(kernel->isa, type), kernel);
  }
}

TEST(Attention, GroupsAndHeadDims) {
  for (const KvType type : kTypes) {
    for (const int head_dim : {6, 8, 16, 24, 32, 40, 64, 80, 96, 128, 256}) {
      const RandomKv kv(type, head_dim, 300, 11);
      for (const int group : {1, 2, 3, 4, 5, 7, 8}) check(kv, one(group, 0, 300));
    }
  }
}

TEST(Attention, EveryEdgeOfPanelBlockAndRange) {
  for (const KvType type : kTypes) {
    const RandomKv kv(type, 40, 1100, 12);
    for (const int64_t end : {1, 2, 15, 16, 17, 31, 63, 64, 65, 127, 255, 256, 257, 511, 512, 513, 1000, 1100}) {
      check(kv, one(3, 0, end));
    }
  }
}

TEST(Attention, Windows) {
  for (const KvType type : kTypes) {
    const RandomKv kv(type, 64, 1100, 13);
    for (const int64_t first : {1, 15, 16, 17, 63, 64, 100, 255, 256, 257, 600, 767, 1023}) {
      for (const int64_t length : {1, 16, 40, 300}) check(kv, one(4, first, std::min<int64_t>(first + length, 1100)));
    }
  }
}

TEST(Attention, ManyTokens) {
  for (const KvType type : kTypes) {
    for (const int head_dim : {24, 64}) {
      const RandomKv kv(type, head_dim, 600, 19, 1, 33);
      for (const int group : {1, 3, 4}) {
        for (const int tokens : {2, 5, 24, 33}) {
          for (const int64_t position : {0, 50, 250, 500}) {
            for (const int64_t window : {0, 20, 300}) check(kv, {group, tokens, position, window});
          }
        }
      }
    }
  }
}

TEST(Attention, SoftCaps) {
  for (const KvType type : kTypes) {
    RandomKv kv(type, 40, 600, 23, 3, 20);
    for (const float cap : {0.5f, 2.0f, 50.0f}) {
      kv.soft_cap = cap;
      check(kv, one(3, 0, 1));
      check(kv, one(4, 37, 600));
      for (const bool split : {false, true}) check(kv, {2, 20, 500, 300, split});
    }
  }
}

// What a token gives depends neither on those beside it nor on who computes which range.
TEST(Attention, TheSameBitsForOneTokenManyTokensAndSplitRanges) {
  for (const KvType type : kTypes) {
    constexpr int kTokens = 20;
    const RandomKv kv(type, 40, 900, 20, 3, kTokens);
    for (const AttentionKernel* kernel : runnable(type)) {
      for (const int64_t window : {0, 7, 300}) {
        for (const int64_t position : {0, 250, 760, 880}) {
          SCOPED_TRACE(::testing::Message() << kernel->name << " window " << window << " position " << position);
          const auto all = run(*kernel, kv, {3, kTokens, position, window});
          EXPECT_EQ(run(*kernel, kv, {3, kTokens, position, window, true}), all);
          for (int t = 0; t < kTokens; ++t) {
            RandomKv alone = kv;
            alone.q.erase(alone.q.begin(), alone.q.begin() + t * RandomKv::kMostHeads * 40);
            const std::vector<float> expected(all.begin() + t * 120, all.begin() + (t + 1) * 120);
            EXPECT_EQ(run(*kernel, alone, {3, 1, position + t, window}), expected) << "token " << t;
            EXPECT_EQ(run(*kernel, alone, {3, 1, position + t, window, true}), expected) << "token " << t;
          }
        }
      }
    }
  }
}

// Sharp rows: one key takes nearly everything, scores reach hundreds, and ranges merge with factors of zero.
TEST(Attention, ExtremeScores) {
  for (const double sharpness : {8.0, 60.0}) {
    const RandomKv kv(KvType::f16, 32, 700, 14, sharpness);
    check(kv, one(2, 0, 700));
    check(kv, one(2, 300, 700));
  }
}

TEST(Attention, OneKeyIsItsValue) {
  for (const KvType type : kTypes) {
    const RandomKv kv(type, 64, 70, 15);
    for (const AttentionKernel* kernel : runnable(type)) {
      const std::vector<float> out = run(*kernel, kv, one(1, 69, 70));
      for (int d = 0; d < 64; ++d) EXPECT_EQ(out[static_cast<size_t>(d)], kv.v_at(69, d)) << kernel->name;
    }
  }
}

// What lies behind the last key was never written in a real cache: it may be anything. Blocks before every window are
// gone.
TEST(Attention, GarbageOutsideTheWindowIsIgnored) {
  for (const KvType type : kTypes) {
    RandomKv kv(type, 48, 400, 16, 1, 5);
    const Case c{4, 5, 270, 190};  // sees [81, 275)
    const auto clean = run(*runnable(type).front(), kv, c);
    kv.poison(0, 81);
    kv.poison(275, 400);
    kv.blocks[0] = nullptr;
    for (const AttentionKernel* kernel : runnable(type)) {
      EXPECT_EQ(run(*kernel, kv, c), clean) << kernel->name;
      EXPECT_EQ(run(*kernel, kv, {4, 5, 270, 190, true}), clean) << kernel->name;
    }
  }
}

// A key that is not a number spoils the tokens that see it, and no other.
TEST(Attention, NotANumberIsNeverHidden) {
  for (const KvType type : kTypes) {
    RandomKv kv(type, 16, 300, 17, 1, 4);
    const auto clean = run(*runnable(type).front(), kv, {2, 2, 98, 0});
    kv.poison(100, 101);
    for (const AttentionKernel* kernel : runnable(type)) {
      EXPECT_TRUE(std::isnan(run(*kernel, kv, one(2, 0, 300))[0])) << kernel->name;
      EXPECT_FALSE(std::isnan(run(*kernel, kv, one(2, 101, 300))[0])) << kernel->name;
      const auto four = run(*kernel, kv, {2, 4, 98, 0});
      EXPECT_EQ(std::vector<float>(four.begin(), four.begin() + 64), clean) << kernel->name;
      for (size_t i = 64; i < four.size(); ++i) EXPECT_TRUE(std::isnan(four[i])) << kernel->name;
    }
  }
}

TEST(Attention, HeadsDoNotDependOnTheirGroup) {
  for (const KvType type : kTypes) {
    const RandomKv kv(type, 64, 600, 18);
    for (const AttentionKernel* kernel : runnable(type)) {
      const auto all = run(*kernel, kv, one(8, 0, 600));
      for (const int group : {1, 2, 3, 5, 7}) {
        const auto some = run(*kernel, kv, one(group, 0, 600));
        EXPECT_EQ(std::memcmp(some.data(), all.data(), some.size() * sizeof(float)), 0) << kernel->name << " " << group;
      }
    }
  }
}

// Appends 3 tokens to a block and returns it, keys before values.
std::vector<std::byte> appended(const AttentionKernel& kernel, int head_dim, const std::vector<float>& k,
                                const std::vector<float>& v) {
  const int64_t k_bytes = k_block_bytes(kernel.kv, head_dim), v_bytes = v_block_bytes(kernel.kv, head_dim);
  std::vector<std::byte> block(static_cast<size_t>(k_bytes + v_bytes), std::byte{0xff});
  KvAppendArgs args{k.data(), v.data(), head_dim + 1, head_dim + 1,          3,
                    head_dim, 37,       block.data(), block.data() + k_bytes};
  kernel.run->append(args);
  return block;
}

std::vector<float> three_rows(int head_dim, float first, float step) {
  std::vector<float> rows;
  for (int i = 0; i < 3 * (head_dim + 1); ++i) rows.push_back(first + step * static_cast<float>(i));
  return rows;
}

TEST(AppendKv, RoundsToHalvesInTheRightPlace) {
  for (const int head_dim : {6, 24, 64}) {
    const auto k = three_rows(head_dim, 0.1f, 1), v = three_rows(head_dim, -0.3f, -1);
    for (const AttentionKernel* kernel : runnable(KvType::f16)) {
      const auto block = appended(*kernel, head_dim, k, v);
      int written = 0;
      for (size_t i = 0; i < block.size(); i += 2)
        written += block[i] != std::byte{0xff} || block[i + 1] != std::byte{0xff};
      EXPECT_EQ(written, 2 * 3 * head_dim);
      const auto at = [&](int64_t index) {
        uint16_t bits = 0;
        std::memcpy(&bits, block.data() + 2 * index, 2);
        return bits;
      };
      for (int t = 0; t < 3; ++t) {
        for (int d = 0; d < head_dim; ++d) {
          const auto from = static_cast<size_t>(t * (head_dim + 1) + d);
          EXPECT_EQ(at(2 * 16 * head_dim + d * 16 + 5 + t), f32_to_f16(k[from])) << kernel->name;
          EXPECT_EQ(at(64 * head_dim + (37 + t) * head_dim + d), f32_to_f16(v[from])) << kernel->name;
        }
      }
    }
  }
}

// Every stored number lies within half a step of the one given, and the bytes do not depend on the ISA.
TEST(AppendKv, QuantizesToTheNearestCode) {
  for (const int head_dim : {6, 24, 40, 64}) {
    RandomKv kv(KvType::int8, head_dim, 64, 21);
    for (const float size : {1.0f, 1e-3f, 3e4f}) {
      const auto k = three_rows(head_dim, -7 * size, 0.31f * size), v = three_rows(head_dim, 3 * size, -0.17f * size);
      const auto expected = appended(*runnable(KvType::int8).front(), head_dim, k, v);
      for (const AttentionKernel* kernel : runnable(KvType::int8)) {
        EXPECT_EQ(appended(*kernel, head_dim, k, v), expected) << kernel->name;
      }
      kv.blocks[0] = expected.data();
      for (int t = 0; t < 3; ++t) {
        const auto row = [&](const std::vector<float>& x, int d) {
          return x[static_cast<size_t>(t * (head_dim + 1) + d)];
        };
        float most_k = 0, most_v = 0;
        for (int d = 0; d < head_dim; ++d) {
          most_k = std::max(most_k, std::abs(row(k, d)));
          most_v = std::max(most_v, std::abs(row(v, d)));
        }
        for (int d = 0; d < head_dim; ++d) {
          EXPECT_NEAR(kv.k_at(37 + t, d), row(k, d), 0.51f * most_k / 127);
          EXPECT_NEAR(kv.v_at(37 + t, d), row(v, d), 0.51f * most_v / 127);
        }
      }
    }
  }
}

TEST(AppendKv, ZerosAndNumbersTooSmallForAScaleAreZeros) {
  for (const float size : {0.0f, 1e-9f}) {
    RandomKv kv(KvType::int8, 24, 64, 22);
    kv.append(5, std::vector<float>(24, size), std::vector<float>(24, -size));
    for (int d = 0; d < 24; ++d) {
      EXPECT_EQ(kv.k_at(5, d), 0.0f);
      EXPECT_EQ(kv.v_at(5, d), 0.0f);
    }
  }
}

TEST(KvType, Names) {
  for (const KvType type : kTypes) {
    const auto found = kv_type_from_name(name_of(type));
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(*found, type);
  }
  EXPECT_FALSE(kv_type_from_name("f32").ok());
}

}  // namespace
}  // namespace halftone
