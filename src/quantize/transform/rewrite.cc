// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/rewrite.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/atomic_file.h"
#include "base/atomic_write.h"
#include "base/error.h"
#include "tensor/layout.h"

namespace halftone {
namespace {

constexpr int64_t kPieceFloats = 1 << 22;
constexpr int64_t kAlignment = 64;

Rewrite scaling_of(const ScaledPart& part, const Eighths& eighths, int sign) {
  std::vector<float> factors;
  for (const int32_t channel : part.channels)
    factors.push_back(factor_of(sign * eighths[static_cast<size_t>(channel)]));
  const int64_t first = part.first, end = first + static_cast<int64_t>(factors.size());
  if (!part.rows)
    return {1, [first, factors = std::move(factors)](int64_t, int64_t rows, std::span<float> values) {
              const auto columns = static_cast<int64_t>(values.size()) / rows;
              for (int64_t row = 0; row < rows; ++row) {
                float* at = values.data() + row * columns + first;
                for (size_t k = 0; k < factors.size(); ++k) at[k] *= factors[k];
              }
            }};
  return {1, [first, end, factors = std::move(factors)](int64_t begin, int64_t rows, std::span<float> values) {
            const auto columns = static_cast<int64_t>(values.size()) / rows;
            for (int64_t row = std::max(begin, first); row < std::min(begin + rows, end); ++row) {
              float* at = values.data() + (row - begin) * columns;
              for (int64_t k = 0; k < columns; ++k) at[k] *= factors[static_cast<size_t>(row - first)];
            }
          }};
}

// Rows of the new tensor, decoded and changed, piece by piece.
class TensorRewriter {
 public:
  TensorRewriter(const StoredTensor& source, const WeightRef& ref, const std::vector<Rewrite>& rewrites)
      : source_(source), ref_(ref), rewrites_(rewrites) {
    for (const Rewrite& one : rewrites) block_ = std::lcm(block_, one.block == 0 ? ref.rows : one.block);
    block_ = std::min(block_, ref.rows);
  }

  Status write(FileWriter& file, ThreadPool& pool, Progress& progress) {
    const int64_t most = std::max<int64_t>(1, kPieceFloats / (block_ * ref_.columns)) * block_;
    for (int64_t begin = 0; begin < ref_.rows; begin += most) {
      const int64_t rows = std::min(most, ref_.rows - begin);
      values_.resize(static_cast<size_t>(rows * ref_.columns));
      pool.parallel_for((rows + block_ - 1) / block_, 1, [&](int64_t from, int64_t to, int) {
        for (int64_t block = from; block < to; ++block) compute(begin, begin + block * block_, begin + rows);
      });
      HALFTONE_TRY(check(begin));
      HALFTONE_TRY(file.write(std::as_bytes(std::span(values_))));
      progress.advance(rows * ref_.columns * int64_t{sizeof(float)});
    }
    return {};
  }

 private:
  void compute(int64_t piece, int64_t first, int64_t limit) {
    const int64_t rows = std::min(block_, limit - first), columns = ref_.columns;
    const auto all =
        std::span(values_).subspan(static_cast<size_t>((first - piece) * columns), static_cast<size_t>(rows * columns));
    const WeightView view = source_.view();
    for (int64_t row = 0; row < rows; ++row) decode_row(view, first + row, all.data() + row * columns);
    if (ref_.offset != 0)
      for (float& value : all) value += ref_.offset;
    for (const Rewrite& one : rewrites_) {
      const int64_t step = one.block == 0 ? rows : one.block;
      for (int64_t row = 0; row < rows; row += step) {
        const int64_t count = std::min(step, rows - row);
        one.apply(first + row, count,
                  all.subspan(static_cast<size_t>(row * columns), static_cast<size_t>(count * columns)));
      }
    }
    if (ref_.offset != 0)
      for (float& value : all) value -= ref_.offset;
  }

  Status check(int64_t begin) const {
    for (size_t i = 0; i < values_.size(); ++i) {
      if (std::isfinite(values_[i])) continue;
      const auto at = static_cast<int64_t>(i);
      return invalid_input(
          "[transform] {}: tensor '{}': expected finite numbers where channels are scaled, got {} at row {}, "
          "column {}",
          source_.file.string(), source_.name, values_[i], begin + at / ref_.columns, at % ref_.columns);
    }
    return {};
  }

  const StoredTensor& source_;
  const WeightRef& ref_;
  const std::vector<Rewrite>& rewrites_;
  int64_t block_ = 1;
  std::vector<float> values_;
};

// A name beside the target that only AtomicFile's own staging file is derived from.
std::filesystem::path temporary_name(const std::filesystem::path& target) {
  const std::filesystem::path plain = target.has_filename() ? target : target.parent_path();
  return plain.parent_path() / (plain.filename().string() + ".transformed");
}

}  // namespace

void add_scaling(const ScaleGroup& group, const Eighths& eighths, Rewrites& rewrites) {
  HALFTONE_CHECK(static_cast<int64_t>(eighths.size()) == group.channels);
  for (const ScaledPart& part : group.producers) rewrites[part.weight].push_back(scaling_of(part, eighths, -1));
  for (const ScaledPart& part : group.consumers) rewrites[part.weight].push_back(scaling_of(part, eighths, +1));
}

Result<RewrittenModel> rewrite_model(const RewrittenModel& from, const Graph& graph, const Rewrites& rewrites,
                                     const std::filesystem::path& target, ThreadPool& pool, Progress& progress) {
  HALFTONE_ASSIGN(AtomicFile staging, AtomicFile::create(temporary_name(target), true));  // removed at the end
  HALFTONE_ASSIGN(FileWriter file, FileWriter::create(staging.path()));
  int64_t bytes = 0;
  for (const auto& [id, list] : rewrites) bytes += graph.weight(id).rows * graph.weight(id).columns * 4;
  progress.begin("transform", bytes, "bytes");
  RewrittenModel to = from;
  std::vector<std::pair<StoredTensor*, int64_t>> moved;
  Status status;
  for (const auto& [id, list] : rewrites) {
    const WeightRef& ref = graph.weight(id);
    const auto tensor = std::find_if(to.file.tensors.begin(), to.file.tensors.end(),
                                     [&](const StoredTensor& one) { return one.name == ref.name; });
    HALFTONE_CHECK(tensor != to.file.tensors.end());
    status = file.pad_to(kAlignment);
    if (status.ok()) {
      moved.emplace_back(&*tensor, file.position());
      status = TensorRewriter(*tensor, ref, list).write(file, pool, progress);
    }
    if (!status.ok()) break;
  }
  progress.end();
  HALFTONE_TRY(status);
  HALFTONE_TRY(file.close());
  if (moved.empty()) return to;
  HALFTONE_ASSIGN(auto map, FileMap::open(staging.path()));
  for (const auto& [tensor, at] : moved) {
    const auto size = static_cast<size_t>(tensor->elements()) * sizeof(float);
    tensor->layout = &layout_of(LayoutId::f32);
    tensor->element_type = DType::f32;
    tensor->order = Order::rows;
    tensor->data = map->bytes().subspan(static_cast<size_t>(at), size);
  }
  to.temporary.push_back(std::move(map));
  return to;
}

}  // namespace halftone
