// SPDX-License-Identifier: Apache-2.0
// Walks kernels.inc: every row that this machine runs is compared bit for bit with the contract of linear.h.
#include "kernels/linear/linear.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/linear/linear_problem.h"

namespace halftone {
namespace {

constexpr uint64_t kSeed = 2024;
constexpr int64_t kRows[] = {1, 15, 16, 17, 40};
constexpr int64_t kColumns[] = {1, 7, 8, 31, 32, 33, 128, 172, 200, 256, 300};
#ifdef HALFTONE_SANITIZED
constexpr int64_t kTokens[] = {1, 3, 8, 33};
#else
constexpr int64_t kTokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33};
#endif
constexpr int64_t kMostTokens = 33;

// Memory that ends where an unreadable page begins: reading one byte too many ends the test.
class Guarded {
 public:
  explicit Guarded(size_t bytes) : bytes_(bytes) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    mapped_ = (bytes + page - 1) / page * page + page;
    void* map = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    map_ = static_cast<std::byte*>(map);
    if (::mprotect(map_ + mapped_ - page, page, PROT_NONE) != 0) throw std::bad_alloc();
    data_ = map_ + mapped_ - page - bytes;
  }
  Guarded(const void* from, size_t bytes) : Guarded(bytes) { std::memcpy(data_, from, bytes); }
  ~Guarded() { ::munmap(map_, mapped_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  template <class T = std::byte>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_, mapped_;
  std::byte *map_, *data_;
};

// Products and sums of normal numbers: what subnormal ones do has a test of its own.
float expected_bf16(const RandomWeights& w, const RandomTokens& in, int64_t t, int64_t r) {
  float acc = 0;
  for (int64_t pair = 0; pair < w.columns; pair += 2) {
    for (int64_t k = pair + 1; k >= pair; --k) {
      if (k >= w.columns) continue;
      acc = std::fma(bf16_to_f32(f32_to_bf16(in.x[static_cast<size_t>(t * w.columns + k)])), w.weight(r, k), acc);
    }
  }
  return acc;
}

// The contract once more, from the numbers that were packed: independent of how they lie in memory.
float expected_value(const RandomWeights& w, const RandomTokens& in, Activations activations, int64_t t, int64_t r) {
  float acc = 0;
  if (activations == Activations::bf16) return expected_bf16(w, in, t, r);
  if (activations == Activations::exact) {
    for (int64_t k = 0; k < w.columns; ++k)
      acc = std::fma(in.x[static_cast<size_t>(t * w.columns + k)], w.weight(r, k), acc);
    return acc;
  }
  if (w.layout->is_palette()) return expected_from_bytes(w, in, t, r);
  const Layout& layout = *w.layout;
  const int64_t groups = layout.groups(w.columns), group = layout.group;
  const auto at = [&](const std::vector<float>& of, int64_t g) { return of[static_cast<size_t>(r * groups + g)]; };
  for (int64_t b = 0; b < w.columns; b += kActivationBlock) {
    const int64_t end = std::min(b + kActivationBlock, w.columns);
    float s = 0;
    int32_t isum = 0, xsum = 0;
    for (int64_t k = b; k < end; ++k) {
      const int x = in.codes.data()[t * in.code_stride + k], q = w.codes[static_cast<size_t>(r * w.columns + k)];
      isum += x * (layout.affine ? q + layout.offset : q);
      xsum += x;
      if (group > 0 && ((k + 1) % group == 0 || k + 1 == end)) {
        s = std::fma(static_cast<float>(isum), at(w.scale_values, k / group), s);
        if (layout.affine) s = std::fma(static_cast<float>(xsum), at(w.base_values, k / group), s);
        isum = xsum = 0;
      }
    }
    const float x_scale = in.scales[static_cast<size_t>(t * in.scale_stride + b / 128)];
    acc = std::fma(group > 0 ? s : static_cast<float>(isum), x_scale, acc);
  }
  return group > 0 ? acc : acc * at(w.scale_values, 0);
}

std::vector<float> expected_values(const RandomWeights& w, const RandomTokens& in, Activations activations) {
  std::vector<float> y;
  for (int64_t t = 0; t < in.tokens; ++t) {
    for (int64_t r = 0; r < w.rows; ++r) y.push_back(expected_value(w, in, activations, t, r));
  }
  return y;
}

constexpr float kUntouched = 12345.75f;

// Runs panels [0, split) and [split, all) as two calls on guarded copies; compares every result and every gap of y.
void run_and_compare(const LinearKernel& kernel, const RandomWeights& w, const std::byte* weights,
                     const RandomTokens& in, int64_t tokens, int64_t split, const std::vector<float>& expected) {
  const int64_t panels = (w.rows + kPanelRows - 1) / kPanelRows, stride = w.rows + 3;
  const bool int8 = kernel.activations == Activations::int8;
  const Guarded x(in.x.data(), static_cast<size_t>(int8 ? 0 : tokens * in.columns) * 4);
  const Guarded codes(in.codes.data(), static_cast<size_t>(tokens * in.code_stride));
  const Guarded scales(in.scales.data(), static_cast<size_t>(tokens * in.scale_stride) * 4);
  const Guarded sums(in.sums.data(), static_cast<size_t>(tokens * in.sum_stride) * 4);
  const Guarded y(static_cast<size_t>((tokens - 1) * stride + w.rows) * 4);
  const Guarded scratch(static_cast<size_t>(linear_scratch_bytes(w.columns)));
  std::fill_n(y.as<float>(), y.bytes() / 4, kUntouched);
  LinearArgs args = {};
  args.weights = weights;
  args.rows = w.rows;
  args.columns = w.columns;
  args.tokens = tokens;
  args.x = x.as<float>();
  args.x_stride = in.columns;
  args.q = {codes.as<int8_t>(), scales.as<float>(), sums.as<int32_t>(), in.code_stride, in.scale_stride, in.sum_stride};
  args.y = y.as<float>();
  args.y_stride = stride;
  args.scratch = scratch.as();
  args.panel_end = split;
  if (split > 0) kernel.run(args);
  for (size_t i = 0; i < y.bytes() / 4; ++i) {
    const auto r = static_cast<int64_t>(i) % stride;
    if (r >= split * kPanelRows || r >= w.rows) {
      ASSERT_EQ(y.as<float>()[i], kUntouched) << "wrote outside its panels: " << i;
    }
  }
  args.panel_begin = split;
  args.panel_end = panels;
  kernel.run(args);
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t r = 0; r < stride && t * stride + r < static_cast<int64_t>(y.bytes() / 4); ++r) {
      const float want = r < w.rows ? expected[static_cast<size_t>(t * w.rows + r)] : kUntouched;
      const float got = y.as<float>()[t * stride + r];
      ASSERT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(want))
          << "token " << t << " row " << r << ": got " << got << ", want " << want;
    }
  }
}

