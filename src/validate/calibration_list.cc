// SPDX-License-Identifier: Apache-2.0
#include "validate/calibration_list.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/atomic_write.h"
#include "base/error.h"
#include "validate/array_file.h"
#include "validate/csv.h"
#include "validate/keep_lowest.h"
#include "validate/sample_file.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

using Samples = std::vector<CalibrationArray>;

Result<Samples> read_list(const fs::path& list, SampleReader reader, int64_t most) {
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
  keep_lowest(files, most, [](const auto& file) { return file.first; });
  Samples samples;
  for (const auto& [file, line] : files) {
    Result<SeenSample> seen = reader.read(sample_file(list.parent_path(), file));
    if (!seen.ok())
      return Status(seen.status().code(),
                    fmt::format("[calibration] {}:{}: {}", list.string(), line, seen.status().message()));
    samples.push_back({file, std::move(seen->values)});
  }
  return samples;
}

Result<Samples> read_folder(const fs::path& folder, SampleReader reader) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".npy") files.push_back(entry.path());
  if (error) return invalid_input("[calibration] {}: expected a folder, got {}", folder.string(), error.message());
  if (files.empty()) return invalid_input("[calibration] {}: expected .npy files, got none", folder.string());
  std::sort(files.begin(), files.end());
  Samples samples;
  for (const fs::path& file : files) {
    HALFTONE_ASSIGN(SeenSample seen, reader.read({file, -1, {}, 0}));
    samples.push_back({file.filename().string(), std::move(seen.values)});
  }
  return samples;
}

Result<Samples> read_stack(const fs::path& file, SampleReader reader) {
  HALFTONE_ASSIGN(const int64_t rows, rows_of(file));
  Samples samples;
  for (int64_t row = 0; row < rows; ++row) {
    HALFTONE_ASSIGN(SeenSample seen, reader.read({file, row, {}, 0}));
    samples.push_back({fmt::format("{}#{}", file.filename().string(), row), std::move(seen.values)});
  }
  return samples;
}

}  // namespace

Result<CalibrationArrays> load_calibration_arrays(const fs::path& path, const Shape& input, const InputFormat& format) {
  std::error_code error;
  const std::string extension = path.extension().string();
  if (fs::is_directory(path, error)) {
    HALFTONE_ASSIGN(Samples samples, read_folder(path, {format, input}));
    return make_calibration_arrays(path.string(), "folder", std::move(samples));
  }
  if (extension == ".npy") {
    HALFTONE_ASSIGN(Samples samples, read_stack(path, {format, input}));
    return make_calibration_arrays(path.string(), "array", std::move(samples));
  }
  SuiteSpec spec;
  spec.file = path;
  spec.input = format;
  if (extension == ".yaml" || extension == ".yml") {
    HALFTONE_ASSIGN(const std::string yaml, read_text_file(path));
    HALFTONE_ASSIGN(spec, parse_suite(yaml, path));
    if (!is_of_network(spec.task))
      return invalid_input("[calibration] {}: expected a suite of files (such as task: classify) for a network, got {}",
                           path.string(), task_name(spec.task));
  } else if (extension != ".csv") {
    return invalid_input(
        "[calibration] {}: expected a list (.csv with the column path, or a suite's .yaml), a folder of .npy files or "
        "one .npy file for a network, got \"{}\"",
        path.string(), extension);
  }
  HALFTONE_ASSIGN(Samples samples, read_list(spec.file, {spec.input, input}, spec.max_samples));
  return make_calibration_arrays(path.string(), "list", std::move(samples));
}

}  // namespace halftone
