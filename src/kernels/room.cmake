# SPDX-License-Identifier: Apache-2.0
# One file uses an extension that avx512 does not imply; kernels/linear/linear.cc selects it only where the CPU has it.
if("avx512" IN_LIST HALFTONE_ISAS)
  set_property(SOURCE ${folder}/linear/bf16_avx512.cc APPEND PROPERTY COMPILE_OPTIONS -mavx512bf16)
  # clang needs minutes for these unrolled tiles: for one of them five under the address sanitizer (16 seconds without), for the
  # others three under the undefined-behaviour one. Checks that are calls instead of code of their own take 39 seconds instead of
  # 130. The scalar and AVX2 rows have both sanitizers.
  if(CMAKE_CXX_FLAGS MATCHES "fsanitize=address")
    set_property(SOURCE ${folder}/linear/exact_avx512.cc APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=all)
    set_property(SOURCE ${folder}/linear/int8_avx512.cc ${folder}/attention/attention_avx512.cc APPEND PROPERTY COMPILE_OPTIONS
                 -fno-sanitize=undefined -fno-sanitize=fuzzer-no-link -mllvm -asan-instrumentation-with-call-threshold=0)
    set_property(SOURCE ${folder}/linear/int8_avx2.cc ${folder}/linear/exact_avx2.cc APPEND PROPERTY COMPILE_OPTIONS
                 -mllvm -asan-instrumentation-with-call-threshold=0)
  endif()
endif()
