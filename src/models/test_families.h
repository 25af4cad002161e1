// SPDX-License-Identifier: Apache-2.0
// For tests only: the tiny synthetic shapes, one of each family of decoders.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace halftone {

inline auto every_tiny_family() {
  return testing::Values("tiny", "tiny-mistral", "tiny-qwen2", "tiny-qwen3", "tiny-phi", "tiny-phi3", "tiny-gemma",
                         "tiny-gemma2", "tiny-gemma3");
}

// A shape's name as a test may be called.
inline std::string shape_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace halftone
