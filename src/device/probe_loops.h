// SPDX-License-Identifier: Apache-2.0
// Loops that do nothing but read, or nothing but multiply and add: the limits that kernels are printed beside. One set
// per ISA.
#pragma once

#include <cstddef>
#include <cstdint>

namespace halftone {

struct ProbeLoops {
  // Reads every byte of [data, data + bytes) once and returns a value that depends on all of them. Any alignment.
  uint64_t (*read)(const void* data, size_t bytes);
  // Independent chains of multiply-adds held in registers; the result only keeps the compiler from removing them.
  double (*f32_fma)(int64_t iterations);
  int64_t f32_operations;  // per iteration
  int64_t (*int8_dot)(int64_t iterations);
  int64_t int8_operations;
  double (*bf16_dot)(int64_t iterations);  // null where this set has none; on x86 the CPU must have avx512_bf16 as well
  int64_t bf16_operations;
};

extern const ProbeLoops kProbeLoopsScalar;
extern const ProbeLoops kProbeLoopsAvx2;
extern const ProbeLoops kProbeLoopsAvx512;
extern const ProbeLoops kProbeLoopsNeon;
extern const ProbeLoops kProbeLoopsNeonDot;
extern const ProbeLoops kProbeLoopsNeonI8mm;

}  // namespace halftone
