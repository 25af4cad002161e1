// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/grid.h"

#include "quantize/methods/uniform_grid.h"

namespace halftone {

AlignedBuffer<Lanes> lanes_of(const MethodInput& input) {
  AlignedBuffer<Lanes> lanes(static_cast<size_t>(input.columns));
  for (int64_t row = 0; row < input.rows; ++row)
    for (int64_t k = 0; k < input.columns; ++k)
      lanes.data()[k].at[row] = input.values[static_cast<size_t>(row * input.columns + k)];
  return lanes;
}

std::unique_ptr<Grid> make_grid(const Layout& layout, int64_t columns) {
  if (layout.is_nested()) return std::make_unique<NestedGrid>(layout, columns);
  return std::make_unique<UniformGrid>(layout, columns);
}

}  // namespace halftone