bool machine_has(Isa isa) {
  for (const Isa supported : supported_isas()) {
    if (supported == isa) return true;
  }
  return false;
}

std::vector<const LinearKernel*> runnable_kernels() {
  int count = 0;
  const LinearKernel* const* kernels = linear_kernels(&count);
  std::vector<const LinearKernel*> runnable;
  for (int i = 0; i < count; ++i) {
    if (machine_has(kernels[i]->isa) && runs_here(*kernels[i], kernels[i]->isa)) runnable.push_back(kernels[i]);
  }
  return runnable;
}

// Runnable rows that must agree: of one layout, order and contract, so that what they are compared with is made once.
std::vector<std::vector<const LinearKernel*>> kernels_by_problem() {
  std::vector<std::vector<const LinearKernel*>> problems;
  for (const LinearKernel* kernel : runnable_kernels()) {
    const auto same = [&](const std::vector<const LinearKernel*>& of) {
      return of[0]->layout == kernel->layout && of[0]->order == kernel->order &&
             of[0]->activations == kernel->activations;
    };
    const auto found = std::find_if(problems.begin(), problems.end(), same);
    found == problems.end() ? problems.push_back({kernel}) : found->push_back(kernel);
  }
  return problems;
}

std::string describe(const LinearKernel& kernel, int64_t rows, int64_t columns, int64_t tokens) {
  return std::string(kernel.name) + " rows " + std::to_string(rows) + " columns " + std::to_string(columns) +
         " tokens " + std::to_string(tokens) + " seed " + std::to_string(kSeed);
}

