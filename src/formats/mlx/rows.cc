// SPDX-License-Identifier: Apache-2.0
#include "formats/mlx/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "formats/import/scales.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int kMxfp4Magnitudes[8] = {0, 1, 2, 3, 4, 6, 8, 12};  // doubled

// Element k of a row is bits [k * bits, (k + 1) * bits) of a little-endian stream.
int stream_code(std::span<const std::byte> row, int64_t k, int bits) {
  const auto begin = static_cast<size_t>(k * bits), byte = begin / 8;
  unsigned window = static_cast<unsigned>(row[byte]);
  if (byte + 1 < row.size()) window |= static_cast<unsigned>(row[byte + 1]) << 8;
  return static_cast<int>(window >> begin % 8 & ((1U << bits) - 1));
}

float float_at(const StoredTensor& tensor, int64_t index) {
  if (tensor.layout->id == LayoutId::f32) {
    float value;
    std::memcpy(&value, tensor.data.data() + 4 * index, 4);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, tensor.data.data() + 2 * index, 2);
  return tensor.layout->id == LayoutId::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

std::span<const std::byte> row_bytes_of(const StoredTensor& tensor, int64_t row) {
  const size_t bytes = tensor.data.size() / static_cast<size_t>(tensor.shape.front());
  return tensor.data.subspan(static_cast<size_t>(row) * bytes, bytes);
}

class MlxAffineRows : public RowSource {
 public:
  MlxAffineRows(const MlxTensors& tensors, const MlxPacking& packing, int64_t columns)
      : tensors_(tensors), packing_(packing), columns_(columns), offset_(mlx_layout(packing).offset) {}

  Result<double> read(int64_t row, const RowSlot& slot) const override {
    const auto bytes = row_bytes_of(*tensors_.weight, row);
    for (int64_t k = 0; k < columns_; ++k)
      slot.codes[static_cast<size_t>(k)] = static_cast<int8_t>(stream_code(bytes, k, packing_.bits) - offset_);
    double worst = 0;
    const int64_t groups = columns_ / packing_.group;
    for (int64_t group = 0; group < groups; ++group) {
      const auto at = static_cast<size_t>(group);
      const float scale = float_at(*tensors_.scales, row * groups + group);
      const float base = float_at(*tensors_.biases, row * groups + group);
      slot.scales[at] = f32_to_f16(scale);
      slot.bases[at] = f32_to_f16(base);
      const float kept_scale = f16_to_f32(slot.scales[at]), kept_base = f16_to_f32(slot.bases[at]);
      if (!std::isfinite(kept_scale)) return refused("scales", row, group, scale);
      if (!std::isfinite(kept_base)) return refused("biases", row, group, base);
      if (kept_scale == scale && kept_base == base) continue;
      const auto codes =
          slot.codes.subspan(static_cast<size_t>(group * packing_.group), static_cast<size_t>(packing_.group));
      worst = std::max(worst, error_of(codes, {scale, base}, {kept_scale, kept_base}));
    }
    return worst;
  }

  void decode(int64_t row, float* out) const override {
    const auto bytes = row_bytes_of(*tensors_.weight, row);
    const int64_t groups = columns_ / packing_.group;
    for (int64_t k = 0; k < columns_; ++k) {
      const int64_t at = row * groups + k / packing_.group;
      const auto code = static_cast<float>(stream_code(bytes, k, packing_.bits));
      out[k] = std::fma(code, float_at(*tensors_.scales, at), float_at(*tensors_.biases, at));
    }
  }

 private:
  struct Line {
    float scale, base;
  };
  double error_of(std::span<const int8_t> codes, Line exact, Line kept) const {
    RoundingError error;
    for (const int8_t code : codes) {
      const auto u = static_cast<float>(code + offset_);
      error.add(std::fma(u, exact.scale, exact.base), std::fma(u, kept.scale, kept.base));
    }
    return error.relative();
  }
  Status refused(std::string_view what, int64_t row, int64_t group, float value) const {
    const StoredTensor& tensor = what == "scales" ? *tensors_.scales : *tensors_.biases;
    return invalid_input("[mlx] {}: tensor '{}': expected finite {} that fit f16, got {} at row {}, group {}",
                         tensor.file.string(), tensor.name, what, value, row, group);
  }

  MlxTensors tensors_;
  MlxPacking packing_;
  int64_t columns_;
  int offset_;
};

// A power of two times an integer of at most 12, as in GGUF, with its nibbles in order.
class MlxFourBitFloatRows : public RowSource {
 public:
  MlxFourBitFloatRows(const MlxTensors& tensors, int64_t columns) : tensors_(tensors), columns_(columns) {}

  Result<double> read(int64_t row, const RowSlot& slot) const override {
    const auto bytes = row_bytes_of(*tensors_.weight, row), scales = row_bytes_of(*tensors_.scales, row);
    for (int64_t k = 0; k < columns_; ++k) {
      const int code = stream_code(bytes, k, 4), magnitude = kMxfp4Magnitudes[code & 7];
      slot.codes[static_cast<size_t>(k)] = static_cast<int8_t>(code < 8 ? magnitude : -magnitude);
    }
    for (size_t group = 0; group < scales.size(); ++group) {
      const auto exponent =
          power_of_two_scale(static_cast<int>(scales[group]) - 128, slot.codes.subspan(group * 32, 32));
      if (!exponent)
        return invalid_input("[mlx] {}: tensor '{}': expected scales that fit f16, got 2^{} at row {}, group {}",
                             tensors_.scales->file.string(), tensors_.scales->name,
                             static_cast<int>(scales[group]) - 127, row, group);
      slot.scales[group] = *exponent;
    }
    return 0.0;
  }

  void decode(int64_t row, float* out) const override {
    const auto bytes = row_bytes_of(*tensors_.weight, row), scales = row_bytes_of(*tensors_.scales, row);
    for (int64_t k = 0; k < columns_; ++k) {
      const int code = stream_code(bytes, k, 4), magnitude = kMxfp4Magnitudes[code & 7];
      out[k] = std::ldexp(static_cast<float>(code < 8 ? magnitude : -magnitude),
                          static_cast<int>(scales[static_cast<size_t>(k / 32)]) - 128);
    }
  }

 private:
  MlxTensors tensors_;
  int64_t columns_;
};

class FloatRows : public RowSource {
 public:
  explicit FloatRows(const StoredTensor& tensor) : tensor_(tensor) {}
  Result<double> read(int64_t row, const RowSlot& slot) const override {
    std::memcpy(slot.bytes.data(), tensor_.data.data() + row * static_cast<int64_t>(slot.bytes.size()),
                slot.bytes.size());
    return 0.0;
  }
  void decode(int64_t row, float* out) const override {
    const int64_t columns = tensor_.shape.back();
    for (int64_t k = 0; k < columns; ++k) out[k] = float_at(tensor_, row * columns + k);
  }

 private:
  const StoredTensor& tensor_;
};

}  // namespace

const Layout& mlx_layout(const MlxPacking& packing) {
  if (packing.mode == MlxMode::mxfp4) return layout_of(LayoutId::int5_block32);
  for (const int bits : {packing.bits, packing.bits <= 4 ? 4 : 8})
    if (const Layout* layout = find_layout(fmt::format("uint{}_affine{}", bits, packing.group))) return *layout;
  HALFTONE_CHECK(false);
  return layout_of(LayoutId::f32);
}

std::string mlx_type_name(const MlxPacking& packing) {
  if (packing.mode == MlxMode::mxfp4) return "mxfp4";
  return fmt::format("affine {} bits, groups of {}", packing.bits, packing.group);
}

std::shared_ptr<const RowSource> mlx_rows(const MlxTensors& tensors, const MlxPacking& packing, int64_t columns) {
  if (packing.mode == MlxMode::mxfp4) return std::make_shared<MlxFourBitFloatRows>(tensors, columns);
  return std::make_shared<MlxAffineRows>(tensors, packing, columns);
}

std::shared_ptr<const RowSource> float_rows(const StoredTensor& tensor) { return std::make_shared<FloatRows>(tensor); }

}  // namespace halftone
