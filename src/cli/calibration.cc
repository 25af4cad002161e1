// SPDX-License-Identifier: Apache-2.0
#include "cli/calibration.h"

#include "base/error.h"
#include "validate/calibration_list.h"
#include "validate/network_scorer.h"

namespace halftone::cli {

Result<std::optional<CalibrationArrays>> arrays_of(const CalibrationArguments& arguments,
                                                   const network::Network& network) {
  const CalibrationOptions plain;
  if (arguments.options.tokens != plain.tokens || arguments.options.length != plain.length)
    return unsupported(
        "[calibration] expected --calibration-tokens and --calibration-length for a language model alone: a network "
        "takes every sample of its list");
  if (arguments.file.empty()) return std::optional<CalibrationArrays>();
  HALFTONE_ASSIGN(CalibrationArrays samples, load_calibration_arrays(arguments.file, sample_shape(network)));
  return std::optional<CalibrationArrays>(std::move(samples));
}

void add_calibration(CLI::App* verb, CalibrationArguments& arguments) {
  verb->add_option(
      "--calibration", arguments.file,
      "what methods that use data see: text, or .jsonl of {\"text\"} or {\"tokens\"}; for a network a list of files, a "
      "suite, or .npy");
  verb->add_option("--calibration-tokens", arguments.options.tokens, "how many tokens are drawn from it")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 28))
      ->capture_default_str();
  verb->add_option("--calibration-length", arguments.options.length,
                   "tokens of one window [the model's context, at most 512]")
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 20));
}

}  // namespace halftone::cli
