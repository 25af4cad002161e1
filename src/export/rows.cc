// SPDX-License-Identifier: Apache-2.0
#include "export/rows.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "quantize/methods/method.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr uint16_t kHalfExponent = 0x7c00;

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

Status RowEncoder::encode(const PlannedTensor& tensor, int64_t row, std::byte* out) {
  source_values(tensor, row);
  if (tensor.type->is_float()) return encode_floats(tensor, row, out);
  if (tensor.intent == Fidelity::bit_exact) {
    HALFTONE_TRY(carry_codes(tensor, row));
  } else {
    HALFTONE_TRY(choose_codes(tensor, row));
  }
  const auto pack = is_type(tensor, GgmlTypeId::q4_0) ? pack_q4_0 : pack_q8_0;
  for (size_t block = 0; block < scales_.size(); ++block)
    pack(codes_.data() + block * kGgmlBlock, scales_[block], out + static_cast<int64_t>(block) * tensor.type->bytes);
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

// The codes as they are; a scale is repeated for every block of its group.
Status RowEncoder::carry_codes(const PlannedTensor& tensor, int64_t row) {
  const WeightView view = tensor.source->view();
  const Layout& layout = *view.layout;
  const int64_t columns = tensor.columns(), width = layout.group == 0 ? columns : layout.group;
  const int64_t from = tensor.source_row(row), panel_bytes = layout.panel_bytes(columns);
  const auto panel =
      view.data.subspan(static_cast<size_t>(from / kPanelRows * panel_bytes), static_cast<size_t>(panel_bytes));
  const int lane = static_cast<int>(from % kPanelRows);
  codes_.resize(values_.size());
  scales_.resize(static_cast<size_t>(columns / kGgmlBlock));
  layout.unpack_codes(panel, lane, columns, codes_.data());
  for (size_t block = 0; block < scales_.size(); ++block) {
    const int64_t begin = static_cast<int64_t>(block) * kGgmlBlock;
    std::memcpy(&scales_[block], panel.data() + layout.scale_at(begin / width, lane), sizeof(uint16_t));
    if ((scales_[block] & kHalfExponent) == kHalfExponent)
      return invalid_input("{}: expected finite scales, got NaN or infinity at row {}, column {}; the file is damaged",
                           place_of(tensor), from, begin);
  }
  return {};
}

Status RowEncoder::choose_codes(const PlannedTensor& tensor, int64_t row) {
  const Layout& layout = layout_of(is_type(tensor, GgmlTypeId::q4_0) ? LayoutId::int4_block32 : LayoutId::int8_block32);
  const auto column_of = [](size_t block) { return block * kGgmlBlock; };
  codes_.resize(values_.size());
  scales_.resize(values_.size() / kGgmlBlock);
  for (size_t k = 0; k < values_.size(); ++k)
    if (!std::isfinite(values_[k]))
      return invalid_input(
          "{}: expected finite weights, got {} at row {}, column {}; the file is damaged or the training "
          "diverged",
          place_of(tensor), values_[k], tensor.source_row(row), k);
  find_method("nearest")->choose(layout, {values_, 1, tensor.columns()}, {codes_, scales_});
  for (size_t block = 0; block < scales_.size(); ++block)
    if ((scales_[block] & kHalfExponent) == kHalfExponent)
      return invalid_input(
          "{}: expected blocks whose scale fits f16, got too large weights at row {} from column {} on; "
          "choose --type bf16 or f32",
          place_of(tensor), tensor.source_row(row), column_of(block));
  return {};
}

}  // namespace halftone
