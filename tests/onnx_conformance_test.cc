// SPDX-License-Identifier: Apache-2.0
// ONNX's own node cases, where they are at hand: they are not part of the checkout.
#include <gtest/gtest.h>

#include <cstdlib>

#include "program.h"

namespace halftone {
namespace {

void run_cases(const std::string& option) {
  const char* folder = std::getenv("HALFTONE_ONNX_NODE_TESTS");
  if (folder == nullptr) GTEST_SKIP() << "HALFTONE_ONNX_NODE_TESTS names no folder of ONNX's node cases";
  const auto [code, output] =
      run_command(std::string(HALFTONE_BINARY_DIR) + "/onnx_conformance '" + folder + "' --at-least 1100 " + option);
  EXPECT_EQ(code, 0) << output;
}

TEST(OnnxConformance, NodeCases) { run_cases(""); }
TEST(OnnxConformance, NodeCasesAfterThePasses) { run_cases("--simplify"); }

}  // namespace
}  // namespace halftone
