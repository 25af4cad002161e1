// SPDX-License-Identifier: Apache-2.0
// int8 contract on AVX2: a panel is two registers of 8 rows; dwords of 4 codes times 4 activations broadcast from
// memory. 4 bits: codes <= 15 go unsigned through maddubs, and the 8 products of a group of 32 add up below 2^15 (8 * 2
// * 15 * 127 = 30480). 8 bits: unsigned codes would saturate, so the sign of q moves to the activation: 2 * 128 * 127 =
// 32512 fits.
#include <immintrin.h>

#include "kernels/linear/linear_args.h"
#include "kernels/linear/unroll.h"

namespace halftone {
namespace {

inline __m256 load_halves(const std::byte* at) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}
inline __m256i load_dwords(const std::byte* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
inline __m256i broadcast4(const int8_t* at) {
  int32_t four;
  __builtin_memcpy(&four, at, 4);
  return _mm256_set1_epi32(four);
}

// group(codes, x, columns, sum, isum): adds the integer products of up to 32 columns of 8 rows; `sum` is that of x.
struct Nibbles {
  static constexpr int64_t kBytesPerColumn = 8;
  static void group(const std::byte* codes, const int8_t* x, int64_t columns, int32_t sum, __m256i& isum) {
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i words = _mm256_setzero_si256();
    for (int64_t k = 0; k < columns; k += 8) {
      const __m256i both = load_dwords(codes + k * kBytesPerColumn);
      const __m256i low = _mm256_and_si256(both, mask), high = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
      words = _mm256_add_epi16(words, _mm256_maddubs_epi16(low, broadcast4(x + k)));
      words = _mm256_add_epi16(words, _mm256_maddubs_epi16(high, broadcast4(x + k + 4)));
    }
    isum = _mm256_add_epi32(isum, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
    isum = _mm256_sub_epi32(isum, _mm256_set1_epi32(8 * sum));
  }
};
struct Bytes {
  static constexpr int64_t kBytesPerColumn = 16;
  static void group(const std::byte* codes, const int8_t* x, int64_t columns, int32_t, __m256i& isum) {
    const __m256i offset = _mm256_set1_epi8(-128), ones = _mm256_set1_epi16(1);
    for (int64_t k = 0; k < columns; k += 4) {
      const __m256i q = _mm256_xor_si256(load_dwords(codes + k * kBytesPerColumn), offset);
      const __m256i words = _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(broadcast4(x + k), q));
      isum = _mm256_add_epi32(isum, _mm256_madd_epi16(words, ones));
    }
  }
};

inline void store_results(float* y, int64_t rows, __m256 low, __m256 high) {
  alignas(32) float block[16];
  float* to = rows < 16 ? block : y;
  _mm256_storeu_ps(to, low);
  _mm256_storeu_ps(to + 8, high);
  if (rows < 16) __builtin_memcpy(y, block, static_cast<size_t>(rows) * 4);
}

// Always inlined: g++ takes a function that only prefetches for one without effect, and drops calls of it.
inline __attribute__((always_inline)) void prefetch(const std::byte* at, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += 64) _mm_prefetch(reinterpret_cast<const char*>(at + line), _MM_HINT_T0);
}

template <class Codes, bool kBlock, int kTokens>
inline void tile(const LinearArgs& args, int64_t panel, int64_t token) {
  constexpr int64_t kColumnsAhead = 256;
  constexpr int kSums = 2 * kTokens;  // number 2 t + h: token t, half h of the panel
  const int64_t padded = (args.columns + 7) / 8 * 8;
  const int64_t scale_bytes = kBlock ? (args.columns + 63) / 64 * 64 : 64;
  const std::byte* scales = args.weights + panel * (scale_bytes + padded * Codes::kBytesPerColumn);
  const std::byte* codes = scales + scale_bytes;
  const int8_t* x = args.q.codes + token * args.q.code_stride;
  const int32_t* sums = args.q.sums + token * args.q.sum_stride;
  const float* x_scales = args.q.scales + token * args.q.scale_stride;
  __m256 acc[kSums];
  unroll<kSums>([&](auto i) { acc[i] = _mm256_setzero_ps(); });
  for (int64_t block = 0; block < args.columns; block += kActivationBlock) {
    const int64_t block_end = block + kActivationBlock < padded ? block + kActivationBlock : padded;
    __m256 s[kSums];
    __m256i isum[kSums];
    unroll<kSums>([&](auto i) {
      s[i] = _mm256_setzero_ps();
      isum[i] = _mm256_setzero_si256();
    });
    for (int64_t group = block; group < block_end; group += kActivationGroup) {
      const int64_t columns = group + kActivationGroup < padded ? kActivationGroup : padded - group;
      if (kTokens == 1) {
        prefetch(codes + (group + kColumnsAhead) * Codes::kBytesPerColumn, 32 * Codes::kBytesPerColumn);
        if (kBlock) prefetch(scales + group + kColumnsAhead, 1);
      }
      unroll<kSums>([&](auto i) {
        constexpr int kToken = i.kValue / 2, kHalf = i.kValue % 2;
        if (kBlock) isum[i] = _mm256_setzero_si256();
        Codes::group(codes + group * Codes::kBytesPerColumn + kHalf * 32, x + kToken * args.q.code_stride + group,
                     columns, sums[kToken * args.q.sum_stride + group / kActivationGroup], isum[i]);
        if (!kBlock) return;
        s[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(isum[i]), load_halves(scales + group + kHalf * 16), s[i]);
      });
    }
    unroll<kSums>([&](auto i) {
      const __m256 x_scale = _mm256_set1_ps(x_scales[i / 2 * args.q.scale_stride + block / kActivationBlock]);
      acc[i] = _mm256_fmadd_ps(kBlock ? s[i] : _mm256_cvtepi32_ps(isum[i]), x_scale, acc[i]);
    });
  }
  unroll<kTokens>([&](auto t) {
    __m256 low = acc[2 * t], high = acc[2 * t + 1];
    if (!kBlock) {
      low = _mm256_mul_ps(low, load_halves(scales));
      high = _mm256_mul_ps(high, load_halves(scales + 16));
    }
    store_results(args.y + (token + t) * args.y_stride + panel * 16, args.rows - panel * 16, low, high);
  });
}

template <class Codes, bool kBlock>
inline void linear(const LinearArgs& args) {
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) {
    int64_t token = 0;
    for (; token + 2 <= args.tokens; token += 2) tile<Codes, kBlock, 2>(args, panel, token);
    if (token < args.tokens) tile<Codes, kBlock, 1>(args, panel, token);
  }
}

}  // namespace

void linear_int8_channel_panel16_int8_avx2(const LinearArgs& args) { linear<Bytes, false>(args); }
void linear_int8_block32_panel16_int8_avx2(const LinearArgs& args) { linear<Bytes, true>(args); }
void linear_int4_channel_panel16_int8_avx2(const LinearArgs& args) { linear<Nibbles, false>(args); }
void linear_int4_block32_panel16_int8_avx2(const LinearArgs& args) { linear<Nibbles, true>(args); }

}  // namespace halftone
