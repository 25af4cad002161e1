// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "base/error.h"
#include "ship/job.h"
#include "validate/sample_file.h"

namespace halftone {

Status check_leakage(const ShipJob& job, const CalibrationArrays& calibration, const Shape& input) {
  std::map<std::string, const std::string*> known;  // hash of the numbers → a calibration sample
  for (const CalibrationArray& sample : calibration.samples) known.emplace(hash_of(sample.values), &sample.name);
  for (const Suite& suite : job.suites) {
    if (!is_of_network(suite.spec.task)) continue;
    SampleReader reader(suite.spec.input, input);
    int64_t shared = 0;
    std::string first;
    for (const ChoiceSample& sample : suite.choices) {
      HALFTONE_ASSIGN(const SeenSample seen, reader.read(sample_file(suite.spec.file.parent_path(), sample.question)));
      const auto found = known.find(hash_of(seen.values));
      if (found == known.end()) continue;
      if (shared++ == 0) first = fmt::format("{} is {}", sample.question, *found->second);
    }
    if (shared > 0)
      return invalid_input(
          "[calibration] {}: expected no sample of suite {}, got {} of its {}, the first: {}; calibrate on others, or "
          "what is measured is not held out",
          calibration.path, suite.spec.name, shared, suite.choices.size(), first);
  }
  return {};
}

}  // namespace halftone
