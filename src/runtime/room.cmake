# SPDX-License-Identifier: Apache-2.0
# Clang under sanitizers needs three times as long for the ops of networks with optimisation; their tests are small.
target_compile_options(halftone_runtime PRIVATE $<$<CONFIG:None>:-O0>)
