// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>

#include "quantize/tune/tunable.h"

namespace halftone {
namespace {

class TunableVector final : public Tunable {
 public:
  TunableVector(std::vector<float> values, float offset)
      : values_(std::move(values)), offset_(offset), adam_(values_.size()) {
    for (const float value : values_) unit_ += std::fabs(value) / static_cast<float>(values_.size());
  }

  void decode(ThreadPool&, float* out) const override {
    std::memcpy(out, values_.data(), values_.size() * sizeof(float));
  }

  void learn(std::span<const float> gradient, float rate, ThreadPool&) override {
    adam_.begin_step();
    for (size_t i = 0; i < values_.size(); ++i) values_[i] -= rate * unit_ * adam_.direction(i, gradient[i]);
  }

  void store(std::span<std::byte> out) const override {
    for (size_t i = 0; i < values_.size(); ++i) {
      const float stored = values_[i] - offset_;
      std::memcpy(out.data() + i * sizeof(float), &stored, sizeof(float));
    }
  }

 private:
  std::vector<float> values_;
  float offset_, unit_ = 0;  // unit: the mean magnitude, so that small elements can move, too
  Adam adam_;
};

}  // namespace

std::unique_ptr<Tunable> make_tunable_vector(std::vector<float> values, float offset) {
  return std::make_unique<TunableVector>(std::move(values), offset);
}

}  // namespace halftone
