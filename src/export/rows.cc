// SPDX-License-Identifier: Apache-2.0
#include "export/rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

std::string place_of(const PlannedTensor& tensor) {
  return fmt::format("[export] {}: tensor '{}'", tensor.source->file.string(), tensor.name);
}

bool is_type(const PlannedTensor& tensor, GgmlTypeId id) { return tensor.type->id == static_cast<uint32_t>(id); }

}  // namespace

const std::vector<float>& RowEncoder::source_values(const PlannedTensor& tensor, int64_t row) {
  if (tensor.source == nullptr) return values_ = tensor.computed;
  const auto columns = static_cast<size_t>(tensor.columns());
  values_.resize(columns);
  if (tensor.shape.size() == 2 || tensor.head_dim == 0) {
    decode_row(tensor.source->view(), tensor.shape.size() == 2 ? tensor.source_row(row) : 0, values_.data());
    if (tensor.offset != 0) {
      for (float& value : values_) value += tensor.offset;
    }
    return values_;
  }
  vector_.resize(columns);
  decode_row(tensor.source->view(), 0, vector_.data());
  for (size_t i = 0; i < columns; ++i)
    values_[i] = vector_[static_cast<size_t>(tensor.source_row(static_cast<int64_t>(i)))];
  return values_;
}

Status RowEncoder::choose(const PlannedTensor& tensor, int64_t row) {
  for (size_t k = 0; k < values_.size(); ++k)
    if (!std::isfinite(values_[k]))
      return invalid_input(
          "{}: expected finite weights, got {} at row {}, column {}; the file is damaged or the training diverged",
          place_of(tensor), values_[k], tensor.source_row(row), k);
  const auto read = [&](int64_t from, float* out) {
    source_values(tensor, from);
    std::copy(values_.begin(), values_.end(), out);
  };
  return take_row(tensor, row,
                  searched_.row(&tensor, layout_like(*tensor.type), tensor.rows(), tensor.columns(), row, read),
                  blocks_);
}

Status RowEncoder::encode(const PlannedTensor& tensor, int64_t row, std::byte* out) {
  source_values(tensor, row);
  if (tensor.type->is_float()) return encode_floats(tensor, row, out);
  if (tensor.intent == Fidelity::bit_exact) {
    HALFTONE_TRY(carry_row(tensor, row, blocks_));
  } else {
    HALFTONE_TRY(choose(tensor, row));
  }
  pack_row(*tensor.type, blocks_, out);
  return {};
}

Status RowEncoder::encode_floats(const PlannedTensor& tensor, int64_t row, std::byte* out) {
  if (is_type(tensor, GgmlTypeId::f32)) {
    std::memcpy(out, values_.data(), values_.size() * sizeof(float));
    return {};
  }
  const bool half = is_type(tensor, GgmlTypeId::f16);
  for (size_t k = 0; k < values_.size(); ++k) {
    const uint16_t bits = half ? f32_to_f16(values_[k]) : f32_to_bf16(values_[k]);
    const float stored = half ? f16_to_f32(bits) : bf16_to_f32(bits);
    if (!std::isfinite(stored))
      return invalid_input(
          "{}: expected finite weights that fit {}, got {} at row {}, column {}; choose --type bf16 or "
          "f32",
          place_of(tensor), tensor.type->name, values_[k], tensor.source_row(row), k);
    std::memcpy(out + 2 * k, &bits, 2);
  }
  return {};
}

}  // namespace halftone
