// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/error.h"
#include "base/units.h"
#include "bench/guards.h"
#include "bench/runner.h"
#include "bench/summary.h"
#include "device/machine.h"
#include "kernels/isa.h"

namespace halftone {
namespace {

struct Entry {
  Runner runner;
  std::vector<Round> rounds;
  ModelBench result;
};

Status check(const std::vector<std::filesystem::path>& models, const BenchOptions& options) {
  if (models.empty()) return invalid_input("[bench] expected at least one model, got none");
  if (options.prompt_tokens < 1)
    return invalid_input("[bench] expected a prompt of at least 1 token, got {}", options.prompt_tokens);
  if (options.decode_tokens < 1)
    return invalid_input("[bench] expected to decode at least 1 token, got {}", options.decode_tokens);
  if (options.context_tokens < 0)
    return invalid_input("[bench] expected a context of 0 or more tokens, got {}", options.context_tokens);
  if (options.rounds < 1) return invalid_input("[bench] expected at least 1 round, got {}", options.rounds);
  for (const int threads : options.thread_counts) {
    if (threads < 0)
      return invalid_input("[bench] expected counts of 1 or more threads (0: all cores), got {}", threads);
  }
  for (const int64_t tokens : options.verify_tokens) {
    if (tokens < 1) return invalid_input("[bench] expected to verify 1 token or more, got {}", tokens);
  }
  return {};
}

std::vector<int> thread_counts(const BenchOptions& options) {
  return options.thread_counts.empty() ? std::vector<int>{options.threads} : options.thread_counts;
}

// Other runtimes' files are regrouped before anything is measured, so that neither loads nor peaks of memory have it.
Result<double> import_first(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const ModelFile file, open_model_file(path));
  return file.import ? file.import->seconds : 0.0;
}

// The first pass over a model, alone in the process: its peaks of memory, and its file brought into the page cache.
Result<MemoryResult> measure_memory(const std::filesystem::path& path, const BenchOptions& options, int threads,
                                    std::optional<Runner>& runner) {
  release_freed_memory();
  MemoryPeak peak;
  MemoryResult memory;
  HALFTONE_ASSIGN(runner, Runner::load(path, options, threads));
  HALFTONE_ASSIGN(const Round round, runner->round(false));
  memory.weights_bytes = runner->language_model().model->weight_bytes();
  memory.kv_bytes = round.kv_bytes;
  memory.scratch_bytes = runner->executor().scratch_bytes();
  const auto peaks = peak.stop();
  memory.peak_private_bytes = peaks.private_bytes;
  memory.peak_mapped_bytes = peaks.mapped_file_bytes;
  return memory;
}

// Folder to ready executor, and on to the first token of a one-token prompt; the file is in the page cache, the mapping
// is new.
Status measure_loads(const std::filesystem::path& path, const BenchOptions& options, int threads, ModelBench& result) {
  using Clock = std::chrono::steady_clock;
  BenchOptions bare = options;
  bare.verify_tokens.clear();  // needs a second executor
  bare.prompt_tokens = 1;
  bare.context_tokens = 0;
  std::vector<double> load, first;
  for (int i = 0; i < options.rounds; ++i) {
    const auto begin = Clock::now();
    HALFTONE_ASSIGN(Runner runner, Runner::load(path, bare, threads));
    load.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    HALFTONE_TRY(runner.one_token());
    first.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  result.load_seconds = median_interval(load).median;
  result.load_to_first_token_seconds = median_interval(first);
  return {};
}

Status run_rounds(std::vector<Entry>& entries, const BenchOptions& options, BenchReport& report, Progress& progress) {
  for (Entry& entry : entries) {
    double spread = 0;
    HALFTONE_ASSIGN(const bool steady, entry.runner.warm_up(spread));
    if (!steady) {
      report.warnings.push_back(
          fmt::format("{}: decoding did not become steady: the last two bursts differ by {:.0f} %", entry.result.model,
                      100 * spread));
    }
  }
  const NoiseWatch watch;
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < entries.size(); ++i) {
      // Another one begins each round, so that none always follows the same neighbour.
      Entry& entry = entries[(i + static_cast<size_t>(round)) % entries.size()];
      HALFTONE_ASSIGN(const Round measured, entry.runner.round(true));
      entry.rounds.push_back(measured);
      progress.advance(1);
    }
  }
  watch.warn(report.warnings);
  if (!options.profile) return {};
  for (Entry& entry : entries) {
    HALFTONE_ASSIGN(entry.result.profile, entry.runner.profile());
  }
  return {};
}

