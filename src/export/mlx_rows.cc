// SPDX-License-Identifier: Apache-2.0
#include "export/mlx_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr uint16_t kHalfInfinity = 0x7c00;

// The packing whose codes are those of a layout; empty: there is none.
std::optional<MlxPacking> packing_as_stored(const Layout& layout, int64_t columns) {
  if (layout.is_float() || layout.is_palette()) return {};
  if (layout.is_nested() && !layout.affine) return {};  // groups of 16 are too small
  MlxPacking packing{MlxMode::affine, layout.bits, layout.group};
  if (layout.group == 0)
    for (const int64_t group : {128, 64, 32})
      if (packing.group == 0 && columns % group == 0) packing.group = group;
  if (packing.group == 0 || columns % packing.group != 0) return {};
  return packing;
}

Result<MlxPlanned> plan_float(MlxPlanned planned, const Layout& layout) {
  planned.type = layout.id == LayoutId::f32 ? DType::f32 : layout.id == LayoutId::bf16 ? DType::bf16 : DType::f16;
  planned.intent = layout.is_float() ? Fidelity::bit_exact : Fidelity::rounding;
  return planned;
}

// Bits of a little-endian stream: element k at k * bits.
void put_codes(const std::vector<int8_t>& codes, int bits, std::byte* out, int64_t bytes) {
  std::memset(out, 0, static_cast<size_t>(bytes));
  const int offset = 1 << (bits - 1);
  for (size_t k = 0; k < codes.size(); ++k) {
    const auto code = static_cast<unsigned>(codes[k] + offset);
    const size_t begin = k * static_cast<size_t>(bits), shift = begin % 8;
    out[begin / 8] |= static_cast<std::byte>(code << shift & 255);
    if (shift + static_cast<size_t>(bits) > 8) out[begin / 8 + 1] |= static_cast<std::byte>(code << shift >> 8);
  }
}

bool finite_half(uint16_t bits) { return (bits & kHalfInfinity) != kHalfInfinity; }

}  // namespace

std::string MlxPlanned::module() const {
  constexpr std::string_view kSuffix = ".weight";
  const std::string& name = source->name;
  return name.ends_with(kSuffix) ? name.substr(0, name.size() - kSuffix.size()) : name;
}

int64_t MlxPlanned::row_bytes() const { return packed ? columns() * packing.bits / 8 : columns() * bytes_of(type); }

Result<MlxPlanned> plan_mlx_tensor(const StoredTensor& source, const MlxExportOptions& options, std::string& note) {
  const Layout& layout = *source.layout;
  MlxPlanned planned;
  planned.source = &source;
  if (source.shape.size() == 1) return plan_float(planned, layout);
  const std::optional<MlxPacking> stored = packing_as_stored(layout, planned.columns());
  if (options.bits == 0 && layout.is_float()) return plan_float(planned, layout);
  if (options.bits == 0 && !stored)
    return unsupported(
        "[export] {}: tensor '{}': expected a layout that MLX has (groups of 32, 64 or 128), got {}{}; export the "
        "float "
        "model, or choose --bits with --allow-requantize",
        source.file.string(), source.name, layout.name, layout.is_palette() ? ", a palette" : "");
  planned.packed = true;
  planned.packing = options.bits == 0 ? *stored : MlxPacking{MlxMode::affine, options.bits, options.group};
  planned.like = find_layout(fmt::format("uint{}_affine{}", planned.packing.bits, planned.packing.group));
  if (planned.columns() % planned.packing.group != 0) {
    if (!layout.is_float() && !options.allow_float)
      return unsupported(
          "[export] {}: tensor '{}': expected rows of a multiple of {} columns, got {}; choose another --group, or "
          "--allow-float to write such tensors as f16",
          source.file.string(), source.name, planned.packing.group, planned.columns());
    note = fmt::format("{}: {} columns fit no group of {}, so it stays float", source.name, planned.columns(),
                       planned.packing.group);
    planned.packed = false;
    return plan_float(planned, layout);
  }
  const bool same = stored && stored->bits == planned.packing.bits && stored->group % planned.packing.group == 0;
  planned.intent = same                ? layout.is_nested() ? Fidelity::rounding : Fidelity::bit_exact
                   : layout.is_float() ? Fidelity::quantized
                                       : Fidelity::requantized;
  if (planned.intent == Fidelity::requantized && !options.allow_requantize)
    return unsupported(
        "[export] {}: tensor '{}': expected weights that {} bits in groups of {} hold as they are, got {}; export the "
        "float model, leave --bits out, or accept a second loss with --allow-requantize",
        source.file.string(), source.name, planned.packing.bits, planned.packing.group, layout.name);
  return planned;
}

