// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "export/export.h"
#include "export/rows.h"
#include "export/verify.h"

namespace halftone {
namespace {

constexpr int64_t kTileBytes = int64_t{8} << 20;  // of the file, encoded at a time
constexpr int64_t kRowsPerThread = kPanelRows;    // of one thread at a time

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Encodes a tensor tile by tile, each by all threads.
class TensorStream {
 public:
  TensorStream(GgufWriter& writer, ThreadPool& pool, Progress& progress)
      : writer_(writer), pool_(pool), progress_(progress), encoders_(static_cast<size_t>(pool.threads())) {}

  Status write(const PlannedTensor& tensor) {
    const int64_t row_bytes = tensor.type->row_bytes(tensor.columns());
    const int64_t tile_rows = std::max<int64_t>(1, kTileBytes / row_bytes / kRowsPerThread) * kRowsPerThread;
    for (int64_t begin = 0; begin < tensor.rows(); begin += tile_rows) {
      const int64_t count = std::min(tile_rows, tensor.rows() - begin);
      buffer_.resize(static_cast<size_t>(count * row_bytes));
      HALFTONE_TRY(encode(tensor, begin, count, row_bytes));
      HALFTONE_TRY(writer_.write(buffer_));
      progress_.advance(count * row_bytes);
    }
    return {};
  }

 private:
  // The error of the lowest row, so that messages do not depend on threads.
  Status encode(const PlannedTensor& tensor, int64_t first, int64_t count, int64_t row_bytes) {
    std::vector<Status> problems(static_cast<size_t>(count));
    pool_.parallel_for(count, kRowsPerThread, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t row = begin; row < end; ++row)
        problems[static_cast<size_t>(row)] =
            encoders_[static_cast<size_t>(thread)].encode(tensor, first + row, buffer_.data() + row * row_bytes);
    });
    for (Status& problem : problems) HALFTONE_TRY(std::move(problem));
    return {};
  }

  GgufWriter& writer_;
  ThreadPool& pool_;
  Progress& progress_;
  std::vector<RowEncoder> encoders_;
  std::vector<std::byte> buffer_;
};

Status write_gguf(const std::filesystem::path& path, const ExportPlan& plan, GgufMetadata metadata, ThreadPool& pool,
                  Progress& progress) {
  GgufPlan file;
  file.metadata = std::move(metadata);
  for (const PlannedTensor& tensor : plan.tensors)
    file.tensors.push_back({tensor.stored_name, tensor.shape, tensor.type});
  HALFTONE_ASSIGN(GgufWriter writer, GgufWriter::create(path, std::move(file)));
  TensorStream stream(writer, pool, progress);
  for (const PlannedTensor& tensor : plan.tensors) HALFTONE_TRY(stream.write(tensor));
  return writer.finish();
}

int64_t payload_bytes_of(const ExportPlan& plan) {
  int64_t bytes = 0;
  for (const PlannedTensor& tensor : plan.tensors) bytes += tensor.rows() * tensor.type->row_bytes(tensor.columns());
  return bytes;
}

}  // namespace

nlohmann::ordered_json ExportReport::to_json() const {
  nlohmann::ordered_json json = {{"container", container},
                                 {"architecture", architecture},
                                 {"file_bytes", file_bytes},
                                 {"seconds", seconds},
                                 {"verify_seconds", verify_seconds},
                                 {"notes", notes},
                                 {"tensors", nlohmann::ordered_json::array()}};
  for (const ExportedTensor& tensor : tensors)
    json["tensors"].push_back({{"name", tensor.name},
                               {"stored_name", tensor.stored_name},
                               {"layout", tensor.layout},
                               {"type", tensor.type},
                               {"shape", tensor.shape},
                               {"elements", tensor.elements},
                               {"bytes", tensor.bytes},
                               {"fidelity", name_of(tensor.fidelity)},
                               {"relative_rms_error", tensor.relative_rms_error},
                               {"max_abs_error", tensor.max_abs_error}});
  return json;
}

Result<ExportReport> export_gguf(const LanguageModel& model, const std::filesystem::path& target,
                                 const ExportOptions& options, ThreadPool& pool, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  ExportReport report;
  HALFTONE_ASSIGN(ExportPlan plan, plan_gguf(model, options));
  HALFTONE_ASSIGN(GgufMetadata metadata, gguf_metadata(model, options, plan));
  HALFTONE_ASSIGN(AtomicFile file, AtomicFile::create(target, options.replace));
  progress.begin("export", payload_bytes_of(plan), "bytes");
  Status status = write_gguf(file.path(), plan, std::move(metadata), pool, progress);
  progress.end();
  HALFTONE_TRY(std::move(status));
  const auto verify_start = std::chrono::steady_clock::now();
  progress.begin("read back", payload_bytes_of(plan), "bytes");
  Result<std::vector<ExportedTensor>> tensors = verify_gguf(file.path(), plan, pool, progress);
  progress.end();
  HALFTONE_TRY(tensors.status());
  report.tensors = *std::move(tensors);
  report.verify_seconds = seconds_since(verify_start);
  report.file_bytes = static_cast<int64_t>(std::filesystem::file_size(file.path()));
  HALFTONE_TRY(file.commit());
  report.path = target;
  report.architecture = plan.architecture;
  report.notes = std::move(plan.notes);
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace halftone
