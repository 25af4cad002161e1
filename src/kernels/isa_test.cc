// SPDX-License-Identifier: Apache-2.0
#include "kernels/isa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace halftone {
namespace {

// Restores what the environment and other tests of this process see.
class IsaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv("HALFTONE_ISA")) saved_ = value;
  }
  void TearDown() override {
    if (saved_.empty()) {
      ::unsetenv("HALFTONE_ISA");
    } else {
      ::setenv("HALFTONE_ISA", saved_.c_str(), 1);
    }
  }
  std::string saved_;
};

TEST_F(IsaTest, SupportedIsASubsetOfCompiledAndStartsWithScalar) {
  const auto compiled = compiled_isas(), supported = supported_isas();
  ASSERT_FALSE(supported.empty());
  EXPECT_EQ(supported.front(), Isa::scalar);
  for (const Isa isa : supported) {
    EXPECT_NE(std::find(compiled.begin(), compiled.end(), isa), compiled.end()) << name_of(isa);
  }
}

// HALFTONE_ISA=neon_dot kernels_test says nothing of neon_dot where the machine does not have it.
TEST_F(IsaTest, WhatTheCallerChoseIsSupported) {
  const Result<Isa> active = active_isa();
  ASSERT_TRUE(active.ok()) << active.status().message();
  EXPECT_TRUE(saved_.empty() || name_of(*active) == saved_);
}

TEST_F(IsaTest, EnvironmentChooses) {
  for (const Isa isa : supported_isas()) {
    ::setenv("HALFTONE_ISA", std::string(name_of(isa)).c_str(), 1);
    const Result<Isa> active = active_isa();
    ASSERT_TRUE(active.ok());
    EXPECT_EQ(*active, isa);
  }
  ::setenv("HALFTONE_ISA", "", 1);
  ASSERT_TRUE(active_isa().ok());
  EXPECT_EQ(*active_isa(), supported_isas().back());
}

TEST_F(IsaTest, UnknownNamesListTheSupportedOnes) {
  for (const char* name : {"avx-512", "AVX2", "sse", "avx512 ", "avx51"}) {
    ::setenv("HALFTONE_ISA", name, 1);
    const Result<Isa> active = active_isa();
    ASSERT_FALSE(active.ok()) << name;
    const std::string message(active.status().message());
    EXPECT_EQ(active.status().code(), StatusCode::invalid_input);
    EXPECT_NE(message.find(std::string(name)), std::string::npos) << message;
    for (const Isa isa : supported_isas()) EXPECT_NE(message.find(name_of(isa)), std::string::npos) << message;
  }
}

TEST_F(IsaTest, AnotherMachinesIsaIsRefused) {
#if defined(__aarch64__)
  const Isa foreign = Isa::avx512;
#else
  const Isa foreign = Isa::neon;
#endif
  EXPECT_EQ(isa_from_name(name_of(foreign)).status().code(), StatusCode::unsupported);
  EXPECT_EQ(force_isa(foreign).code(), StatusCode::unsupported);
}

TEST_F(IsaTest, WhatRunsWhere) {
  EXPECT_TRUE(isa_runs(Isa::scalar, Isa::neon));
  EXPECT_TRUE(isa_runs(Isa::avx2, Isa::avx512));
  EXPECT_TRUE(isa_runs(Isa::neon, Isa::neon_dot));
  EXPECT_TRUE(isa_runs(Isa::neon_dot, Isa::neon_i8mm));
  EXPECT_FALSE(isa_runs(Isa::neon_i8mm, Isa::neon_dot));
  EXPECT_FALSE(isa_runs(Isa::avx512, Isa::neon_i8mm));
  EXPECT_FALSE(isa_runs(Isa::avx512, Isa::avx2));
  EXPECT_FALSE(isa_runs(Isa::avx2, Isa::neon));
  EXPECT_FALSE(isa_runs(Isa::avx2, Isa::scalar));
  EXPECT_FALSE(isa_runs(Isa::neon, Isa::avx512));
}

}  // namespace
}  // namespace halftone
