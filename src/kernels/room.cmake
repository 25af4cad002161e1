# SPDX-License-Identifier: Apache-2.0
# One file uses an extension that avx512 does not imply; kernels/linear/linear.cc selects it only where the CPU has it.
if("avx512" IN_LIST HALFTONE_ISAS)
  set_property(SOURCE ${folder}/linear/bf16_avx512.cc APPEND PROPERTY COMPILE_OPTIONS -mavx512bf16)
  # clang needs five minutes for these unrolled tiles under the address sanitizer, and 16 seconds without.
  if(CMAKE_CXX_FLAGS MATCHES "fsanitize=address")
    set_property(SOURCE ${folder}/linear/exact_avx512.cc APPEND PROPERTY COMPILE_OPTIONS
                 -fno-sanitize=address -fno-sanitize=undefined -fno-sanitize=fuzzer-no-link)
  endif()
endif()
