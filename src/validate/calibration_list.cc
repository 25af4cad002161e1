// SPDX-License-Identifier: Apache-2.0
#include "validate/calibration_list.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/hash.h"
#include "validate/array_file.h"
#include "validate/csv.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

using Samples = std::vector<CalibrationArray>;

// As suites draw theirs: those whose names hash lowest, in the list's order.
void keep_lowest(std::vector<std::pair<std::string, int64_t>>& files, int64_t most) {
  if (most == 0 || std::ssize(files) <= most) return;
  std::vector<uint64_t> hashes;
  for (const auto& [file, line] : files) hashes.push_back(stable_hash64(file));
  std::vector<uint64_t> sorted = hashes;
  std::nth_element(sorted.begin(), sorted.begin() + most, sorted.end());
  const uint64_t limit = sorted[static_cast<size_t>(most)];
  std::erase_if(files, [&](const auto& one) { return stable_hash64(one.first) >= limit; });
}

Result<Samples> read_list(const fs::path& list, const ArrayFormat& format, int64_t most) {
  HALFTONE_ASSIGN(const std::string text, read_text_file(list));
  HALFTONE_ASSIGN(const CsvTable table, parse_csv(text, list.string()));
  const auto column = table.column("path");
  if (!column)
    return invalid_input("[calibration] {}:1: expected the column path, got {}", list.string(),
                         fmt::join(table.header, ", "));
  std::vector<std::pair<std::string, int64_t>> files;
  for (const CsvRow& row : table.rows) {
    files.emplace_back(row.fields[*column], row.line);
    if (files.back().first.empty())
      return invalid_input("[calibration] {}:{}: path: expected a file, got nothing", list.string(), row.line);
  }
  keep_lowest(files, most);
  Samples samples;
  for (const auto& [file, line] : files) {
    Result<Tensor> values = read_array(list.parent_path() / file, format);
    if (!values.ok())
      return Status(values.status().code(),
                    fmt::format("[calibration] {}:{}: {}", list.string(), line, values.status().message()));
    samples.push_back({file, *std::move(values)});
  }
  return samples;
}

Result<Samples> read_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".npy") files.push_back(entry.path());
  if (error) return invalid_input("[calibration] {}: expected a folder, got {}", folder.string(), error.message());
  if (files.empty()) return invalid_input("[calibration] {}: expected .npy files, got none", folder.string());
  std::sort(files.begin(), files.end());
  Samples samples;
  for (const fs::path& file : files) {
    HALFTONE_ASSIGN(Tensor values, read_array(file, {}));
    samples.push_back({file.filename().string(), std::move(values)});
  }
  return samples;
}

Result<Samples> read_stack(const fs::path& file, const ArrayFormat& format) {
  ArrayFormat all = format;
  all.shape.clear();
  HALFTONE_ASSIGN(const Tensor stack, read_array(file, all));
  if (stack.rank() < 2)
    return invalid_input("[calibration] {}: expected samples along the first axis, got {}", file.string(),
                         text_of(stack.shape()));
  const Shape shape(stack.shape().begin() + 1, stack.shape().end());
  const auto size = static_cast<size_t>(elements_of(shape));
  Samples samples;
  for (int64_t i = 0; i < stack.dim(0); ++i)
    samples.push_back(
        {fmt::format("{}#{}", file.filename().string(), i),
         Tensor::of<float>(DType::f32, shape, stack.values<float>().subspan(static_cast<size_t>(i) * size, size))});
  return samples;
}

}  // namespace

Result<CalibrationArrays> load_calibration_arrays(const fs::path& path, const ArrayFormat& format) {
  std::error_code error;
  const std::string extension = path.extension().string();
  if (fs::is_directory(path, error)) {
    HALFTONE_ASSIGN(Samples samples, read_folder(path));
    return make_calibration_arrays(path.string(), "folder", std::move(samples));
  }
  if (extension == ".npy") {
    HALFTONE_ASSIGN(Samples samples, read_stack(path, format));
    return make_calibration_arrays(path.string(), "array", std::move(samples));
  }
  SuiteSpec spec;
  spec.file = path;
  spec.input = format;
  if (extension == ".yaml" || extension == ".yml") {
    HALFTONE_ASSIGN(const std::string yaml, read_text_file(path));
    HALFTONE_ASSIGN(spec, parse_suite(yaml, path));
    if (spec.task != Task::classify)
      return invalid_input("[calibration] {}: expected a suite of files (task: classify) for a network, got {}",
                           path.string(), task_name(spec.task));
  } else if (extension != ".csv") {
    return invalid_input(
        "[calibration] {}: expected a list (.csv with the column path, or a suite's .yaml), a folder of .npy files or "
        "one .npy file for a network, got \"{}\"",
        path.string(), extension);
  }
  HALFTONE_ASSIGN(Samples samples, read_list(spec.file, spec.input, spec.max_samples));
  return make_calibration_arrays(path.string(), "list", std::move(samples));
}

}  // namespace halftone
