# SPDX-License-Identifier: Apache-2.0
# One file uses an extension that avx512 does not imply; kernels/linear/linear.cc selects it only where the CPU has it.
if("avx512" IN_LIST HALFTONE_ISAS)
  set_property(SOURCE ${folder}/linear/bf16_avx512.cc APPEND PROPERTY COMPILE_OPTIONS -mavx512bf16)
  # clang needs minutes for these unrolled tiles: five under the address sanitizer (16 seconds without), three under the
  # other (one without). The scalar and AVX2 rows have both.
  if(CMAKE_CXX_FLAGS MATCHES "fsanitize=address")
    set_property(SOURCE ${folder}/linear/exact_avx512.cc APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=all)
    set_property(SOURCE ${folder}/linear/int8_avx512.cc ${folder}/attention/attention_avx512.cc APPEND PROPERTY COMPILE_OPTIONS
                 -fno-sanitize=undefined -fno-sanitize=fuzzer-no-link)
  endif()
endif()
