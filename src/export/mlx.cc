// SPDX-License-Identifier: Apache-2.0
#include "export/mlx.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/error.h"
#include "export/lost_ranges.h"
#include "export/mlx_rows.h"
#include "export/mlx_verify.h"
#include "formats/mlx/rows.h"
#include "formats/safetensors/safetensors.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;
using MlxJson = nlohmann::json;

constexpr int64_t kShardBytes = int64_t{5} << 30;
constexpr int64_t kMlxTileBytes = int64_t{8} << 20;

double elapsed_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<SafetensorsPlan::Tensor> stored_tensors(const MlxPlanned& tensor) {
  const int64_t rows = tensor.rows(), bytes = rows * tensor.row_bytes();
  if (!tensor.packed) return {{tensor.source->name, tensor.type, tensor.source->shape, bytes}};
  const int64_t groups = tensor.groups();
  const std::string module = tensor.module();
  return {{module + ".weight", DType::u32, {rows, tensor.row_bytes() / 4}, bytes},
          {module + ".scales", DType::f16, {rows, groups}, rows * groups * 2},
          {module + ".biases", DType::f16, {rows, groups}, rows * groups * 2}};
}

// Tensors of one file; those of a module stay together.
struct MlxShard {
  std::string name;
  std::vector<const MlxPlanned*> tensors;
  SafetensorsPlan plan;
};

std::vector<MlxShard> cut_shards(const std::vector<MlxPlanned>& tensors) {
  std::vector<MlxShard> shards(1);
  int64_t bytes = 0;
  for (const MlxPlanned& tensor : tensors) {
    const auto stored = stored_tensors(tensor);
    int64_t more = 0;
    for (const auto& part : stored) more += part.bytes;
    if (bytes > 0 && bytes + more > kShardBytes) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += more;
    shards.back().tensors.push_back(&tensor);
    shards.back().plan.tensors.insert(shards.back().plan.tensors.end(), stored.begin(), stored.end());
  }
  for (size_t i = 0; i < shards.size(); ++i) {
    shards[i].plan.metadata["format"] = "mlx";
    shards[i].name = shards.size() == 1 ? "model.safetensors"
                                        : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
  }
  return shards;
}

// Encodes a tensor by all threads: codes tile by tile to the file, scales and biases behind them.
class MlxStream {
 public:
  MlxStream(SafetensorsWriter& writer, ThreadPool& pool, Progress& progress)
      : writer_(writer), pool_(pool), progress_(progress), encoders_(static_cast<size_t>(pool.threads())) {}

  Status write(const MlxPlanned& tensor) {
    const int64_t rows = tensor.rows(), row_bytes = tensor.row_bytes(), groups = tensor.packed ? tensor.groups() : 0;
    const int64_t tile = std::max<int64_t>(1, kMlxTileBytes / row_bytes / kPanelRows) * kPanelRows;
    scales_.resize(static_cast<size_t>(rows * groups));
    biases_.resize(scales_.size());
    for (int64_t begin = 0; begin < rows; begin += tile) {
      const int64_t count = std::min(tile, rows - begin);
      codes_.resize(static_cast<size_t>(count * row_bytes));
      HALFTONE_TRY(encode(tensor, begin, count));
      HALFTONE_TRY(writer_.write(codes_));
      progress_.advance(count * row_bytes);
    }
    HALFTONE_TRY(writer_.write(std::as_bytes(std::span(scales_))));
    return writer_.write(std::as_bytes(std::span(biases_)));
  }

 private:
  Status encode(const MlxPlanned& tensor, int64_t first, int64_t count) {
    const int64_t groups = tensor.packed ? tensor.groups() : 0;
    std::vector<Status> problems(static_cast<size_t>(count));
    pool_.parallel_for(count, kPanelRows, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t row = begin; row < end; ++row)
        problems[static_cast<size_t>(row)] = encoders_[static_cast<size_t>(thread)].encode(
            tensor, first + row, codes_.data() + row * tensor.row_bytes(), scales_.data() + (first + row) * groups,
            biases_.data() + (first + row) * groups);
    });
    for (Status& problem : problems) HALFTONE_TRY(std::move(problem));
    return {};
  }

  SafetensorsWriter& writer_;
  ThreadPool& pool_;
  Progress& progress_;
  std::vector<MlxRowEncoder> encoders_;
  std::vector<std::byte> codes_;
  std::vector<uint16_t> scales_, biases_;
};

MlxJson json_of(const MlxPacking& packing) {
  return {{"bits", packing.bits}, {"group_size", packing.group}, {"mode", "affine"}};
}

