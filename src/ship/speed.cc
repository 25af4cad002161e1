// SPDX-License-Identifier: Apache-2.0
#include "ship/speed.h"

#include "bench/bench.h"
#include "bench/latency.h"

namespace halftone {

namespace {

// Paths in a work folder mean nothing later: a model goes by its folder's name.
std::string with_names(std::string text, const std::vector<std::filesystem::path>& models) {
  for (const std::filesystem::path& model : models) {
    const std::string path = model.string();
    for (size_t at = text.find(path); at != std::string::npos; at = text.find(path)) {
      const std::string name = model.stem().string();
      if (path == name) break;
      text.replace(at, path.size(), name);
    }
  }
  return text;
}

}  // namespace

Result<SpeedReport> measure_speed(const std::vector<std::filesystem::path>& models, const SpeedOptions& options,
                                  Progress& progress) {
  BenchOptions bench_options;
  bench_options.prompt_tokens = options.prompt_tokens;
  bench_options.decode_tokens = options.decode_tokens;
  bench_options.rounds = options.rounds;
  bench_options.threads = options.threads;
  bench_options.activations = options.activations;
  bench_options.allow_noisy = true;
  HALFTONE_ASSIGN(const BenchReport bench_report, bench(models, bench_options, progress));
  SpeedReport report;
  for (const std::string& warning : bench_report.warnings) report.warnings.push_back(with_names(warning, models));
  report.settings = bench_report.settings_json();
  nlohmann::ordered_json json = bench_report.to_json();
  for (size_t i = 0; i < bench_report.models.size(); ++i) {
    const ModelBench& model = bench_report.models[i];
    const auto& decode = model.decode.tokens_per_second;
    Speed speed{std::move(json["models"][i]), model.memory.weights_bytes + model.memory.peak_private_bytes,
                decode.median, decode.low, decode.high};
    speed.json.erase("model");  // a path in a work folder
    report.models.push_back(std::move(speed));
  }
  json.erase("models");
  json.erase("warnings");
  json.erase("earlier_probe");  // of another day
  report.limits = std::move(json);
  return report;
}

Result<SpeedReport> measure_latency(const std::vector<std::filesystem::path>& networks, const SpeedOptions& options,
                                    Progress& progress) {
  BenchOptions bench_options;
  bench_options.rounds = options.rounds;
  bench_options.threads = options.threads;
  bench_options.allow_noisy = true;
  HALFTONE_ASSIGN(const NetworkBenchReport bench_report, bench_networks(networks, bench_options, progress));
  SpeedReport report;
  for (const std::string& warning : bench_report.warnings) report.warnings.push_back(with_names(warning, networks));
  report.settings = bench_report.settings_json();
  nlohmann::ordered_json json = bench_report.to_json();
  for (size_t i = 0; i < bench_report.models.size(); ++i) {
    const NetworkBench& model = bench_report.models[i];
    const MedianInterval& rate = model.samples_per_second;
    Speed speed{std::move(json["models"][i]), model.memory.weights_bytes + model.memory.peak_private_bytes, rate.median,
                rate.low, rate.high};
    speed.json.erase("model");  // a path in a work folder
    report.models.push_back(std::move(speed));
  }
  json.erase("models");
  json.erase("warnings");
  report.limits = std::move(json);
  return report;
}

}  // namespace halftone