TEST(Linear, EveryKernelHasTheBitsOfTheContract) {
  int ran = 0;
  for (const auto& kernels : kernels_by_problem()) {
    for (const int64_t rows : kRows) {
      for (const int64_t columns : kColumns) {
        const RandomWeights w(layout_of(kernels[0]->layout), kernels[0]->order, rows, columns,
                              kSeed + static_cast<uint64_t>(columns));
        const RandomTokens in(kMostTokens, columns, kSeed);
        const std::vector<float> expected = expected_values(w, in, kernels[0]->activations);
        const Guarded weights(w.bytes.data(), w.bytes.size());
        for (const LinearKernel* kernel : kernels) {
          for (const int64_t tokens : kTokens) {
            SCOPED_TRACE(describe(*kernel, rows, columns, tokens));
            run_and_compare(*kernel, w, weights.as(), in, tokens, rows > 16 ? tokens % 3 : 0, expected);
            if (::testing::Test::HasFatalFailure()) return;
            ++ran;
          }
        }
      }
    }
  }
  EXPECT_GT(ran, 0);
  std::printf("linear: %d runs, seed %d\n", ran, static_cast<int>(kSeed));
}

// Every value of the first and last tokens, one row in 16 of the others, else NaN: the plain chain is slow.
std::vector<float> some_expected_values(const RandomWeights& w, const RandomTokens& in, Activations activations) {
  std::vector<float> expected;
  for (int64_t t = 0; t < in.tokens; ++t) {
    for (int64_t r = 0; r < w.rows; ++r) {
      const bool check = t < 2 || t > in.tokens - 3 || r % 16 == t % 16;
      expected.push_back(check ? expected_value(w, in, activations, t, r) : NAN);
    }
  }
  return expected;
}

// Crosses every chunk of columns, block of tokens and group of panels that the kernels use; the reference has none.
TEST(Linear, LargerShapesCrossEveryBlocking) {
  constexpr int64_t kWideRows = 16 * 11 + 5, kWide = 2120;
  for (const auto& kernels : kernels_by_problem()) {
    const RandomWeights w(layout_of(kernels[0]->layout), kernels[0]->order, kWideRows, kWide, kSeed);
    const RandomTokens in(99, kWide, kSeed + 1);
    const std::vector<float> expected = some_expected_values(w, in, kernels[0]->activations);
    std::vector<float> y(static_cast<size_t>(in.tokens * w.rows));
    AlignedBuffer<std::byte> scratch(static_cast<size_t>(linear_scratch_bytes(kWide)));
    for (const LinearKernel* kernel : kernels) {
      if (kernel->isa == Isa::scalar) continue;
      for (const int64_t tokens : {int64_t{1}, int64_t{3}, int64_t{9}, in.tokens}) {
        SCOPED_TRACE(describe(*kernel, kWideRows, kWide, tokens));
        kernel->run({w.bytes.data(), w.rows, kWide, 0, 12, tokens, in.x.data(), kWide, in.quantized(), y.data(), w.rows,
                     scratch.data()});
        for (size_t i = 0; i < static_cast<size_t>(tokens * w.rows); ++i) {
          ASSERT_TRUE(std::isnan(expected[i]) || y[i] == expected[i]) << i;
        }
      }
    }
  }
}

TEST(Linear, RowsOrderReadsUnalignedData) {
  int ran = 0;
  for (const LinearKernel* kernel : runnable_kernels()) {
    if (kernel->order != Order::rows) continue;
    for (const int64_t columns : {33, 172}) {
      const RandomWeights w(layout_of(kernel->layout), kernel->order, 21, columns, kSeed);
      const RandomTokens in(5, columns, kSeed);
      const std::vector<float> expected = expected_values(w, in, kernel->activations);
      for (const size_t shift : {size_t{1}, size_t{2}}) {
        AlignedBuffer<std::byte> memory(w.bytes.size() + shift);
        std::memcpy(memory.data() + shift, w.bytes.data(), w.bytes.size());
        for (const int64_t tokens : {1, 5}) {
          SCOPED_TRACE(describe(*kernel, 21, columns, tokens));
          run_and_compare(*kernel, w, memory.data() + shift, in, tokens, 1, expected);
          ++ran;
        }
      }
    }
  }
  EXPECT_GT(ran, 0);
}