void warn_of_cached_weights(const ModelBench& model, const MachineInfo& machine, BenchReport& report) {
  if (model.memory.weights_bytes >= machine.l2_bytes * machine.cores + machine.l3_bytes) return;
  report.warnings.push_back(fmt::format("{}: {} of weights fit in the caches, so bandwidth here is that of the caches",
                                        model.model, format_bytes(model.memory.weights_bytes)));
}

Status measure(const std::vector<std::filesystem::path>& models, const BenchOptions& options,
               std::vector<Entry>& entries, BenchReport& report, Progress& progress) {
  std::vector<ModelBench> results;
  std::optional<Runner> runner;
  const MachineInfo machine = machine_info();
  for (const auto& path : models) {
    for (const int threads : thread_counts(options)) {
      ModelBench& result = results.emplace_back();
      result.model = path.string();
      result.threads = threads == 0 ? machine.cores : threads;
      runner.reset();
      HALFTONE_ASSIGN(result.import_seconds, import_first(path));
      HALFTONE_ASSIGN(result.memory, measure_memory(path, options, threads, runner));
      HALFTONE_TRY(measure_loads(path, options, threads, result));
      progress.advance(1);
    }
    warn_of_cached_weights(results.back(), machine, report);
  }
  if (results.size() > 1) runner.reset();
  // Only now, so that each was alone while its memory was measured. The only one stays: a long context is filled once.
  for (ModelBench& result : results) {
    if (!runner) {
      HALFTONE_ASSIGN(runner, Runner::load(result.model, options, result.threads));
    }
    result.activations = runner->executor().activations_used();
    entries.push_back({*std::move(runner), {}, std::move(result)});
    runner.reset();
  }
  return run_rounds(entries, options, report, progress);
}

// The limits that stand beside the models: the best of what was measured beside any of them.
void add_limits(const std::vector<Entry>& entries, BenchReport& report) {
  for (const Entry& entry : entries) {
    report.read_bandwidth = std::max(report.read_bandwidth, entry.result.read_bandwidth);
    std::vector<double> int8, bf16, f32;
    for (const Round& round : entry.rounds) {
      int8.push_back(round.peaks.int8_dot);
      bf16.push_back(round.peaks.bf16_dot);
      f32.push_back(round.peaks.f32_fma);
    }
    report.int8_peak = std::max(report.int8_peak, median_interval(int8).median);
    report.bf16_peak = std::max(report.bf16_peak, median_interval(bf16).median);
    report.f32_peak = std::max(report.f32_peak, median_interval(f32).median);
  }
}

}  // namespace

Result<BenchReport> bench(const std::vector<std::filesystem::path>& models, const BenchOptions& options,
                          Progress& progress) {
  HALFTONE_TRY(check(models, options));
  BenchReport report;
  report.options = options;
  report.limits = cached_limits();
  HALFTONE_TRY(check_machine(options, report.warnings));
  HALFTONE_ASSIGN(const Isa isa, active_isa());
  report.isa = name_of(isa);
  if (options.rounds < 6) {
    report.warnings.push_back(fmt::format(
        "{} rounds carry no 95 % interval of a median (6 do): low and high are the extremes", options.rounds));
  }
  std::vector<Entry> entries;
  const auto measured = static_cast<int64_t>(models.size() * thread_counts(options).size());
  progress.begin("measuring", measured * (options.rounds + 1), "rounds");
  const Status status = measure(models, options, entries, report, progress);
  progress.end();
  HALFTONE_TRY(status);
  report.threads = entries.front().result.threads;
  for (Entry& entry : entries) {
    summarise(entry.runner, entry.rounds, options, entry.result, report.warnings);
  }
  add_limits(entries, report);
  warn_of_weak_machine(report, report.warnings);
  for (Entry& entry : entries) report.models.push_back(std::move(entry.result));
  return report;
}

}  // namespace halftone
