// SPDX-License-Identifier: Apache-2.0
#include "bench/latency.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "base/error.h"
#include "base/rng.h"
#include "bench/guards.h"
#include "device/machine.h"
#include "formats/network/network_file.h"
#include "kernels/isa.h"
#include "runtime/network/runner.h"

namespace halftone {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLeastRoundSeconds =
    0.05;  // a run of a small network is shorter than what a clock and a scheduler disturb
constexpr int kWarmRuns = 3;

struct LoadedNetwork {
  NetworkFile file;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<network::Runner> runner;
  std::vector<Tensor> inputs;
};

double elapsed(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

Result<Tensor> random_input(const network::Port& port, const std::string& name, Rng& rng) {
  if (!port.has_shape)
    return unsupported("input {}: expected a network that declares the shapes of its inputs, got any rank", name);
  Shape shape;
  for (const network::Dimension& one : port.shape) shape.push_back(one.size < 0 ? 1 : one.size);
  HALFTONE_ASSIGN(Tensor input, Tensor::make(port.type, std::move(shape)));
  if (port.type == DType::f32) {
    for (float& value : input.mutable_values<float>()) value = static_cast<float>(2 * rng.uniform() - 1);
  } else if (bytes_of(port.type) == 1 && port.type != DType::boolean) {
    for (std::byte& value : input.mutable_bytes()) value = static_cast<std::byte>(rng.below(256));
  } else {
    std::ranges::fill(input.mutable_bytes(), std::byte{0});  // indices, lengths, masks: zero is always one of them
  }
  return input;
}

Result<LoadedNetwork> load_network(const std::filesystem::path& path, int threads, Activations activations) {
  LoadedNetwork entry;
  HALFTONE_ASSIGN(entry.file, open_network(path));
  entry.pool = std::make_unique<ThreadPool>(threads);
  entry.runner = std::make_unique<network::Runner>(entry.file.network, *entry.pool, activations);
  Rng rng(1);
  for (const network::Port& port : entry.file.network->inputs) {
    HALFTONE_ASSIGN(Tensor input, random_input(port, entry.file.network->name_of(port.value), rng));
    entry.inputs.push_back(std::move(input));
  }
  return entry;
}

Status run_once(LoadedNetwork& entry) {
  const auto outputs = entry.runner->run(entry.inputs);
  return outputs.ok() ? Status() : outputs.status();
}

// Loads, then the peaks of memory of a first run, alone in the process.
Result<LoadedNetwork> load_measured(const std::filesystem::path& path, int threads, const BenchOptions& options,
                                    NetworkBench& result) {
  std::vector<double> loads;
  for (int i = 0; i < options.rounds; ++i) {
    const auto begin = Clock::now();
    HALFTONE_ASSIGN([[maybe_unused]] const LoadedNetwork loaded, load_network(path, threads, options.activations));
    loads.push_back(elapsed(begin));
  }
  result.load_seconds = median_interval(loads).median;
  release_freed_memory();
  MemoryPeak peak;
  HALFTONE_ASSIGN(LoadedNetwork entry, load_network(path, threads, options.activations));
  for (int i = 0; i < kWarmRuns; ++i) HALFTONE_TRY(run_once(entry));
  const auto peaks = peak.stop();
  result.memory.weights_bytes = entry.file.bytes_on_disk;
  result.memory.peak_private_bytes = peaks.private_bytes;
  result.memory.peak_mapped_bytes = peaks.mapped_file_bytes;
  result.activations = name_of(entry.runner->activations_used());
  return entry;
}

Result<double> round_seconds(LoadedNetwork& entry) {
  const auto begin = Clock::now();
  int64_t runs = 0;
  double spent = 0;
  while (spent < kLeastRoundSeconds) {
    HALFTONE_TRY(run_once(entry));
    ++runs;
    spent = elapsed(begin);
  }
  return spent / static_cast<double>(runs);
}

Status at_model(const std::filesystem::path& path, const Status& status) {
  return Status(status.code(), fmt::format("[bench] {}: {}", path.string(), status.message()));
}

}  // namespace

Result<NetworkBenchReport> bench_networks(const std::vector<std::filesystem::path>& models, const BenchOptions& options,
                                          Progress& progress) {
  if (options.rounds < 1) return invalid_input("[bench] expected at least 1 round, got {}", options.rounds);
  NetworkBenchReport report;
  report.rounds = options.rounds;
  HALFTONE_ASSIGN(const Isa isa, active_isa());
  report.isa = name_of(isa);
  HALFTONE_TRY(check_machine(options, report.warnings));
  const int threads = options.threads > 0 ? options.threads : available_cores();
  std::vector<LoadedNetwork> entries;
  for (const auto& path : models) {
    NetworkBench& result = report.models.emplace_back();
    result.model = path.string();
    result.threads = threads;
    Result<LoadedNetwork> entry = load_measured(path, threads, options, result);
    if (!entry.ok()) return at_model(path, entry.status());
    entries.push_back(*std::move(entry));
  }
  const NoiseWatch watch;
  progress.begin("bench", static_cast<int64_t>(entries.size()) * options.rounds, "rounds");
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < entries.size(); ++i) {
      // Another one begins each round, so that none always follows the same neighbour.
      const size_t at = (i + static_cast<size_t>(round)) % entries.size();
      const Result<double> seconds = round_seconds(entries[at]);
      if (!seconds.ok()) return at_model(models[at], seconds.status());
      report.models[at].seconds_samples.push_back(*seconds);
      progress.advance(1);
    }
  }
  progress.end();
  watch.warn(report.warnings);
  for (NetworkBench& model : report.models) {
    std::vector<double> rates;
    for (const double seconds : model.seconds_samples) rates.push_back(1 / seconds);
    model.latency_seconds = median_interval(model.seconds_samples);
    model.samples_per_second = median_interval(rates);
  }
  return report;
}

nlohmann::ordered_json NetworkBenchReport::to_json() const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const NetworkBench& model : models)
    list.push_back({{"model", model.model},
                    {"threads", model.threads},
                    {"activations", model.activations},
                    {"load_seconds", model.load_seconds},
                    {"latency",
                     {{"seconds_samples", model.seconds_samples},
                      {"seconds", halftone::to_json(model.latency_seconds)},
                      {"samples_per_second", halftone::to_json(model.samples_per_second)}}},
                    {"memory",
                     {{"weights_bytes", model.memory.weights_bytes},
                      {"peak_private_bytes", model.memory.peak_private_bytes},
                      {"peak_mapped_bytes", model.memory.peak_mapped_bytes}}}});
  return {{"models", std::move(list)}, {"isa", isa}, {"warnings", warnings}};
}

nlohmann::ordered_json NetworkBenchReport::settings_json() const {
  return {{"rounds", rounds}, {"threads", models.empty() ? 0 : models[0].threads}};
}

}  // namespace halftone
