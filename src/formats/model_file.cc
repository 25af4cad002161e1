// SPDX-License-Identifier: Apache-2.0
#include "formats/model_file.h"

#include <algorithm>

#include "base/error.h"

namespace halftone {

std::string_view name_of(Fidelity fidelity) {
  switch (fidelity) {
    case Fidelity::bit_exact:
      return "bit-exact";
    case Fidelity::rounding:
      return "rounding only";
    case Fidelity::quantized:
      return "quantized";
    case Fidelity::requantized:
      return "re-quantized";
  }
  return "";
}

int64_t StoredTensor::elements() const {
  int64_t product = 1;
  for (const int64_t dimension : shape) product *= dimension;
  return product;
}

WeightView StoredTensor::view() const {
  HALFTONE_CHECK(layout != nullptr && shape.size() <= 2);
  WeightView view;
  view.layout = layout;
  view.order = order;
  view.rows = shape.size() == 2 ? shape[0] : 1;
  view.columns = shape.empty() ? 1 : shape.back();
  view.data = data;
  return view;
}

const StoredTensor* ModelFile::find(std::string_view name) const {
  const auto at = std::lower_bound(tensors.begin(), tensors.end(), name,
                                   [](const StoredTensor& tensor, std::string_view key) { return tensor.name < key; });
  return at != tensors.end() && at->name == name ? &*at : nullptr;
}

}  // namespace halftone
