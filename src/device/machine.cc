// SPDX-License-Identifier: Apache-2.0
#include "device/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/thread_pool.h"
#include "device/system.h"

#if defined(__has_feature)
#define HALFTONE_HAS_FEATURE(x) __has_feature(x)
#else
#define HALFTONE_HAS_FEATURE(x) 0
#endif

namespace halftone {
namespace {

using Clock = std::chrono::steady_clock;

constexpr bool kSanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HALFTONE_HAS_FEATURE(address_sanitizer) || \
    HALFTONE_HAS_FEATURE(thread_sanitizer) || HALFTONE_HAS_FEATURE(memory_sanitizer)
    true;
#else
    false;
#endif

constexpr bool kOptimised =
#if defined(__OPTIMIZE__) && defined(NDEBUG)
    true;
#else
    false;
#endif

std::string compiler_name() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return {};
#endif
}

double own_cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

MachineInfo machine_info() {
  MachineInfo info;
  info.compiler = compiler_name();
  info.build = kSanitized ? "sanitized" : kOptimised ? "release" : "debug";
  info.cores = available_cores();
  system::describe(info);
  return info;
}

nlohmann::ordered_json to_json(const MachineInfo& info) {
  nlohmann::ordered_json json;
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
  };
  const auto number = [&](const char* key, int64_t value) {
    if (value > 0) json[key] = value;
  };
  text("cpu", info.cpu);
  number("cores", info.cores);
  number("memory_bytes", info.memory_bytes);
  number("l1_bytes", info.l1_bytes);
  number("l2_bytes", info.l2_bytes);
  number("l3_bytes", info.l3_bytes);
  text("system", info.system);
  text("compiler", info.compiler);
  text("build", info.build);
  return json;
}

std::optional<MemoryCounters> memory_counters() { return system::exact_memory(); }

void release_freed_memory() { system::release_freed_memory(); }

struct MemoryPeak::State {
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  Peaks peaks;
  std::thread thread;

  void sample() {
    const auto now = system::quick_memory();
    if (!now) return;
    peaks.private_bytes = std::max(peaks.private_bytes, now->private_bytes);
    peaks.mapped_file_bytes = std::max(peaks.mapped_file_bytes, now->mapped_file_bytes);
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      sample();
      wake.wait_for(lock, std::chrono::milliseconds(2));
    }
  }
};

MemoryPeak::MemoryPeak() : state_(std::make_unique<State>()) {
  state_->sample();
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

MemoryPeak::~MemoryPeak() { stop(); }

MemoryPeak::Peaks MemoryPeak::stop() {
  if (!state_->thread.joinable()) return state_->peaks;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_one();
  state_->thread.join();
  state_->sample();
  return state_->peaks;
}

struct LoadWatch::State {
  std::optional<system::CpuTimes> first = system::cpu_times();
  Clock::time_point begin = Clock::now();
  double own_first = own_cpu_seconds();
};

LoadWatch::LoadWatch() : state_(std::make_unique<State>()) {}
LoadWatch::~LoadWatch() = default;

std::optional<LoadState> LoadWatch::since_start() const {
  const auto& first = state_->first;
  const auto last = system::cpu_times();
  const double elapsed = std::chrono::duration<double>(Clock::now() - state_->begin).count();
  if (!first || !last || last->cores <= 0 || elapsed <= 0) return std::nullopt;
  LoadState load;
  const double others = last->busy_seconds - first->busy_seconds - (own_cpu_seconds() - state_->own_first);
  load.other_cpu_fraction = std::clamp(others / (elapsed * last->cores), 0.0, 1.0);
  load.swapping = last->swapped_pages != first->swapped_pages;
  load.load_average_1min = system::load_average().value_or(0.0);
  load.frequency_limit = system::frequency_limit();
  load.on_battery = system::on_battery();
  return load;
}

std::optional<LoadState> load_state(double interval_seconds) {
  const LoadWatch watch;
  std::this_thread::sleep_for(std::chrono::duration<double>(interval_seconds));
  return watch.since_start();
}

}  // namespace halftone
