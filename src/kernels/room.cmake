# SPDX-License-Identifier: Apache-2.0
# One file uses an extension that avx512 does not imply; kernels/linear/linear.cc selects it only where the CPU has it.
if("avx512" IN_LIST HALFTONE_ISAS)
  set_property(SOURCE ${folder}/linear/bf16_avx512.cc APPEND PROPERTY COMPILE_OPTIONS -mavx512bf16)
  # Clang needs minutes for these unrolled tiles under sanitizers. Tests run every row between unreadable pages in the release build; the
  # sanitizer builds have the scalar and AVX2 rows.
  if(CMAKE_CXX_FLAGS MATCHES "fsanitize=")
    target_compile_definitions(halftone_kernels PUBLIC HALFTONE_SANITIZED)
    set_property(SOURCE ${folder}/linear/exact_avx512.cc ${folder}/linear/int8_avx512.cc PROPERTY HEADER_FILE_ONLY TRUE)
  endif()
  if(CMAKE_CXX_FLAGS MATCHES "fsanitize=address")
    set_property(SOURCE ${folder}/attention/attention_avx512.cc APPEND PROPERTY COMPILE_OPTIONS
                 -fno-sanitize=undefined -fno-sanitize=fuzzer-no-link -mllvm -asan-instrumentation-with-call-threshold=0)
    set_property(SOURCE ${folder}/linear/int8_avx2.cc ${folder}/linear/exact_avx2.cc APPEND PROPERTY COMPILE_OPTIONS
                 -mllvm -asan-instrumentation-with-call-threshold=0)
    set_property(SOURCE ${folder}/linear/linear_test.cc APPEND PROPERTY COMPILE_OPTIONS -O1)  # plain sums that take a minute without
  endif()
endif()
