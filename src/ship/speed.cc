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

// Of either kind of bench; speed_of(model) is the rate that stands for the model's speed.
template <class Report, class Rate>
SpeedReport speed_report_of(const Report& measured, const std::vector<std::filesystem::path>& models, Rate speed_of) {
  SpeedReport report;
  for (const std::string& warning : measured.warnings) report.warnings.push_back(with_names(warning, models));
  report.settings = measured.settings_json();
  nlohmann::ordered_json json = measured.to_json();
  for (size_t i = 0; i < measured.models.size(); ++i) {
    const auto& model = measured.models[i];
    const MedianInterval& rate = speed_of(model);
    Speed speed{std::move(json["models"][i]), model.memory.weights_bytes + model.memory.peak_private_bytes, rate.median,
                rate.low, rate.high};
    speed.json.erase("model");  // a path in a work folder
    report.models.push_back(std::move(speed));
  }
  json.erase("models");
  json.erase("warnings");
  json.erase("earlier_probe");  // of another day
  report.limits = std::move(json);
  return report;
}

BenchOptions bench_options_of(const SpeedOptions& options) {
  BenchOptions bench_options;
  bench_options.prompt_tokens = options.prompt_tokens;
  bench_options.decode_tokens = options.decode_tokens;
  bench_options.rounds = options.rounds;
  bench_options.threads = options.threads;
  bench_options.activations = options.activations;
  bench_options.allow_noisy = true;
  return bench_options;
}

}  // namespace

Result<SpeedReport> measure_speed(const std::vector<std::filesystem::path>& models, const SpeedOptions& options,
                                  Progress& progress) {
  HALFTONE_ASSIGN(const BenchReport measured, bench(models, bench_options_of(options), progress));
  return speed_report_of(measured, models, [](const ModelBench& model) -> const MedianInterval& {
    return model.decode.tokens_per_second;
  });
}

Result<SpeedReport> measure_latency(const std::vector<std::filesystem::path>& networks, const SpeedOptions& options,
                                    Progress& progress) {
  HALFTONE_ASSIGN(const NetworkBenchReport measured, bench_networks(networks, bench_options_of(options), progress));
  return speed_report_of(measured, networks,
                         [](const NetworkBench& model) -> const MedianInterval& { return model.samples_per_second; });
}

}  // namespace halftone
