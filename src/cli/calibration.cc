// SPDX-License-Identifier: Apache-2.0
#include "cli/calibration.h"

namespace halftone::cli {

void add_calibration(CLI::App* verb, CalibrationArguments& arguments) {
  verb->add_option("--calibration", arguments.file,
                   "text, or .jsonl of {\"text\"} or {\"tokens\"}: what methods that use data see");
  verb->add_option("--calibration-tokens", arguments.options.tokens, "how many tokens are drawn from it")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 28))
      ->capture_default_str();
  verb->add_option("--calibration-length", arguments.options.length,
                   "tokens of one window [the model's context, at most 512]")
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 20));
}

}  // namespace halftone::cli