// The packing of most weights is the common one; modules of others have an entry.
MlxJson quantization_json(const std::vector<MlxPlanned>& tensors) {
  std::map<std::pair<int, int64_t>, int64_t> weights;
  for (const MlxPlanned& tensor : tensors)
    if (tensor.packed) weights[{tensor.packing.bits, tensor.packing.group}] += tensor.rows() * tensor.columns();
  if (weights.empty()) return nullptr;
  const auto common = std::max_element(weights.begin(), weights.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
  const MlxPacking most{MlxMode::affine, common->first.first, common->first.second};
  MlxJson json = json_of(most);
  for (const MlxPlanned& tensor : tensors)
    if (tensor.packed && tensor.packing != most) json[tensor.module()] = json_of(tensor.packing);
  return json;
}

std::string config_text(const LanguageModel& model, const std::vector<MlxPlanned>& tensors) {
  MlxJson config = model.file.config;
  config.erase("quantization");
  config.erase("quantization_config");
  config["tie_word_embeddings"] = model.config.tied_embedding;  // mlx-lm takes it for true where it is not said
  const MlxJson quantization = quantization_json(tensors);
  if (!quantization.is_null()) config["quantization"] = config["quantization_config"] = quantization;
  return config.dump(4, ' ', false, MlxJson::error_handler_t::replace) + "\n";
}

std::string index_text(const std::vector<MlxShard>& shards, int64_t parameters) {
  MlxJson map = MlxJson::object();
  int64_t bytes = 0;
  for (const MlxShard& shard : shards)
    for (const auto& tensor : shard.plan.tensors) {
      map[tensor.name] = shard.name;
      bytes += tensor.bytes;
    }
  const MlxJson index = {{"metadata", {{"total_size", bytes}, {"total_parameters", parameters}}}, {"weight_map", map}};
  return index.dump(4, ' ', false, MlxJson::error_handler_t::replace) + "\n";
}

Status copy_tokenizer(const LanguageModel& model, const fs::path& folder, std::vector<std::string>& notes) {
  bool tokenizer = false;
  for (const auto& [name, from] : model.file.side_files) {
    if (name == "vocabulary.gguf") continue;
    tokenizer = tokenizer || name.starts_with("tokenizer.");
    std::error_code error;
    fs::copy_file(from, folder / name, error);
    if (error)
      return io_error("[export] {}: expected to copy it to {}, got: {}", from.string(), folder.string(),
                      error.message());
  }
  if (!tokenizer)
    notes.push_back(
        "the model has no tokenizer.json or tokenizer.model, so the folder has none: copy them from its original");
  return {};
}

class MlxExporter {
 public:
  MlxExporter(const LanguageModel& model, const MlxExportOptions& options, ThreadPool& pool, Progress& progress)
      : model_(model), options_(options), pool_(pool), progress_(progress) {}

  Status plan(ExportReport& report) {
    for (const WeightRef& ref : model_.model->graph().weights) {
      if (!ref.constant.empty()) continue;
      const StoredTensor* source = model_.file.find(ref.name);
      HALFTONE_CHECK(source != nullptr && source->layout != nullptr);  // loading checked it
      std::string note;
      HALFTONE_ASSIGN(MlxPlanned planned, plan_mlx_tensor(*source, options_, note));
      if (!note.empty()) report.notes.push_back(std::move(note));
      bytes_ += planned.rows() * planned.row_bytes();
      parameters_ += planned.rows() * planned.columns();
      tensors_.push_back(std::move(planned));
    }
    note_lost_ranges(model_.file, report.notes);
    return {};
  }

  Status write(const fs::path& folder, ExportReport& report) {
    const std::vector<MlxShard> shards = cut_shards(tensors_);
    progress_.begin("export", bytes_, "bytes");
    Status status;
    for (const MlxShard& shard : shards)
      if (status.ok()) status = write_shard(folder, shard);
    progress_.end();
    HALFTONE_TRY(std::move(status));
    HALFTONE_TRY(write_file_atomic(folder / "config.json", config_text(model_, tensors_)));
    HALFTONE_TRY(write_file_atomic(folder / "model.safetensors.index.json", index_text(shards, parameters_)));
    return copy_tokenizer(model_, folder, report.notes);
  }

  Status verify(const fs::path& folder, ExportReport& report) {
    progress_.begin("read back", bytes_, "bytes");
    auto tensors = verify_mlx(folder, tensors_, pool_, progress_);
    progress_.end();
    HALFTONE_TRY(tensors.status());
    report.tensors = *std::move(tensors);
    for (const auto& entry : fs::directory_iterator(folder))
      report.file_bytes += static_cast<int64_t>(entry.file_size());
    return {};
  }

 private:
  Status write_shard(const fs::path& folder, const MlxShard& shard) {
    HALFTONE_ASSIGN(SafetensorsWriter writer, SafetensorsWriter::create(folder / shard.name, shard.plan));
    MlxStream stream(writer, pool_, progress_);
    for (const MlxPlanned* tensor : shard.tensors) HALFTONE_TRY(stream.write(*tensor));
    return writer.finish();
  }

  const LanguageModel& model_;
  const MlxExportOptions& options_;
  ThreadPool& pool_;
  Progress& progress_;
  std::vector<MlxPlanned> tensors_;
  int64_t bytes_ = 0, parameters_ = 0;
};

}  // namespace

Result<ExportReport> export_mlx(const LanguageModel& model, const fs::path& target, const MlxExportOptions& options,
                                ThreadPool& pool, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  ExportReport report;
  report.container = "mlx";
  MlxExporter exporter(model, options, pool, progress);
  HALFTONE_TRY(exporter.plan(report));
  HALFTONE_ASSIGN(AtomicFolder folder, AtomicFolder::create(target, options.replace));
  HALFTONE_TRY(exporter.write(folder.path(), report));
  const auto verify_start = std::chrono::steady_clock::now();
  HALFTONE_TRY(exporter.verify(folder.path(), report));
  report.verify_seconds = elapsed_since(verify_start);
  HALFTONE_TRY(folder.commit());
  report.path = target;
  report.architecture = model.config.model_type;
  report.seconds = elapsed_since(start);
  return report;
}

}  // namespace halftone
