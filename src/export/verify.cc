// SPDX-License-Identifier: Apache-2.0
#include "export/verify.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file_map.h"
#include "export/row_errors.h"
#include "export/rows.h"

namespace halftone {
namespace {

// Half a unit in the last place where the type is normal, half of its smallest number below.
float rounding_bound(const GgmlType& type, float value) {
  const bool half = type.id == static_cast<uint32_t>(GgmlTypeId::f16);
  return half ? std::max(std::fabs(value) * 0x1p-11f, 0x1p-25f) : std::max(std::fabs(value) * 0x1p-8f, 0x1p-134f);
}

class TensorCheck {
 public:
  TensorCheck(const PlannedTensor& planned, const std::byte* stored)
      : planned_(planned), stored_(stored), row_bytes_(planned.type->row_bytes(planned.columns())) {}

  RowErrors compare(int64_t row, RowEncoder& encoder) {
    const std::vector<float>& expected = encoder.source_values(planned_, row);
    const std::byte* bytes = stored_ + row * row_bytes_;
    got_.resize(expected.size());
    planned_.type->decode_row(bytes, planned_.columns(), got_.data());
    RowErrors errors;
    for (size_t k = 0; k < got_.size(); ++k) {
      if (got_[k] == expected[k]) {
        errors.weight_squared += static_cast<double>(expected[k]) * static_cast<double>(expected[k]);
        continue;
      }
      ++errors.different;
      add(expected[k], got_[k], errors);
      if (errors.wrong_column < 0 && !keeps_promise(expected[k], got_[k]))
        errors.wrong_column = static_cast<int64_t>(k);
    }
    // Codes that were chosen now are chosen again: the file must hold them, whatever their error.
    const bool chosen = planned_.intent == Fidelity::quantized || planned_.intent == Fidelity::requantized;
    if (chosen && errors.wrong_column < 0) {
      again_.resize(static_cast<size_t>(row_bytes_));
      if (!encoder.encode(planned_, row, again_.data()).ok() || std::memcmp(again_.data(), bytes, again_.size()) != 0)
        errors.wrong_column = 0;
    }
    return errors;
  }

 private:
  bool keeps_promise(float expected, float got) const {
    if (planned_.intent == Fidelity::bit_exact) return false;
    if (planned_.intent == Fidelity::rounding)
      return std::fabs(got - expected) <= rounding_bound(*planned_.type, expected);
    return std::isfinite(got);
  }
  static void add(float expected, float got, RowErrors& errors) {
    const double error = static_cast<double>(got) - static_cast<double>(expected);
    errors.error_squared += error * error;
    errors.weight_squared += static_cast<double>(expected) * static_cast<double>(expected);
    errors.largest = std::max(errors.largest, std::fabs(got - expected));
  }

  const PlannedTensor& planned_;
  const std::byte* stored_;
  int64_t row_bytes_;
  std::vector<float> got_;
  std::vector<std::byte> again_;
};

Status check_declared(const PlannedTensor& planned, const GgufTensor* found, const std::string& file) {
  if (found != nullptr && found->type == planned.type && found->shape == planned.shape) return {};
  return io_error("[export] {}: tensor '{}': expected it as {} in the file just written, got {}; write the file again",
                  file, planned.stored_name, planned.type->name, found == nullptr ? "none" : found->type->name);
}

Result<ExportedTensor> verify_tensor(const PlannedTensor& planned, const std::byte* stored, ThreadPool& pool,
                                     const std::string& file) {
  std::vector<RowErrors> rows(static_cast<size_t>(planned.rows()));
  std::vector<RowEncoder> encoders(static_cast<size_t>(pool.threads()));
  std::vector<TensorCheck> checks(static_cast<size_t>(pool.threads()), TensorCheck(planned, stored));
  pool.parallel_for(planned.rows(), 64, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t row = begin; row < end; ++row)
      rows[static_cast<size_t>(row)] =
          checks[static_cast<size_t>(thread)].compare(row, encoders[static_cast<size_t>(thread)]);
  });
  ExportedTensor tensor;
  tensor.name = planned.name;
  tensor.stored_name = planned.stored_name;
  tensor.layout = planned.source == nullptr ? "computed" : planned.source->layout->name;
  tensor.type = planned.type->name;
  tensor.shape = planned.shape;
  tensor.elements = planned.rows() * planned.columns();
  tensor.bytes = planned.rows() * planned.type->row_bytes(planned.columns());
  HALFTONE_TRY(add_up(rows, planned.intent, file, planned.stored_name, tensor));
  return tensor;
}

}  // namespace

Result<std::vector<ExportedTensor>> verify_gguf(const std::filesystem::path& path, const ExportPlan& plan,
                                                ThreadPool& pool, Progress& progress) {
  HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> map, FileMap::open(path));
  const std::string file = path.string();
  HALFTONE_ASSIGN(const GgufHeader header, parse_gguf(map->bytes(), file));
  if (header.tensors.size() != plan.tensors.size())
    return io_error("[export] {}: expected {} tensors in the file just written, got {}; write the file again", file,
                    plan.tensors.size(), header.tensors.size());
  std::vector<ExportedTensor> tensors;
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const GgufTensor* found = header.tensors[i].name == plan.tensors[i].stored_name ? &header.tensors[i] : nullptr;
    HALFTONE_TRY(check_declared(plan.tensors[i], found, file));
    HALFTONE_ASSIGN(ExportedTensor tensor,
                    verify_tensor(plan.tensors[i], map->bytes().data() + found->begin, pool, file));
    progress.advance(tensor.bytes);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace halftone
