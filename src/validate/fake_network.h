// SPDX-License-Identifier: Apache-2.0
// For tests only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/temp_folder.h"
#include "formats/npy.h"
#include "validate/validate.h"

namespace halftone {

// A network that is a function of its sample's numbers.
class FakeNetwork : public Classifier {
 public:
  using Function = std::function<std::vector<float>(std::span<const float>)>;
  explicit FakeNetwork(Function function, Shape input = {})
      : function_(std::move(function)), input_(std::move(input)) {}

  Result<std::vector<Tensor>> outputs(const Tensor& sample) override {
    const std::vector<float> values = function_(sample.values<float>());
    return std::vector<Tensor>{
        Tensor::of<float>(DType::f32, {1, static_cast<int64_t>(values.size())}, std::span<const float>(values))};
  }
  Result<std::vector<double>> log_probabilities(const Tensor&) override { return unsupported("no classes here"); }
  Shape input_shape() const override { return input_; }

 private:
  Function function_;
  Shape input_;
};

// `rows` of `width` f32 numbers each as numbers.npy.
inline void write_rows(const TempFolder& folder, const std::vector<float>& numbers, int64_t width) {
  const Shape shape = {static_cast<int64_t>(numbers.size()) / width, width};
  HALFTONE_CHECK(write_npy(folder / "numbers.npy", Tensor::of<float>(DType::f32, shape, numbers)).ok());
}

// Both networks on a suite as `--suite` names it.
inline Result<Validation> validate_networks(Classifier& reference, Classifier& candidate, const std::string& suite_name,
                                            const Gate* gate, int64_t replicates) {
  HALFTONE_ASSIGN(const Suite suite, load_suite(suite_name));
  ValidateOptions options;
  options.compare.replicates = replicates;
  options.gate = gate;
  return validate_pair(reference, candidate, std::span(&suite, 1), options);
}

inline const MetricRow& metric_of(const Comparison& comparison, std::string_view name) {
  for (const MetricRow& row : comparison.metrics)
    if (row.name == name) return row;
  HALFTONE_CHECK(false);
  return comparison.metrics[0];
}
inline const Tails& tails_named(const Comparison& comparison, std::string_view name) {
  for (const TailRow& row : comparison.tails)
    if (row.name == name) return row.tails;
  HALFTONE_CHECK(false);
  return comparison.tails[0].tails;
}

}  // namespace halftone
