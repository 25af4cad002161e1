// SPDX-License-Identifier: Apache-2.0
#include "bench/guards.h"

#include <fmt/format.h>

#include <string_view>

#include "base/error.h"
#include "base/units.h"

namespace halftone {
namespace {

constexpr double kLoadedFraction = 0.10;  // of all cores, used by others
constexpr double kLoadSampleSeconds = 0.5;
constexpr int64_t kFaultsWorthSaying = 100;
constexpr double kWeakFraction = 0.8;  // of what the probe found at its worst

// A warning when noise is allowed, else the reason to refuse.
Status refuse_or_warn(const BenchOptions& options, std::vector<std::string>& warnings, const std::string& what,
                      std::string_view remedy) {
  if (!options.allow_noisy) return unsupported("[bench] {}; {}, or allow a noisy measurement", what, remedy);
  warnings.push_back(what);
  return {};
}

std::string busy_text(const LoadState& load, std::string_view when) {
  return fmt::format("other processes used {:.0f} % of all cores {} (at most {:.0f} % leaves figures that repeat)",
                     100 * load.other_cpu_fraction, when, 100 * kLoadedFraction);
}

}  // namespace

Status check_machine(const BenchOptions& options, std::vector<std::string>& warnings) {
  const std::string build = machine_info().build;
  if (build != "release") {
    HALFTONE_TRY(refuse_or_warn(options, warnings, fmt::format("expected a release build, got a {} build", build),
                                "build with the preset release"));
  }
  const auto load = load_state(kLoadSampleSeconds);
  if (!load) {
    warnings.push_back("this system does not say how busy it is: load was not checked");
    return {};
  }
  if (load->swapping) {
    HALFTONE_TRY(refuse_or_warn(options, warnings, "the machine is swapping", "free memory"));
  }
  if (load->other_cpu_fraction > kLoadedFraction) {
    HALFTONE_TRY(refuse_or_warn(options, warnings, busy_text(*load, "before the measurement"), "end or pause them"));
  }
  if (load->frequency_limit && *load->frequency_limit < 0.99) {
    warnings.push_back(
        fmt::format("the clock is limited to {:.0f} % of what the CPU can do", 100 * *load->frequency_limit));
  }
  if (load->on_battery.value_or(false)) warnings.push_back("the machine runs on battery");
  return {};
}

void NoiseWatch::warn(std::vector<std::string>& warnings) const {
  const auto load = load_.since_start();
  if (load && load->other_cpu_fraction > kLoadedFraction)
    warnings.push_back(busy_text(*load, "during the measurement"));
  if (load && load->swapping) warnings.push_back("the machine swapped during the measurement");
  const auto after = memory_counters();
  if (faults_ && after && after->major_faults - faults_->major_faults > kFaultsWorthSaying) {
    warnings.push_back(
        fmt::format("{} pages came from disk during the measurement: the models do not fit in memory together",
                    format_count(after->major_faults - faults_->major_faults)));
  }
}

void warn_of_weak_machine(const BenchReport& report, std::vector<std::string>& warnings) {
  if (!report.limits) return;
  for (const ThreadLimits& at : report.limits->by_threads) {
    if (at.threads != report.threads) continue;
    const auto compare = [&](const char* what, double now, const Spread& then, double unit, const char* unit_name) {
      if (now <= 0 || now >= kWeakFraction * then.low) return;
      warnings.push_back(
          fmt::format("{} was {:.0f} {} in this run, {:.0f} when the machine was probed ({}): neighbours or power "
                      "settings slow it now; fractions are of what was measured now",
                      what, now / unit, unit_name, then.median / unit, report.limits->measured));
    };
    compare("read bandwidth", report.read_bandwidth, at.read_bandwidth, 1e9, "GB/s");
    compare("the 8-bit dot product peak", report.int8_peak, at.int8_dot, 1e9, "Gop/s");
    compare("the f32 FMA peak", report.f32_peak, at.f32_fma, 1e9, "Gop/s");
  }
}

}  // namespace halftone
