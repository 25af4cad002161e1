// SPDX-License-Identifier: Apache-2.0
#include "bench/summary.h"

#include <fmt/format.h>

#include <functional>

namespace halftone {
namespace {

MedianInterval interval_of(const std::vector<Round>& rounds, const std::function<double(const Round&)>& value) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(value(round));
  return median_interval(values);
}

// Seconds that the operations take at the peaks of the round.
double ideal_seconds(double int8_operations, double f32_operations, double bf16_operations, const ComputePeaks& peaks) {
  // The scalar row of the bf16 path also runs where no CPU instruction sets its peak: FMA is the limit then.
  const double bf16_peak = peaks.bf16_dot > 0 ? peaks.bf16_dot : peaks.f32_fma;
  return (int8_operations > 0 ? int8_operations / peaks.int8_dot : 0) +
         (f32_operations > 0 ? f32_operations / peaks.f32_fma : 0) +
         (bf16_operations > 0 ? bf16_operations / bf16_peak : 0);
}

PhaseResult phase_of(const std::vector<Round>& rounds, double Round::*seconds, int64_t tokens, const PhaseCost& cost) {
  PhaseResult phase;
  const auto count = static_cast<double>(tokens);
  phase.tokens = tokens;
  for (const Round& round : rounds) phase.seconds_samples.push_back(round.*seconds);
  phase.tokens_per_second = interval_of(rounds, [&](const Round& round) { return count / (round.*seconds); });
  phase.bytes_per_token = static_cast<int64_t>(cost.bytes / count);
  phase.peak_fraction = interval_of(rounds, [&](const Round& round) {
    return ideal_seconds(cost.int8_operations, cost.f32_operations, cost.bf16_operations, round.peaks) /
           (round.*seconds);
  });
  phase.bandwidth_fraction =
      interval_of(rounds, [&](const Round& round) { return cost.bytes / (round.*seconds) / round.read_bandwidth(); });
  return phase;
}

MedianInterval bandwidth_of_slices(const Runner& runner, const std::vector<Round>& rounds) {
  std::vector<double> ratios;
  for (const Round& round : rounds) {
    for (const DecodeSlice& slice : round.slices) {
      const double bytes = runner.decode_cost(slice.held, slice.tokens).bytes;
      ratios.push_back(bytes / slice.seconds / slice.read_bandwidth);
    }
  }
  return median_interval(ratios);
}

LinearResult linear_of(const std::vector<Round>& rounds) {
  const auto ideal = [](const Round& round) {
    return ideal_seconds(round.linear_int8_operations, round.linear_f32_operations, round.linear_bf16_operations,
                         round.peaks);
  };
  LinearResult linear;
  linear.operations = rounds.front().linear_int8_operations + rounds.front().linear_f32_operations +
                      rounds.front().linear_bf16_operations;
  linear.peak_fraction = interval_of(rounds, [&](const Round& round) { return ideal(round) / round.linear_seconds; });
  linear.peak_fraction_end_to_end =
      interval_of(rounds, [&](const Round& round) { return ideal(round) / round.prefill_seconds; });
  return linear;
}

std::vector<VerifyResult> verify_of(const Runner& runner, const std::vector<Round>& rounds,
                                    const BenchOptions& options) {
  std::vector<VerifyResult> results;
  const std::vector<std::string> paths = runner.verify_paths();
  for (size_t path = 0; path < paths.size(); ++path) {
    for (const int64_t tokens : options.verify_tokens) {
      std::vector<double> seconds, ratios;
      for (const Round& round : rounds) {
        for (const VerifySample& sample : round.verify) {
          if (sample.path != static_cast<int>(path) || sample.tokens != tokens) continue;
          seconds.push_back(sample.seconds);
          ratios.push_back(sample.ratio_to_one);
        }
      }
      results.push_back({paths[path], tokens, median_interval(seconds), median_interval(ratios)});
    }
  }
  return results;
}

}  // namespace

void summarise(const Runner& runner, const std::vector<Round>& rounds, const BenchOptions& options, ModelBench& result,
               std::vector<std::string>& warnings) {
  result.context_tokens = runner.context_tokens();
  result.first_token_seconds = interval_of(rounds, [](const Round& round) { return round.first_token_seconds; });
  result.prefill = phase_of(rounds, &Round::prefill_seconds, options.prompt_tokens, runner.prefill_cost());
  const PhaseCost decode_cost = runner.decode_cost(result.context_tokens, options.decode_tokens);
  result.decode = phase_of(rounds, &Round::decode_seconds, options.decode_tokens, decode_cost);
  result.decode.bandwidth_fraction = bandwidth_of_slices(runner, rounds);
  result.linear = linear_of(rounds);
  result.verify = verify_of(runner, rounds, options);
  result.read_bandwidth = interval_of(rounds, [](const Round& round) { return round.read_bandwidth(); }).median;
  result.generated_tokens = rounds.front().generated_tokens;
  result.stop_reason = "max_tokens";
  const auto doubt = [&](const char* phase, const char* limit, const MedianInterval& fraction) {
    if (fraction.low <= 1) return;
    warnings.push_back(fmt::format("{}: {} at {:.2f} of the {} is more than can be: the limit was measured too low",
                                   result.model, phase, fraction.median, limit));
  };
  doubt("prefill", "read bandwidth", result.prefill.bandwidth_fraction);
  doubt("decode", "read bandwidth", result.decode.bandwidth_fraction);
  doubt("prefill", "arithmetic peak", result.prefill.peak_fraction);
  doubt("decode", "arithmetic peak", result.decode.peak_fraction);
}

}  // namespace halftone
