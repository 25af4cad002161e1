// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/arrays.h"

#include <cmath>
#include <set>

#include "base/error.h"
#include "base/hash.h"

namespace halftone {

nlohmann::ordered_json CalibrationArrays::to_json() const {
  return {{"path", path}, {"kind", kind}, {"samples", samples.size()}, {"duplicates", duplicates}};
}

std::string hash_of(const Tensor& values) {
  const auto bytes = values.bytes();
  return sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<CalibrationArrays> make_calibration_arrays(std::string path, std::string kind,
                                                  std::vector<CalibrationArray> samples) {
  CalibrationArrays result{std::move(path), std::move(kind), std::move(samples), 0};
  if (result.samples.empty()) return invalid_input("[calibration] {}: expected samples, got none", result.path);
  std::set<std::string> seen;
  const Shape& shape = result.samples[0].values.shape();
  for (const CalibrationArray& sample : result.samples) {
    if (sample.values.shape() != shape)
      return invalid_input("[calibration] {}: expected {} as in {}, got {}", sample.name, text_of(shape),
                           result.samples[0].name, text_of(sample.values.shape()));
    const auto values = sample.values.values<float>();
    for (size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i]))
        return invalid_input("[calibration] {}: expected finite numbers, got {} at {}", sample.name,
                             std::isnan(values[i]) ? "NaN" : "infinity", i);
    if (!seen.insert(hash_of(sample.values)).second) ++result.duplicates;
  }
  if (seen.size() == 1 && result.samples.size() > 1)
    return invalid_input("[calibration] {}: expected different samples, got one repeated {} times", result.path,
                         result.samples.size());
  return result;
}

}  // namespace halftone
