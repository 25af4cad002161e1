// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/units.h"
#include "bench/runner.h"
#include "device/machine.h"
#include "device/probes.h"
#include "kernels/isa.h"

namespace halftone {
namespace {

constexpr double kLoadedFraction = 0.10;  // of all cores, used by others
constexpr double kLoadSampleSeconds = 0.5;
constexpr int64_t kFaultsWorthSaying = 100;

struct Entry {
  Runner runner;
  std::vector<Round> rounds;
  ModelBench result;
};

Status check(const std::vector<std::filesystem::path>& models, const BenchOptions& options) {
  if (models.empty()) return invalid_input("[bench] expected at least one model, got none");
  if (options.prompt_tokens < 1) return invalid_input("[bench] expected a prompt of at least 1 token, got {}", options.prompt_tokens);
  if (options.decode_tokens < 1) return invalid_input("[bench] expected to decode at least 1 token, got {}", options.decode_tokens);
  if (options.rounds < 1) return invalid_input("[bench] expected at least 1 round, got {}", options.rounds);
  return {};
}

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
    warnings.push_back(fmt::format("the clock is limited to {:.0f} % of what the CPU can do", 100 * *load->frequency_limit));
  }
  if (load->on_battery.value_or(false)) warnings.push_back("the machine runs on battery");
  return {};
}

// The first pass over a model, alone in the process: its peaks of memory, and its file brought into the page cache.
Result<MemoryResult> measure_memory(const std::filesystem::path& path, const BenchOptions& options) {
  release_freed_memory();
  MemoryPeak peak;
  MemoryResult memory;
  HALFTONE_ASSIGN(Runner runner, Runner::load(path, options));
  HALFTONE_ASSIGN(const Round round, runner.round(false));
  memory.weights_bytes = runner.language_model().model->weight_bytes();
  memory.kv_bytes = round.kv_bytes;
  memory.scratch_bytes = runner.executor().scratch_bytes();
  const auto peaks = peak.stop();
  memory.peak_private_bytes = peaks.private_bytes;
  memory.peak_mapped_bytes = peaks.mapped_file_bytes;
  return memory;
}

MedianInterval interval_of(const std::vector<Round>& rounds, const std::function<double(const Round&)>& value) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(value(round));
  return median_interval(values);
}

PhaseResult phase_of(const std::vector<Round>& rounds, double Round::* seconds, int64_t tokens, const PhaseCost& cost,
                     const BenchReport& report) {
  PhaseResult phase;
  const auto count = static_cast<double>(tokens);
  phase.tokens = tokens;
  for (const Round& round : rounds) phase.seconds_samples.push_back(round.*seconds);
  phase.tokens_per_second = interval_of(rounds, [&](const Round& round) { return count / (round.*seconds); });
  phase.bytes_per_token = static_cast<int64_t>(cost.bytes / count);
  const double ideal_seconds = cost.int8_operations / report.int8_peak + cost.f32_operations / report.f32_peak;
  phase.peak_fraction = interval_of(rounds, [&](const Round& round) { return ideal_seconds / (round.*seconds); }).median;
  phase.bandwidth_fraction =
      interval_of(rounds, [&](const Round& round) { return cost.bytes / (round.*seconds) / round.read_bandwidth; }).median;
  return phase;
}

void summarise(Entry& entry, const BenchOptions& options, BenchReport& report) {
  ModelBench& result = entry.result;
  result.activations = entry.runner.executor().activations_used();
  result.load_seconds = entry.runner.load_seconds();
  result.first_token_seconds = interval_of(entry.rounds, [](const Round& round) { return round.first_token_seconds; });
  result.prefill =
      phase_of(entry.rounds, &Round::prefill_seconds, options.prompt_tokens, entry.runner.prefill_cost(), report);
  result.decode = phase_of(entry.rounds, &Round::decode_seconds, options.decode_tokens, entry.runner.decode_cost(), report);
  result.read_bandwidth = interval_of(entry.rounds, [](const Round& round) { return round.read_bandwidth; }).median;
  result.generated_tokens = entry.rounds.front().generated_tokens;
  result.stop_reason = "max_tokens";
  const auto doubt = [&](const char* phase, const char* limit, double fraction) {
    if (fraction <= 1) return;
    report.warnings.push_back(fmt::format("{}: {} at {:.2f} of the {} is more than can be: the limit was measured too low",
                                          result.model, phase, fraction, limit));
  };
  doubt("prefill", "read bandwidth", result.prefill.bandwidth_fraction);
  doubt("decode", "read bandwidth", result.decode.bandwidth_fraction);
  doubt("prefill", "arithmetic peak", result.prefill.peak_fraction);
  doubt("decode", "arithmetic peak", result.decode.peak_fraction);
}

