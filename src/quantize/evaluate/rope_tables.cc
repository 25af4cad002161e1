// SPDX-License-Identifier: Apache-2.0
#include "quantize/evaluate/rope_tables.h"

#include <cmath>

namespace halftone {

void RopeTables::prepare(const Rope& op, const WeightTable& weights, int64_t longest) {
  for (const int64_t length : {int64_t{1}, longest}) {
    const Key which = key(op, length);
    std::vector<float>& table = tables_[which];
    const int64_t half = op.rotary / 2;
    auto position = static_cast<int64_t>(table.size()) / op.rotary;
    if (position >= longest) continue;
    const std::vector<float>& frequencies = weights.vector(std::get<0>(which));
    table.resize(static_cast<size_t>(longest * op.rotary));
    for (; position < longest; ++position) {
      float* cos = table.data() + position * op.rotary;
      for (int64_t j = 0; j < half; ++j) {
        // The angle is rounded to float, as in the runtime.
        const float angle = static_cast<float>(position) * frequencies[static_cast<size_t>(j)];
        cos[j] = static_cast<float>(std::cos(static_cast<double>(angle))) * op.magnitude;
        cos[half + j] = static_cast<float>(std::sin(static_cast<double>(angle))) * op.magnitude;
      }
    }
  }
}

}  // namespace halftone