// A float matrix gives the same bits as found in its file and as panels, on every ISA.
TEST(Linear, BothOrdersAgree) {
  constexpr int64_t kHigh = 40, kWide = 172, kBatch = 7;
  const RandomTokens in(kBatch, kWide, kSeed);
  AlignedBuffer<std::byte> scratch(static_cast<size_t>(linear_scratch_bytes(kWide)));
  for (const LayoutId id : {LayoutId::f32, LayoutId::f16, LayoutId::bf16}) {
    std::vector<float> first;
    for (const Isa isa : supported_isas()) {
      for (const Order order : {Order::rows, Order::panel16}) {
        const RandomWeights w(layout_of(id), order, kHigh, kWide, kSeed);
        std::vector<float> y(kBatch * kHigh);
        select_linear(id, order, Activations::exact, isa)
            ->run({w.bytes.data(), kHigh, kWide, 0, 3, kBatch, in.x.data(), kWide, in.quantized(), y.data(), kHigh,
                   scratch.data()});
        if (first.empty()) first = y;
        EXPECT_EQ(y, first) << layout_of(id).name << ' ' << name_of(isa);
      }
    }
    EXPECT_FALSE(first.empty());
  }
}

// One row of two columns, one token, through a row of the list.
float bf16_pair(const LinearKernel& kernel, float w0, float w1, float x0, float x1) {
  RandomWeights w(layout_of(LayoutId::bf16), Order::panel16, 1, 2, kSeed);
  const uint16_t bits[2] = {f32_to_bf16(w0), f32_to_bf16(w1)};
  std::memcpy(w.bytes.data(), bits, sizeof bits);
  const float x[2] = {x0, x1};
  float y = 0;
  AlignedBuffer<std::byte> scratch(static_cast<size_t>(linear_scratch_bytes(2)));
  kernel.run({w.bytes.data(), 1, 2, 0, 1, 1, x, 2, {}, &y, 1, scratch.data()});
  return y;
}

TEST(Linear, Bf16TreatsSubnormalsAsItsContractSays) {
  struct {
    float w0, w1, x0, x1, want;
    const char* what;
  } const cases[] = {
      {0x1p-75f, 0x1p-60f, -0x1p-76f, 0x1p-66f, 0x1p-126f, "2^-126 (1 - 2^-25) rounds to a normal number"},
      {0x1p-75f, 0x1p-60f, -0x1p-75f, 0x1p-66f, 0.0f, "2^-126 (1 - 2^-24) is subnormal, although it rounds up as one"},
      {0x1p-60f, 0.0f, -0x1p-70f, 0.0f, -0.0f, "a subnormal product is a zero with its sign"},
      {0x1p-130f, 1.0f, 0x1p100f, 0.0f, 0.0f, "a subnormal weight is zero"},
      {0x1p100f, 1.0f, 0x1p-130f, 0.0f, 0.0f, "a subnormal activation is zero"},
      {0x1p100f, 1.0f, 0x1.fffffcp-127f, 0.0f, 0.0f, "and is not rounded to a normal number first"},
      {1.0f, 0x1p30f, 0x1.01p0f, 0x1p-60f, 1.0f, "a tie is rounded to even"},
      {0x1p120f, 0.0f, 0x1p120f, 0.0f, std::numeric_limits<float>::infinity(), "overflow"},
  };
  int ran = 0;
  for (const LinearKernel* kernel : runnable_kernels()) {
    if (kernel->activations != Activations::bf16) continue;
    for (const auto& c : cases) {
      const float got = bf16_pair(*kernel, c.w0, c.w1, c.x0, c.x1);
      EXPECT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(c.want)) << kernel->name << ": " << c.what << got;
      ++ran;
    }
  }
  EXPECT_GT(ran, 0);
}