Status run_rounds(std::vector<Entry>& entries, const BenchOptions& options, BenchReport& report, Progress& progress) {
  for (Entry& entry : entries) {
    double spread = 0;
    HALFTONE_ASSIGN(const bool steady, entry.runner.warm_up(spread));
    if (!steady) {
      report.warnings.push_back(fmt::format("{}: decoding did not become steady: the last two bursts differ by {:.0f} %",
                                            entry.result.model, 100 * spread));
    }
  }
  const auto peaks = measure_compute_peaks(entries.front().runner.executor().pool());
  report.f32_peak = peaks.f32_fma;
  report.int8_peak = peaks.int8_dot;
  const LoadWatch watch;
  const auto before = memory_counters();
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < entries.size(); ++i) {
      // Another one begins each round, so that none always follows the same neighbour.
      Entry& entry = entries[(i + static_cast<size_t>(round)) % entries.size()];
      HALFTONE_ASSIGN(const Round measured, entry.runner.round(true));
      entry.rounds.push_back(measured);
      progress.advance(1);
    }
  }
  const auto load = watch.since_start();
  if (load && load->other_cpu_fraction > kLoadedFraction) {
    report.warnings.push_back(busy_text(*load, "during the measurement"));
  }
  if (load && load->swapping) report.warnings.push_back("the machine swapped during the measurement");
  const auto after = memory_counters();
  if (before && after && after->major_faults - before->major_faults > kFaultsWorthSaying) {
    report.warnings.push_back(fmt::format("{} pages came from disk during the measurement: the models do not fit in memory together",
                                          format_count(after->major_faults - before->major_faults)));
  }
  return {};
}

Status measure(const std::vector<std::filesystem::path>& models, const BenchOptions& options, std::vector<Entry>& entries,
               BenchReport& report, Progress& progress) {
  std::vector<MemoryResult> memory;
  for (const auto& path : models) {
    HALFTONE_ASSIGN(memory.emplace_back(), measure_memory(path, options));
    progress.advance(1);
  }
  const MachineInfo machine = machine_info();
  for (size_t i = 0; i < models.size(); ++i) {
    HALFTONE_ASSIGN(Runner runner, Runner::load(models[i], options));
    entries.push_back({std::move(runner), {}, {}});
    entries.back().result.model = models[i].string();
    entries.back().result.memory = memory[i];
    if (memory[i].weights_bytes < machine.l2_bytes * machine.cores + machine.l3_bytes) {
      report.warnings.push_back(fmt::format("{}: {} of weights fit in the caches, so bandwidth here is that of the caches",
                                            models[i].string(), format_bytes(memory[i].weights_bytes)));
    }
  }
  return run_rounds(entries, options, report, progress);
}

}  // namespace

Result<BenchReport> bench(const std::vector<std::filesystem::path>& models, const BenchOptions& options, Progress& progress) {
  HALFTONE_TRY(check(models, options));
  BenchReport report;
  report.options = options;
  HALFTONE_TRY(check_machine(options, report.warnings));
  HALFTONE_ASSIGN(const Isa isa, active_isa());
  report.isa = name_of(isa);
  if (options.rounds < 6) {
    report.warnings.push_back(fmt::format("{} rounds carry no 95 % interval of a median (6 do): low and high are the extremes",
                                          options.rounds));
  }
  std::vector<Entry> entries;
  progress.begin("measuring", static_cast<int64_t>(models.size()) * (options.rounds + 1), "rounds");
  const Status status = measure(models, options, entries, report, progress);
  progress.end();
  HALFTONE_TRY(status);
  report.threads = entries.front().runner.executor().threads();
  std::vector<double> bandwidths;
  for (Entry& entry : entries) {
    summarise(entry, options, report);
    bandwidths.push_back(entry.result.read_bandwidth);
    report.models.push_back(std::move(entry.result));
  }
  report.read_bandwidth = *std::max_element(bandwidths.begin(), bandwidths.end());
  return report;
}

}  // namespace halftone
