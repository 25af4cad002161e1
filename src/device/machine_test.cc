// SPDX-License-Identifier: Apache-2.0
#include "device/machine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "base/file_map.h"

namespace halftone {
namespace {

constexpr int64_t kBlockBytes = 48 << 20;

TEST(MachineInfo, SaysWhatItRunsOn) {
  const MachineInfo info = machine_info();
  EXPECT_GE(info.cores, 1);
  EXPECT_FALSE(info.compiler.empty());
  EXPECT_TRUE(info.build == "release" || info.build == "debug" || info.build == "sanitized") << info.build;
#if defined(__linux__) || defined(__APPLE__)
  EXPECT_GT(info.memory_bytes, 64 << 20);
  EXPECT_FALSE(info.system.empty());
#endif
}

TEST(MachineInfo, JsonHasNoKeyForAnAbsentReading) {
  MachineInfo info;
  info.cores = 2;
  info.cpu = "x";
  const auto json = to_json(info);
  EXPECT_EQ(json["cpu"], "x");
  EXPECT_EQ(json["cores"], 2);
  EXPECT_EQ(json.size(), 2u);
}

#if defined(__linux__) || defined(__APPLE__)

TEST(MemoryCounters, PrivateMemoryGrowsByWhatIsTouched) {
  const auto before = memory_counters();
  ASSERT_TRUE(before);
  std::vector<char> block(kBlockBytes);
  std::memset(block.data(), 1, block.size());
  const auto after = memory_counters();
  ASSERT_TRUE(after);
  const int64_t grown = after->private_bytes - before->private_bytes;
  EXPECT_GT(grown, kBlockBytes * 9 / 10);
  EXPECT_GE(after->peak_resident_bytes, after->private_bytes);
  EXPECT_GE(block[kBlockBytes - 1], 1);
}

TEST(MemoryPeak, RemembersWhatWasFreed) {
  const auto before = memory_counters();
  ASSERT_TRUE(before);
  MemoryPeak peak;
  {
    std::vector<char> block(kBlockBytes);
    std::memset(block.data(), 1, block.size());
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
  }
  const auto peaks = peak.stop();
  EXPECT_GT(peaks.private_bytes, before->private_bytes + kBlockBytes / 2);
  EXPECT_EQ(peak.stop().private_bytes, peaks.private_bytes);
}

TEST(MemoryPeak, MappedFilesAreNotPrivate) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "halftone_memory_peak_test.bin";
  {
    std::ofstream file(path, std::ios::binary);
    const std::vector<char> zeros(1 << 20, 'x');
    for (int64_t written = 0; written < kBlockBytes; written += 1 << 20) file.write(zeros.data(), 1 << 20);
  }
  const auto before = memory_counters();
  ASSERT_TRUE(before);
  MemoryPeak peak;
  const auto map = FileMap::open(path);
  ASSERT_TRUE(map.ok()) << map.status().message();
  int64_t sum = 0;
  for (size_t i = 0; i < (*map)->bytes().size(); i += 512) sum += std::to_integer<int>((*map)->bytes()[i]);
  const auto peaks = peak.stop();
  std::filesystem::remove(path);
  EXPECT_EQ(sum, 'x' * kBlockBytes / 512);
  EXPECT_GT(peaks.mapped_file_bytes, before->mapped_file_bytes + kBlockBytes / 2);
  EXPECT_LT(peaks.private_bytes, before->private_bytes + kBlockBytes / 2);
}

TEST(LoadState, IsAFractionAndTakesTheInterval) {
  const auto begin = std::chrono::steady_clock::now();
  const auto state = load_state(0.1);
  ASSERT_TRUE(state);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(100));
  EXPECT_GE(state->other_cpu_fraction, 0.0);
  EXPECT_LE(state->other_cpu_fraction, 1.0);
  EXPECT_GE(state->load_average_1min, 0.0);
  EXPECT_GT(state->frequency_limit.value_or(1.0), 0.0);
}

#endif

}  // namespace
}  // namespace halftone
