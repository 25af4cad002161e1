// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/units.h"
#include "formats/network/network_file.h"
#include "quantize/calibration/calibration.h"
#include "quantize/network/quantize_network.h"
#include "ship/job.h"
#include "validate/calibration_list.h"
#include "validate/network_scorer.h"

namespace halftone {

namespace {

std::string reference_name(const WeightSummary& weights) {
  const auto largest = std::max_element(weights.items.begin(), weights.items.end(),
                                        [](const WeightItem& a, const WeightItem& b) { return a.bytes < b.bytes; });
  const std::string layout = largest == weights.items.end() ? "" : largest->layout;
  if (layout == "f16") return "float16";
  if (layout == "bf16") return "bfloat16";
  if (layout == "f32") return "float32";
  return layout + " as given";
}

// One hash for a model of one or several files; with one file it agrees with sha256sum.
std::string model_hash(const std::vector<SourceFile>& files) {
  if (files.size() == 1) return files[0].sha256;
  std::string lines;
  for (const SourceFile& file : files) lines += fmt::format("{}  {}\n", file.sha256, file.name);
  return sha256_hex(lines);
}

// What both kinds have: where a candidate lies, what it weighs, and whether that is too much.
void add_made(ShipJob& job, ShipCandidate& candidate, QuantizeReport quantized, WeightSummary weights, int64_t bytes) {
  candidate.quantized = std::move(quantized);
  candidate.weights = std::move(weights);
  candidate.bytes = candidate.contender.bytes = bytes;
  job.reference.sha256 = model_hash(candidate.quantized.source_files);
  if (job.options.max_bytes && bytes > *job.options.max_bytes) {
    candidate.contender.fate = Fate::over_budget;
    candidate.contender.why = fmt::format("{} is over the budget of {}; not scored", format_bytes(bytes),
                                          format_bytes(*job.options.max_bytes));
  }
}

Status keep_speeds(ShipJob& job) {
  job.progress.end();
  job.reference.speed = job.speed.models[0];
  for (size_t i = 0; i < job.candidates.size(); ++i) job.candidates[i].speed = job.speed.models[i + 1];
  return {};
}

Status make_of_language_model(ShipJob& job, const std::filesystem::path& work) {
  HALFTONE_ASSIGN(const auto source, load_language_model(job.options.model));
  ThreadPool pool(job.options.speed.threads > 0 ? job.options.speed.threads : available_cores());
  HALFTONE_TRY(check_finite_weights(*source, pool));
  ShipReference& reference = job.reference;
  reference.weights = summarize_weights(*source);
  reference.name = reference_name(reference.weights);
  reference.family = source->config.family;
  reference.context = source->config.context;
  reference.bytes = source->file.bytes_on_disk;
  HALFTONE_ASSIGN(const auto calibration,
                  calibration_of(*source, job.options.calibration, job.options.calibration_options));
  if (calibration) {
    // A choice of numbers that saw the questions would be judged on what it was fitted to.
    HALFTONE_TRY(check_leakage(job, calibration->sequences));
    job.calibration = calibration->to_json();
  }
  const QuantizeOptions with_data{.calibration = calibration ? &calibration->sequences : nullptr};
  for (ShipCandidate& candidate : job.candidates) {
    candidate.path = work / (candidate.contender.name + ".ht");
    HALFTONE_ASSIGN(QuantizeReport report,
                    quantize(*source, candidate.recipe, candidate.path, with_data, pool, job.progress));
    HALFTONE_ASSIGN(const auto made, load_language_model(candidate.path));
    add_made(job, candidate, std::move(report), summarize_weights(*made), made->file.bytes_on_disk);
  }
  job.progress.end();
  return {};
}

// Bare numbers are of the format that the suite says.
Result<std::optional<CalibrationArrays>> samples_of(ShipJob& job, const network::Network& network) {
  if (job.options.calibration.empty()) return std::optional<CalibrationArrays>();
  const auto suite =
      std::find_if(job.suites.begin(), job.suites.end(), [](const Suite& one) { return is_of_network(one.spec.task); });
  const Shape input = sample_shape(network);
  HALFTONE_ASSIGN(CalibrationArrays samples,
                  load_calibration_arrays(job.options.calibration, input,
                                          suite == job.suites.end() ? InputFormat() : suite->spec.input));
  HALFTONE_TRY(check_leakage(job, samples, input));
  job.calibration = samples.to_json();
  return std::optional<CalibrationArrays>(std::move(samples));
}

Status make_of_network(ShipJob& job, const std::filesystem::path& work) {
  HALFTONE_ASSIGN(NetworkFile source, open_network(job.options.model));
  // What the suite says about its samples travels with the artifact.
  for (const Suite& suite : job.suites)
    if (auto input = to_json(suite.spec.input); !input.is_null()) source.input = std::move(input);
  ThreadPool pool(job.options.speed.threads > 0 ? job.options.speed.threads : available_cores());
  ShipReference& reference = job.reference;
  reference.weights = summarize_weights(*source.network);
  reference.name = reference_name(reference.weights);
  reference.family = source.container + " network";
  reference.bytes = source.bytes_on_disk;
  HALFTONE_ASSIGN(const auto samples, samples_of(job, *source.network));
  const QuantizeOptions with_data{.samples = samples ? &*samples : nullptr};
  for (ShipCandidate& candidate : job.candidates) {
    candidate.path = work / (candidate.contender.name + ".ht");
    HALFTONE_ASSIGN(QuantizeReport report,
                    quantize_network(source, candidate.recipe, candidate.path, with_data, pool, job.progress));
    HALFTONE_ASSIGN(const NetworkFile made, open_network(candidate.path));
    add_made(job, candidate, std::move(report), summarize_weights(*made.network), made.bytes_on_disk);
  }
  job.progress.end();
  return {};
}

}  // namespace

Status make_candidates(ShipJob& job, const std::filesystem::path& work) {
  return is_network(job.options.model) ? make_of_network(job, work) : make_of_language_model(job, work);
}

Status measure_candidates(ShipJob& job) {
  std::vector<std::filesystem::path> paths = {job.options.model};
  for (const ShipCandidate& candidate : job.candidates) paths.push_back(candidate.path);
  if (is_network(job.options.model)) {
    HALFTONE_ASSIGN(job.speed, measure_latency(paths, job.options.speed, job.progress));
    return keep_speeds(job);
  }
  SpeedOptions options = job.options.speed;
  // A short context leaves room for half a prompt and the tokens after it.
  options.prompt_tokens =
      std::clamp<int64_t>(options.prompt_tokens, 1, std::max<int64_t>(1, job.reference.context / 2));
  options.decode_tokens =
      std::clamp<int64_t>(options.decode_tokens, 2, std::max<int64_t>(2, job.reference.context / 4));
  HALFTONE_ASSIGN(job.speed, measure_speed(paths, options, job.progress));
  return keep_speeds(job);
}

CandidateFacts facts_of(const ShipCandidate& candidate) {
  CandidateFacts facts;
  facts.bytes = candidate.bytes;
  facts.memory_bytes = candidate.speed.memory_bytes;
  facts.decode_tokens_per_second = candidate.speed.decode_median;
  facts.decode_interval = {candidate.speed.decode_low, candidate.speed.decode_high};
  return facts;
}

}  // namespace halftone
