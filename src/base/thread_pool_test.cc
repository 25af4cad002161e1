// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <numeric>
#include <thread>
#include <vector>

#include "base/cores.h"
#include "base/temp_folder.h"

namespace halftone {
namespace {

TEST(ThreadPool, EveryIndexOnceForManyShapes) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int64_t count : {0, 1, 2, 15, 16, 17, 1000}) {
      for (const int64_t chunk : {1, 3, 16, 5000}) {
        std::vector<int> hits(static_cast<size_t>(count));  // plain ints: two threads on one index are a race for tsan
        std::atomic<bool> sane{true};
        pool.parallel_for(count, chunk, [&](int64_t begin, int64_t end, int thread) {
          if (begin >= end || end - begin > chunk || begin % chunk != 0 || thread < 0 || thread >= threads)
            sane = false;
          for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
        });
        EXPECT_TRUE(sane);
        EXPECT_EQ(std::accumulate(hits.begin(), hits.end(), int64_t{0}), count);
      }
    }
  }
}

// Jobs in a fast row reuse the same fields; plain writes of one job must be seen by the next.
TEST(ThreadPool, StressOfShortJobs) {
  ThreadPool pool(4);
  std::vector<int64_t> values(64, 0);
  for (int round = 0; round < 20000; ++round) {
    pool.parallel_for(64, 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += i;
    });
  }
  for (int64_t i = 0; i < 64; ++i) EXPECT_EQ(values[static_cast<size_t>(i)], 20000 * i);
}

// A thread index is scratch of one body at a time.
TEST(ThreadPool, ThreadIndexIsExclusive) {
  ThreadPool pool(4);
  std::atomic<int> inside[4] = {};
  std::atomic<int> collisions{0};
  for (int round = 0; round < 2000; ++round) {
    pool.parallel_for(16, 1, [&](int64_t, int64_t, int thread) {
      if (inside[thread].fetch_add(1) != 0) ++collisions;
      inside[thread].fetch_sub(1);
    });
  }
  EXPECT_EQ(collisions, 0);
}

TEST(ThreadPool, SleepingWorkersWake) {
  ThreadPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // far longer than the spin
    std::atomic<int> present{0};
    // Each body waits for the others: ends only when all three threads really take part.
    pool.parallel_for(3, 1, [&](int64_t, int64_t, int) {
      ++present;
      while (present < 3) std::this_thread::yield();
    });
    EXPECT_EQ(present, 3);
  }
}

TEST(ThreadPool, CallerSleepsForASlowWorker) {
  ThreadPool pool(2);
  std::atomic<int> done{0}, started{0};
  pool.parallel_for(2, 1, [&](int64_t, int64_t, int thread) {
    ++started;
    while (started < 2) std::this_thread::yield();
    if (thread == 1) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++done;
  });
  EXPECT_EQ(done, 2);
}

TEST(ThreadPool, CallersQueue) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  std::atomic<int> inside[3] = {};
  std::atomic<int> collisions{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        pool.parallel_for(8, 1, [&](int64_t begin, int64_t, int thread) {
          if (inside[thread].fetch_add(1) != 0) ++collisions;
          sum += begin;
          inside[thread].fetch_sub(1);
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 500 * 28);
  EXPECT_EQ(collisions, 0);
}

TEST(ThreadPool, NestedCallsRunOnTheirThread) {
  ThreadPool pool(3);
  std::atomic<int> wrong{0}, total{0};
  pool.parallel_for(6, 1, [&](int64_t, int64_t, int outer) {
    pool.parallel_for(10, 3, [&](int64_t begin, int64_t end, int inner) {
      if (inner != outer) ++wrong;
      total += static_cast<int>(end - begin);
    });
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(total, 60);
}

TEST(ThreadPool, TwoPoolsNest) {
  ThreadPool outer(2), inner(2);
  std::atomic<int> total{0};
  outer.parallel_for(8, 1,
                     [&](int64_t, int64_t, int) { inner.parallel_for(8, 1, [&](int64_t, int64_t, int) { ++total; }); });
  EXPECT_EQ(total, 64);
}

TEST(ThreadPool, StartsAndStopsWithoutWork) {
  for (int i = 0; i < 100; ++i) ThreadPool pool(4);
}

double process_cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

TEST(ThreadPool, IdleWorkersUseNoCpu) {
  ThreadPool pool(4);
  pool.parallel_for(64, 1, [](int64_t, int64_t, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the spin of 50 us is long over
  const double before = process_cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(process_cpu_seconds() - before, 0.02);
}

void put_line(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << content;
}

TEST(Cores, AtLeastOneAndNotMoreThanTheMachineHas) {
  EXPECT_GE(available_cores(), 1);
  EXPECT_LE(available_cores(), std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
}

TEST(Cores, CgroupVersion2TakesTheTightestLimit) {
  const TempFolder temp;
  put_line(temp / "self", "0::/a/b\n");
  EXPECT_EQ(cgroup_cores(temp / "self", temp / "cg"), std::nullopt);
  put_line(temp / "cg/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cores(temp / "self", temp / "cg"), std::nullopt);
  put_line(temp / "cg/a/cpu.max", "350000 100000\n");
  EXPECT_EQ(cgroup_cores(temp / "self", temp / "cg"), 3);
  put_line(temp / "cg/cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroup_cores(temp / "self", temp / "cg"), 1);
}

TEST(Cores, CgroupVersion1) {
  const TempFolder temp;
  put_line(temp / "self", "7:memory:/x\n4:cpu,cpuacct:/x\n");
  put_line(temp / "cg/cpu/x/cpu.cfs_quota_us", "200000\n");
  put_line(temp / "cg/cpu/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cores(temp / "self", temp / "cg"), 2);
  put_line(temp / "cg/cpu/x/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cgroup_cores(temp / "self", temp / "cg"), std::nullopt);
  put_line(temp / "self", "garbage\n::\n1\n");
  EXPECT_EQ(cgroup_cores(temp / "self", temp / "cg"), std::nullopt);
  EXPECT_EQ(cgroup_cores(temp / "none", temp / "cg"), std::nullopt);
}

}  // namespace
}  // namespace halftone
