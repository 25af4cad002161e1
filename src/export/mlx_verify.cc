// SPDX-License-Identifier: Apache-2.0
#include "export/mlx_verify.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "export/row_errors.h"
#include "formats/huggingface/huggingface.h"
#include "formats/mlx/rows.h"

namespace halftone {
namespace {

// What rounding to f16 may do: to a float, or to the scale and base of a group (whose largest number is `largest`).
float mlx_bound(const MlxPlanned& planned, float value, float largest) {
  if (!planned.packed) return std::max(std::fabs(value) * 0x1p-11f, 0x1p-25f);
  const auto codes = static_cast<float>(1 << planned.packing.bits);
  return 4 * largest * 0x1p-11f + codes * 0x1p-24f;
}

RowErrors compare_row(const MlxPlanned& planned, int64_t row, const RowSource& stored, std::vector<float>& expected,
                      std::vector<float>& read) {
  RowErrors errors;
  read.resize(expected.size());
  stored.decode(row, read.data());
  decode_row(planned.source->view(), row, expected.data());
  float largest = 0;
  for (const float value : expected) largest = std::max(largest, std::fabs(value));
  for (size_t k = 0; k < expected.size(); ++k) {
    const float got = read[k];
    errors.weight_squared += static_cast<double>(expected[k]) * static_cast<double>(expected[k]);
    if (got == expected[k]) continue;
    ++errors.different;
    const float error = std::fabs(got - expected[k]);
    errors.error_squared += static_cast<double>(error) * static_cast<double>(error);
    errors.largest = std::max(errors.largest, error);
    const bool kept = planned.intent == Fidelity::rounding
                          ? error <= mlx_bound(planned, expected[k], largest)
                          : planned.intent != Fidelity::bit_exact && std::isfinite(got);
    if (!kept && errors.wrong_column < 0) errors.wrong_column = static_cast<int64_t>(k);
  }
  return errors;
}

ExportedTensor described(const MlxPlanned& planned) {
  ExportedTensor tensor;
  tensor.name = planned.source->name;
  tensor.stored_name = planned.packed ? planned.module() : planned.source->name;
  tensor.layout = planned.source->layout->name;
  tensor.type = planned.packed ? mlx_type_name(planned.packing) : std::string(name_of(planned.type));
  tensor.shape = planned.source->shape;
  tensor.elements = planned.rows() * planned.columns();
  tensor.bytes = planned.rows() * (planned.row_bytes() + (planned.packed ? 4 * planned.groups() : 0));
  return tensor;
}

Result<ExportedTensor> verify_mlx_tensor(const MlxPlanned& planned, const ImportTensor& stored, ThreadPool& pool,
                                         const std::string& folder) {
  std::vector<RowErrors> rows(static_cast<size_t>(planned.rows()));
  pool.parallel_for(planned.rows(), 64, [&](int64_t begin, int64_t end, int) {
    std::vector<float> expected(static_cast<size_t>(planned.columns())), read;
    for (int64_t row = begin; row < end; ++row)
      rows[static_cast<size_t>(row)] = compare_row(planned, row, *stored.rows, expected, read);
  });
  ExportedTensor tensor = described(planned);
  HALFTONE_TRY(add_up(rows, planned.intent, folder, planned.source->name, tensor));
  return tensor;
}

}  // namespace

Result<std::vector<ExportedTensor>> verify_mlx(const std::filesystem::path& folder, const std::vector<MlxPlanned>& plan,
                                               ThreadPool& pool, Progress& progress) {
  HALFTONE_ASSIGN(ModelFile file, open_huggingface(folder));
  file.path = folder;
  HALFTONE_ASSIGN(const ImportSource source, mlx_import(file));
  std::map<std::string_view, const ImportTensor*> stored;
  for (const ImportTensor& tensor : source.tensors) stored.emplace(tensor.stored.name, &tensor);
  std::vector<ExportedTensor> tensors;
  for (const MlxPlanned& planned : plan) {
    const auto found = stored.find(planned.source->name);
    const bool same = found != stored.end() && found->second->stored.shape == planned.source->shape &&
                      found->second->stored.layout->is_float() == !planned.packed;
    if (!same || stored.size() != plan.size())
      return io_error(
          "[export] {}: tensor '{}': expected it among {} tensors in the folder just written, got {}; write it again",
          folder.string(), planned.source->name, plan.size(), stored.size());
    HALFTONE_ASSIGN(ExportedTensor tensor, verify_mlx_tensor(planned, *found->second, pool, folder.string()));
    progress.advance(planned.rows() * planned.row_bytes());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace halftone
