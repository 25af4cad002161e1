// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/rows.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "formats/gguf/names.h"
#include "formats/import/scales.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

int64_t stored_row(const GgufPart& part, int64_t row) {
  return part.first + (part.head_dim == 0 ? row : neighbour_row(row, part.head_dim));
}

class GgufMatrix : public RowSource {
 public:
  GgufMatrix(const GgufPart& part, const GgufUnpack& unpack)
      : part_(part),
        unpack_(unpack),
        name_(part.tensor->name),
        type_(*part.tensor->type),
        data_(part.map->bytes().data() + part.tensor->begin),
        columns_(part.shape.back()),
        row_bytes_(type_.row_bytes(columns_)) {}

  Result<double> read(int64_t row, const RowSlot& slot) const override {
    const int64_t from = stored_row(part_, row);
    const GgufRowResult result = unpack_.row(data_ + from * row_bytes_, columns_, slot);
    if (result.bad_column >= 0)
      return invalid_input(
          "[gguf] {}: tensor '{}': expected a finite {} that fits f16, got {} at row {}, column {}; the file is "
          "damaged",
          part_.map->path().string(), name_, result.bad_what, result.bad_value, from, result.bad_column);
    return result.relative_error;
  }

  void decode(int64_t row, float* out) const override {
    type_.decode_row(data_ + stored_row(part_, row) * row_bytes_, columns_, out);
  }

 private:
  GgufPart part_;
  const GgufUnpack& unpack_;
  std::string name_;
  const GgmlType& type_;
  const std::byte* data_;
  int64_t columns_, row_bytes_;
};

// Vectors are short, and read once.
class GgufVector : public RowSource {
 public:
  explicit GgufVector(const GgufPart& part)
      : part_(part), type_(*part.tensor->type), data_(part.map->bytes().data() + part.tensor->begin) {}

  Result<double> read(int64_t, const RowSlot& slot) const override {
    std::vector<float> values(static_cast<size_t>(part_.shape.back()));
    decode(0, values.data());
    RoundingError error;
    const size_t width = slot.bytes.size() / values.size();
    for (size_t i = 0; i < values.size(); ++i) {
      // The graph adds the offset again.
      if (part_.offset != 0) error.add(original(static_cast<int64_t>(i)), values[i] + part_.offset);
      put(values[i], slot.bytes.data() + i * width, width);
    }
    return error.relative();
  }

  void decode(int64_t, float* out) const override {
    for (int64_t i = 0; i < part_.shape.back(); ++i) out[i] = original(i) - part_.offset;
  }

 private:
  float original(int64_t i) const {
    float value;
    type_.decode_row(data_ + stored_row(part_, i) * type_.bytes, 1, &value);
    return value;
  }
  // Numbers without an offset come from a float of this width, so nothing is rounded.
  void put(float value, std::byte* out, size_t width) const {
    const bool brain = static_cast<GgmlTypeId>(type_.id) == GgmlTypeId::bf16;
    const uint16_t narrow = brain ? f32_to_bf16(value) : f32_to_f16(value);
    if (width == sizeof(float)) {
      std::memcpy(out, &value, width);
    } else {
      std::memcpy(out, &narrow, width);
    }
  }

  GgufPart part_;
  const GgmlType& type_;
  const std::byte* data_;
};

}  // namespace

std::shared_ptr<const RowSource> gguf_rows(const GgufPart& part, const GgufUnpack& unpack) {
  if (part.shape.size() == 1) return std::make_shared<GgufVector>(part);
  return std::make_shared<GgufMatrix>(part, unpack);
}

}  // namespace halftone
