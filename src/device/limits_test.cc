// SPDX-License-Identifier: Apache-2.0
#include "device/limits.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/temp_folder.h"
#include "device/machine.h"
#include "device/probes.h"

namespace halftone {
namespace {

class Limits : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = ::getenv("HALFTONE_CACHE")) saved_ = value;
    ::setenv("HALFTONE_CACHE", (folder_ / "cache").c_str(), 1);
  }
  void TearDown() override {
    saved_.empty() ? ::unsetenv("HALFTONE_CACHE") : ::setenv("HALFTONE_CACHE", saved_.c_str(), 1);
  }

  // Of this machine, without measuring.
  static MachineLimits some() {
    const MachineInfo machine = machine_info();
    MachineLimits limits{machine.cpu, std::string(probe_isa()), machine.cores, "2026-01-01T00:00:00Z", 0.25, {}};
    limits.by_threads.push_back({1, {3e10, 2e10, 4e10}, {1e12, 9e11, 1.1e12}, {}, {2.5e11, 2e11, 3e11}});
    return limits;
  }

  TempFolder folder_;
  std::string saved_;
};

TEST_F(Limits, WhatIsStoredComesBack) {
  EXPECT_FALSE(cached_limits());
  const MachineLimits limits = some();
  const auto file = store_limits(limits);
  ASSERT_TRUE(file.ok()) << file.status().message();
  const auto again = cached_limits();
  ASSERT_TRUE(again);
  EXPECT_EQ(to_json(*again), to_json(limits));
}

TEST_F(Limits, AnotherMachineOrADamagedFileIsNothing) {
  MachineLimits limits = some();
  const auto file = store_limits(limits);
  ASSERT_TRUE(file.ok());
  for (const std::string& content :
       {std::string("{"), std::string("{}"), to_json(limits).dump().replace(2, 3, "gpu")}) {
    std::ofstream(*file) << content;
    EXPECT_FALSE(cached_limits()) << content;
  }
  auto other = to_json(limits);
  other["cpu"] = "another";
  std::ofstream(*file) << other;
  EXPECT_FALSE(cached_limits());
}

TEST_F(Limits, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(folder_ / "cache") << "a file";
  const auto file = store_limits(some());
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.status().message().find("cache"), std::string_view::npos);
}

}  // namespace
}  // namespace halftone