Status MlxRowEncoder::encode(const MlxPlanned& tensor, int64_t row, std::byte* codes, uint16_t* scales,
                             uint16_t* biases) {
  if (!tensor.packed) return encode_floats(tensor, row, codes);
  codes_.resize(static_cast<size_t>(tensor.columns()));
  if (tensor.intent == Fidelity::bit_exact || tensor.intent == Fidelity::rounding) {
    carry(tensor, row, scales, biases);
  } else {
    HALFTONE_TRY(choose(tensor, row, scales, biases));
  }
  for (int64_t group = 0; group < tensor.groups(); ++group)
    if (!finite_half(scales[group]) || !finite_half(biases[group]))
      return invalid_input(
          "[export] {}: tensor '{}': expected scales and biases that fit f16, got infinity or NaN at row {}, column {}",
          tensor.source->file.string(), tensor.source->name, row, group * tensor.packing.group);
  put_codes(codes_, tensor.packing.bits, codes, tensor.row_bytes());
  return {};
}

Status MlxRowEncoder::encode_floats(const MlxPlanned& tensor, int64_t row, std::byte* out) {
  values_.resize(static_cast<size_t>(tensor.columns()));
  decode_row(tensor.source->view(), row, values_.data());
  if (tensor.type == DType::f32) {
    std::memcpy(out, values_.data(), values_.size() * sizeof(float));
    return {};
  }
  for (size_t k = 0; k < values_.size(); ++k) {
    const uint16_t bits = tensor.type == DType::f16 ? f32_to_f16(values_[k]) : f32_to_bf16(values_[k]);
    if (tensor.type == DType::f16 && !finite_half(bits))
      return invalid_input(
          "[export] {}: tensor '{}': expected finite weights that fit f16, got {} at row {}, column {}",
          tensor.source->file.string(), tensor.source->name, values_[k], row, k);
    std::memcpy(out + 2 * k, &bits, sizeof(bits));
  }
  return {};
}

// A symmetric weight q * d is u * d - offset * d; the offset is a power of two, so that the base is exact, too.
void MlxRowEncoder::carry(const MlxPlanned& tensor, int64_t row, uint16_t* scales, uint16_t* biases) {
  const WeightView view = tensor.source->view();
  const Layout& layout = *view.layout;
  const auto bytes = static_cast<size_t>(layout.panel_bytes(view.columns));
  const auto panel = view.data.subspan(static_cast<size_t>(row / kPanelRows) * bytes, bytes);
  const int lane = static_cast<int>(row % kPanelRows);
  layout.unpack_codes(panel, lane, view.columns, codes_.data());
  const int64_t width = layout.group == 0 ? view.columns : layout.group;
  for (int64_t group = 0; group < tensor.groups(); ++group) {
    const int64_t from = group * tensor.packing.group / width;
    const float scale = layout.scale_of(panel, from, lane);
    scales[group] = f32_to_f16(scale);
    biases[group] =
        f32_to_f16(layout.affine ? layout.base_of(panel, from, lane) : -static_cast<float>(layout.offset) * scale);
  }
}

Status MlxRowEncoder::choose(const MlxPlanned& tensor, int64_t row, uint16_t* scales, uint16_t* biases) {
  values_.resize(static_cast<size_t>(tensor.columns()));
  decode_row(tensor.source->view(), row, values_.data());
  for (size_t k = 0; k < values_.size(); ++k)
    if (!std::isfinite(values_[k]))
      return invalid_input("[export] {}: tensor '{}': expected finite weights, got {} at row {}, column {}",
                           tensor.source->file.string(), tensor.source->name, values_[k], row, k);
  const auto read = [&](int64_t from, float* out) { decode_row(tensor.source->view(), from, out); };
  const SearchedRows::Row chosen = searched_.row(&tensor, *tensor.like, tensor.rows(), tensor.columns(), row, read);
  codes_.assign(chosen.codes.begin(), chosen.codes.end());
  std::copy(chosen.scales.begin(), chosen.scales.end(), scales);
  std::copy(chosen.bases.begin(), chosen.bases.end(), biases);
  return {};
}

}  // namespace halftone
