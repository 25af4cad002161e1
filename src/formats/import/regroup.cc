// SPDX-License-Identifier: Apache-2.0
#include "formats/import/regroup.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int64_t kRegroupTileBytes = int64_t{8} << 20;
constexpr int64_t kUnitsPerThread = 4;

// One unit of work: a panel of 16 rows, or a row of floats.
class UnitEncoder {
 public:
  Result<double> encode(const ImportTensor& tensor, int64_t unit, std::span<std::byte> out) {
    RowSlot slot;
    slot.bytes = out;
    if (tensor.stored.order == Order::rows) return tensor.rows->read(unit, slot);
    const Layout& layout = *tensor.stored.layout;
    const int64_t columns = tensor.stored.shape.back(), groups = layout.groups(columns);
    const int64_t count = layout.scale_count(columns);
    const int64_t rows = std::min<int64_t>(kPanelRows, tensor.stored.shape.front() - unit * kPanelRows);
    clear(codes_, columns);
    clear(scales_, count);
    clear(bases_, layout.affine ? count : 0);
    clear(sub_scales_, layout.is_nested() ? groups : 0);
    clear(sub_bases_, layout.is_nested() && layout.affine ? groups : 0);
    double worst = 0;
    for (int64_t r = 0; r < rows; ++r) {
      slot = {row_of(codes_, r),      row_of(scales_, r),    row_of(bases_, r),
              row_of(sub_scales_, r), row_of(sub_bases_, r), {}};
      HALFTONE_ASSIGN(const double error, tensor.rows->read(unit * kPanelRows + r, slot));
      worst = std::max(worst, error);
    }
    layout.pack_panel(
        {columns, nullptr, codes_.data(), scales_.data(), bases_.data(), sub_scales_.data(), sub_bases_.data()}, out);
    return worst;
  }

 private:
  template <class T>
  static void clear(std::vector<T>& all, int64_t width) {
    all.assign(static_cast<size_t>(kPanelRows * width), 0);
  }
  template <class T>
  static std::span<T> row_of(std::vector<T>& all, int64_t row) {
    const size_t width = all.size() / kPanelRows;
    return std::span(all).subspan(static_cast<size_t>(row) * width, width);
  }
  std::vector<int8_t> codes_;
  std::vector<uint16_t> scales_, bases_;
  std::vector<uint8_t> sub_scales_, sub_bases_;
};

// Tile after tile. While one is encoded, the one before is written and the source is hashed: work for every thread.
class Regrouper {
 public:
  Regrouper(ArtifactWriter& writer, SourceHash& hash, ThreadPool& pool)
      : writer_(writer), hash_(hash), pool_(pool), encoders_(static_cast<size_t>(pool.threads())) {}

  Status add(ImportTensor& tensor) {
    const ArtifactTensor& stored = tensor.stored;
    const bool rows = stored.order == Order::rows;
    const int64_t height = stored.shape.size() == 2 ? stored.shape.front() : 1;
    const int64_t units = rows ? height : (height + kPanelRows - 1) / kPanelRows;
    const int64_t unit_bytes = stored.payload_bytes() / units;
    const int64_t step = std::max<int64_t>(1, kRegroupTileBytes / unit_bytes);
    for (int64_t begin = 0; begin < units; begin += step)
      HALFTONE_TRY(tile(tensor, begin, std::min(step, units - begin), unit_bytes));
    TensorLabel& label = tensor.label;
    label.bytes = stored.bytes();
    label.fidelity = label.max_relative_error > 0 ? Fidelity::rounding : Fidelity::bit_exact;
    return {};
  }
  Status finish() { return writer_.write(pending_); }

 private:
  Status tile(ImportTensor& tensor, int64_t first, int64_t count, int64_t unit_bytes) {
    next_.resize(static_cast<size_t>(count * unit_bytes));
    std::vector<Status> problems(static_cast<size_t>(count));
    std::vector<double> errors(static_cast<size_t>(count));
    Status written;
    const int64_t slab = 2 * static_cast<int64_t>(next_.size());
    pool_.parallel_for(count + 2, kUnitsPerThread, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t item = begin; item < end; ++item) {
        if (item == 0) {
          written = writer_.write(pending_);
        } else if (item == 1) {
          hash_.advance(slab);
        } else {
          const auto index = static_cast<size_t>(item - 2);
          const auto out =
              std::span(next_).subspan(index * static_cast<size_t>(unit_bytes), static_cast<size_t>(unit_bytes));
          auto error = encoders_[static_cast<size_t>(thread)].encode(tensor, first + item - 2, out);
          if (error.ok()) errors[index] = *error;
          problems[index] = error.status();
        }
      }
    });
    HALFTONE_TRY(std::move(written));
    for (Status& problem : problems) HALFTONE_TRY(std::move(problem));  // the first, whatever the threads did
    for (const double error : errors)
      tensor.label.max_relative_error = std::max(tensor.label.max_relative_error, error);
    std::swap(next_, pending_);
    return {};
  }

  ArtifactWriter& writer_;
  SourceHash& hash_;
  ThreadPool& pool_;
  std::vector<UnitEncoder> encoders_;
  std::vector<std::byte> next_, pending_;  // being encoded; encoded and not yet written
};

}  // namespace

Status regroup(std::vector<ImportTensor>& tensors, ArtifactWriter& writer, SourceHash& hash, ThreadPool& pool) {
  Regrouper regrouper(writer, hash, pool);
  for (ImportTensor& tensor : tensors) HALFTONE_TRY(regrouper.add(tensor));
  return regrouper.finish();
}

}  // namespace halftone
