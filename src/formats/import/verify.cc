// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>

#include "base/error.h"
#include "formats/import/import.h"

namespace halftone {
namespace {

// Of one row: the first number that is not what the label promises, -1: there is none.
int64_t wrong_column(const ImportTensor& tensor, const TensorLabel& label, const StoredTensor& cached, int64_t row,
                     std::vector<float>& expected, std::vector<float>& got) {
  const int64_t columns = tensor.stored.shape.back();
  expected.resize(static_cast<size_t>(columns));
  got.resize(expected.size());
  tensor.rows->decode(row, expected.data());
  decode_row(cached.view(), row, got.data());
  // Groups are not known here; no group's largest number is above the row's.
  double largest = 0;
  for (const float value : expected) largest = std::max(largest, std::fabs(static_cast<double>(value)));
  for (size_t k = 0; k < expected.size(); ++k) {
    if (got[k] == expected[k]) continue;
    const double error = std::fabs(static_cast<double>(got[k]) - static_cast<double>(expected[k]));
    if (label.fidelity == Fidelity::bit_exact || !(error <= label.max_relative_error * largest))
      return static_cast<int64_t>(k);
  }
  return -1;
}

Status verify_rows(const ImportTensor& tensor, const TensorLabel& label, const StoredTensor& cached, ThreadPool& pool) {
  const int64_t rows = tensor.stored.shape.size() == 2 ? tensor.stored.shape.front() : 1;
  std::vector<int64_t> wrong(static_cast<size_t>(rows), -1);
  pool.parallel_for(rows, 64, [&](int64_t begin, int64_t end, int) {
    std::vector<float> expected, got;
    for (int64_t row = begin; row < end; ++row)
      wrong[static_cast<size_t>(row)] = wrong_column(tensor, label, cached, row, expected, got);
  });
  for (int64_t row = 0; row < rows; ++row)
    if (wrong[static_cast<size_t>(row)] >= 0)
      return invalid_input(
          "[import] {}: tensor '{}': expected the numbers of the file ({}), got another at row {}, column {}; delete "
          "the "
          "folder",
          cached.file.parent_path().string(), label.name, name_of(label.fidelity), row,
          wrong[static_cast<size_t>(row)]);
  return {};
}

}  // namespace

Status verify_import(const ModelFile& model, const ImportSource& source, ThreadPool& pool, Progress& progress) {
  HALFTONE_CHECK(model.import);
  HALFTONE_TRY(verify_artifact(model.import->cache, pool, progress));
  std::map<std::string_view, const TensorLabel*> labels;
  for (const TensorLabel& label : model.import->labels) labels.emplace(label.name, &label);
  progress.begin("compare", static_cast<int64_t>(source.tensors.size()), "tensors");
  Status status;
  for (const ImportTensor& tensor : source.tensors) {
    if (!status.ok()) break;
    const StoredTensor* cached = model.find(tensor.stored.name);
    const auto label = labels.find(tensor.stored.name);
    const bool same = cached != nullptr && label != labels.end() && cached->shape == tensor.stored.shape &&
                      cached->layout == tensor.stored.layout;
    status = same
                 ? verify_rows(tensor, *label->second, *cached, pool)
                 : invalid_input("[import] {}: expected tensor '{}' as the file has it, got another; delete the folder",
                                 model.import->cache.string(), tensor.stored.name);
    progress.advance(1);
  }
  progress.end();
  return status;
}

}  // namespace halftone
