// SPDX-License-Identifier: Apache-2.0
// Plain C++, vectorised as far as the compiler's baseline for the machine goes.
#include "device/probe_loops.h"

#include <cstring>

namespace halftone {
namespace {

constexpr int kLanes = 64;

uint64_t read(const void* data, size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(data);
  uint64_t sums[8] = {};
  for (; bytes >= sizeof sums; bytes -= sizeof sums, at += sizeof sums) {
    uint64_t words[8];
    std::memcpy(words, at, sizeof words);
    for (int i = 0; i < 8; ++i) sums[i] += words[i];
  }
  for (; bytes > 0; --bytes, ++at) sums[0] += *at;
  uint64_t sum = 0;
  for (const uint64_t part : sums) sum += part;
  return sum;
}

double f32_fma(int64_t iterations) {
  float sums[kLanes], factors[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    sums[i] = static_cast<float>(i);
    factors[i] = 0.5f + static_cast<float>(i) / 256;
  }
  for (int64_t n = 0; n < iterations; ++n) {
    for (int i = 0; i < kLanes; ++i) sums[i] = sums[i] * factors[i] + 1.0f;
  }
  double sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

int64_t int8_dot(int64_t iterations) {
  int32_t sums[kLanes] = {};
  int8_t left[kLanes], right[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    left[i] = static_cast<int8_t>(i - 30);
    right[i] = static_cast<int8_t>(100 - i);
  }
  for (int64_t n = 0; n < iterations; ++n) {
    for (int i = 0; i < kLanes; ++i) sums[i] ^= left[i] * (right[i] + sums[i]);  // depends on itself: never hoisted
  }
  int64_t sum = 0;
  for (const int32_t part : sums) sum += part;
  return sum;
}

}  // namespace

extern const ProbeLoops kProbeLoopsScalar = {read, f32_fma, 2 * kLanes, int8_dot, 2 * kLanes, nullptr, 0};

}  // namespace halftone
