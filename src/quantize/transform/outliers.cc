// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/outliers.h"

#include <algorithm>
#include <cmath>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/rng.h"
#include "formats/safetensors/safetensors.h"
#include "quantize/transform/rewrite.h"
#include "tensor/dtype.h"
#include "tensor/layout.h"

namespace halftone {
namespace {

Status check_outliers(const LanguageModel& model, const OutlierOptions& options) {
  if (!(options.fraction > 0 && options.fraction <= 0.5))
    return invalid_input("[synth] expected a fraction of outlier channels above 0, at most 0.5, got {}",
                         options.fraction);
  if (!(options.factor >= 2 && options.factor <= 65536))
    return invalid_input("[synth] expected an outlier factor from 2 to 65536, got {}", options.factor);
  for (const StoredTensor& tensor : model.file.tensors)
    if (tensor.layout != nullptr && !tensor.layout->is_float())
      return invalid_input("[synth] {}: expected a float model, got tensor '{}' in {}", model.path.string(),
                           tensor.name, tensor.layout->name);
  return {};
}

// Which channels become outliers: a draw without repetition.
Eighths draw_channels(const ScaleGroup& group, const OutlierOptions& options, int eighths, Rng& rng) {
  Eighths drawn(static_cast<size_t>(group.channels));
  const auto wanted = std::llround(options.fraction * static_cast<double>(group.channels));
  for (int64_t left = std::max<int64_t>(1, wanted); left > 0;) {
    int16_t& one = drawn[rng.below(drawn.size())];
    if (one != 0) continue;
    one = static_cast<int16_t>(eighths);
    --left;
  }
  return drawn;
}

// f32 tensors of the rewritten model, back in the type that they were found in where that rounds nothing.
DType stored_type(const StoredTensor& found, const StoredTensor& rewritten) {
  const bool changed = found.data.data() != rewritten.data.data();
  return changed && (found.shape.size() < 2 || found.element_type == DType::f16) ? DType::f32 : found.element_type;
}

Status write_tensor(const StoredTensor& tensor, DType type, SafetensorsWriter& writer) {
  if (tensor.element_type == type) return writer.write(tensor.data);
  const WeightView view = tensor.view();  // f32 that came from bf16 and was multiplied by powers of two
  std::vector<float> row(static_cast<size_t>(view.columns));
  std::vector<uint16_t> bits(row.size());
  for (int64_t r = 0; r < view.rows; ++r) {
    decode_row(view, r, row.data());
    for (size_t k = 0; k < row.size(); ++k) bits[k] = f32_to_bf16(row[k]);
    HALFTONE_TRY(writer.write(std::as_bytes(std::span(bits))));
  }
  return {};
}

Status write_weights(const ModelFile& found, const ModelFile& rewritten, const std::filesystem::path& path,
                     OutlierReport& report, Progress& progress) {
  SafetensorsPlan plan;
  plan.metadata["format"] = "pt";
  for (size_t i = 0; i < found.tensors.size(); ++i) {
    const StoredTensor& tensor = found.tensors[i];
    const DType type = stored_type(tensor, rewritten.tensors[i]);
    const int64_t bytes =
        tensor.layout == nullptr ? static_cast<int64_t>(tensor.data.size()) : tensor.elements() * bytes_of(type);
    plan.tensors.push_back({tensor.name, type, tensor.shape, bytes});
    report.bytes += bytes;
  }
  HALFTONE_ASSIGN(SafetensorsWriter writer, SafetensorsWriter::create(path, plan));
  progress.begin("write", report.bytes, "bytes");
  Status status;
  for (size_t i = 0; i < found.tensors.size() && status.ok(); ++i) {
    status = write_tensor(rewritten.tensors[i], plan.tensors[i].type, writer);
    progress.advance(plan.tensors[i].bytes);
  }
  progress.end();
  HALFTONE_TRY(std::move(status));
  return writer.finish();
}

}  // namespace

Result<OutlierReport> write_outliers(const LanguageModel& model, const std::filesystem::path& target,
                                     const OutlierOptions& options, ThreadPool& pool, Progress& progress) {
  HALFTONE_TRY(check_outliers(model, options));
  const int eighths = 8 * ((eighths_of(log2_of(options.factor)) + 4) / 8);
  const Graph& graph = model.model->graph();
  ScaleGroups found = scale_groups(graph);
  OutlierReport report{target, 0, 0, int64_t{1} << eighths / 8, 0, std::move(found.left_out)};
  Rng rng(options.seed);
  Rewrites rewrites;
  for (const ScaleGroup& group : found.groups) {
    if (group.kind == GroupKind::up) continue;
    const Eighths drawn = draw_channels(group, options, eighths, rng);
    report.groups += 1;
    report.channels += std::count_if(drawn.begin(), drawn.end(), [](int16_t one) { return one != 0; });
    add_scaling(group, drawn, rewrites);
  }
  if (report.groups == 0)
    return unsupported("[synth] {}: expected channels that can be scaled without a change of the function, got none",
                       model.path.string());
  HALFTONE_ASSIGN(AtomicFolder folder, AtomicFolder::create(target, options.replace));
  HALFTONE_ASSIGN(const RewrittenModel rewritten, rewrite_model({model.file}, graph, rewrites, target, pool, progress));
  HALFTONE_TRY(write_file_atomic(folder.path() / "config.json", model.file.config.dump(2) + "\n"));
  for (const auto& [name, path] : model.file.side_files) {
    if (name == "config.json") continue;
    std::error_code code;
    std::filesystem::copy_file(path, folder.path() / name, code);
    if (code) return io_error("[synth] {}: cannot copy: {}", path.string(), code.message());
  }
  HALFTONE_TRY(write_weights(model.file, rewritten.file, folder.path() / "model.safetensors", report, progress));
  HALFTONE_TRY(folder.commit());
  return report;
}

}  // namespace halftone