// Any finite bits, and exponents where sums fall below the normal numbers: all rows agree with the reference.
TEST(Linear, Bf16RowsAgreeOnAllNumbers) {
  constexpr int64_t kHigh = 64, kWide = 24, kBatch = 16;
  const LinearKernel* reference = select_linear(LayoutId::bf16, Order::panel16, Activations::bf16, Isa::scalar);
  ASSERT_NE(reference, nullptr);
  AlignedBuffer<std::byte> scratch(static_cast<size_t>(linear_scratch_bytes(kWide)));
  Rng rng(kSeed);
  const auto number = [&](bool tiny) {  // sign and fraction at random, products between 2^-136 and 2^-116 or anywhere
    const auto bits = static_cast<uint32_t>(rng.below(uint64_t{1} << 32));
    const auto exponent = static_cast<uint32_t>(tiny ? 59 + rng.below(10) : rng.below(255));
    return (bits & 0x807fffffu) | exponent << 23;
  };
  for (const LinearKernel* kernel : runnable_kernels()) {
    if (kernel->activations != Activations::bf16) continue;
    for (int round = 0; round < 40; ++round) {
      RandomWeights w(layout_of(LayoutId::bf16), Order::panel16, kHigh, kWide, kSeed);
      for (size_t at = 0; at < w.bytes.size(); at += 2) {
        const auto bits = static_cast<uint16_t>(number(round % 2 == 0) >> 16);
        std::memcpy(&w.bytes[at], &bits, 2);
      }
      std::vector<float> x, y(kBatch * kHigh), want(kBatch * kHigh);
      for (int64_t i = 0; i < kBatch * kWide; ++i) x.push_back(std::bit_cast<float>(number(round % 2 == 0)));
      LinearArgs args = {w.bytes.data(), kHigh, kWide, 0,        4,     kBatch,
                         x.data(),       kWide, {},    y.data(), kHigh, scratch.data()};
      kernel->run(args);
      args.y = want.data();
      reference->run(args);
      for (size_t i = 0; i < y.size(); ++i) {
        ASSERT_TRUE(std::bit_cast<uint32_t>(y[i]) == std::bit_cast<uint32_t>(want[i]) ||
                    (std::isnan(y[i]) && std::isnan(want[i])))
            << kernel->name << " round " << round << " result " << i << ": got " << y[i] << ", want " << want[i];
      }
    }
  }
}

TEST(Linear, SelectionTakesTheBestRowThatFits) {
  for (const Isa active : supported_isas()) {
#ifdef HALFTONE_SANITIZED
    if (active == Isa::avx512) continue;  // room.cmake leaves its rows out
#endif
    for (const Layout* layout : all_layouts()) {
      const LinearKernel* exact = select_linear(layout->id, Order::panel16, Activations::exact, active);
      const LinearKernel* int8 = select_linear(layout->id, Order::panel16, Activations::int8, active);
      ASSERT_NE(exact, nullptr) << layout->name;
      // The extensions of NEON have rows only for int8 activations.
      EXPECT_EQ(exact->isa, isa_runs(Isa::neon, active) ? Isa::neon : active) << exact->name;
      // Registers look up 64 bytes for four rows.
      const int entries = layout->is_palette() ? layout->entries() * (layout->palette_rows == 1 ? 4 : 1) : 0;
      EXPECT_EQ(int8 == nullptr, layout->is_float() || layout->vector > 1 || entries > 64) << layout->name;
      const bool own_row = int8 == nullptr || int8->isa == active;
      EXPECT_TRUE(own_row || (layout->is_palette() && int8->isa == Isa::neon)) << layout->name;
      const LinearKernel* rows = select_linear(layout->id, Order::rows, Activations::exact, active);
      EXPECT_EQ(rows != nullptr, layout->is_float()) << layout->name;
      const LinearKernel* bf16 = select_linear(layout->id, Order::panel16, Activations::bf16, active);
      const bool here = active == Isa::scalar || (active == Isa::avx512 && has_bf16_dot());
      EXPECT_EQ(bf16 != nullptr, here && layout->id == LayoutId::bf16) << layout->name;
      EXPECT_TRUE(bf16 == nullptr || bf16->isa == active) << layout->name;
      EXPECT_EQ(select_linear(layout->id, Order::rows, Activations::bf16, active), nullptr) << layout->name;
    }
  }
}

}  // namespace
}  // namespace halftone
