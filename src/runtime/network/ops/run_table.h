// SPDX-License-Identifier: Apache-2.0
// Where the windows of output pixels lie in an image whose channels lie together: a pointer per run (kernels/conv), in
// the pads one to zeros.
#pragma once

#include <algorithm>
#include <vector>

#include "runtime/network/ops/conv.h"

namespace halftone::network::ops {

template <class T>
class RunTable {
 public:
  // `zeros`: longest_run() numbers. Both outlive the table.
  RunTable(const ConvShape& shape, const T* zeros) : axes_(shape.axes), zeros_(zeros), channels_(shape.x.channels) {
    strides_.assign(axes_.size(), channels_);
    for (size_t axis = axes_.size(); axis-- > 1;) strides_[axis - 1] = strides_[axis] * axes_[axis].in;
    for (const WindowAxis& axis : axes_) taps_ *= axis.kernel;
    at_.resize(axes_.size());
  }
  static int64_t longest_run(const ConvShape& shape) {
    return shape.x.channels * (shape.axes.empty() ? 1 : shape.axes.back().kernel);
  }

  // Pixels [begin, begin + count) of one image. joins: whole rows of taps may be one run, where they lie in the image.
  void fill(const T* image, int64_t begin, int64_t count, bool joins) {
    const WindowAxis* last = axes_.empty() ? nullptr : &axes_.back();
    joined_ = joins && last != nullptr && last->dilation == 1 && last->kernel > 1;
    if (joined_ && (last->pad_begin > 0 || last->pad_end > 0)) {
      for (int64_t p = 0; joined_ && p < count; ++p) joined_ = inside(*last, (begin + p) % last->out);
    }
    place_runs();
    from_.resize(static_cast<size_t>(runs_ * count));
    seek(begin);
    for (int64_t p = 0; p < count; ++p, next()) {
      int64_t origin = 0;
      bool whole = true;
      for (size_t axis = 0; axis < at_.size(); ++axis) {
        whole = whole && inside(axes_[axis], at_[axis]);
        origin += axes_[axis].at(at_[axis], 0) * strides_[axis];
      }
      const T** to = from_.data() + p;
      for (int64_t run = 0; run < runs_; ++run, to += count)
        *to = whole || is_in(run) ? image + (origin + offsets_[static_cast<size_t>(run)]) : zeros_;
    }
  }

  const T* const* from() const { return from_.data(); }
  // The same, `offset` numbers further on, except in the pads.
  const T* const* shifted(int64_t offset) {
    shifted_ = from_;
    for (const T*& from : shifted_)
      if (from != zeros_) from += offset;
    return shifted_.data();
  }
  int64_t runs() const { return runs_; }
  int64_t length(int64_t channels) const { return joined_ ? channels * axes_.back().kernel : channels; }

 private:
  static bool inside(const WindowAxis& axis, int64_t at) {
    const int64_t first = axis.at(at, 0);
    return first >= 0 && first + axis.extent() <= axis.in;
  }
  // Runs of every pixel, relative to where its window begins.
  void place_runs() {
    const int64_t runs = joined_ ? taps_ / axes_.back().kernel : taps_;
    if (runs == runs_) return;
    runs_ = runs;
    offsets_.assign(static_cast<size_t>(runs), 0);
    taps_of_.assign(static_cast<size_t>(runs) * at_.size(), 0);
    for (int64_t run = 0; run < runs; ++run) {
      int64_t rest = run;
      for (size_t axis = at_.size(); axis-- > 0;) {
        if (joined_ && axis + 1 == at_.size()) continue;
        const int64_t tap = rest % axes_[axis].kernel;
        rest /= axes_[axis].kernel;
        taps_of_[static_cast<size_t>(run) * at_.size() + axis] = tap;
        offsets_[static_cast<size_t>(run)] += tap * axes_[axis].dilation * strides_[axis];
      }
    }
  }
  bool is_in(int64_t run) const {
    const int64_t* taps = taps_of_.data() + run * static_cast<int64_t>(at_.size());
    for (size_t axis = 0; axis < at_.size(); ++axis) {
      const int64_t at = axes_[axis].at(at_[axis], taps[axis]);
      if (at < 0 || at >= axes_[axis].in) return false;
    }
    return true;
  }
  void seek(int64_t pixel) {
    for (size_t axis = at_.size(); axis-- > 0; pixel /= axes_[axis].out) at_[axis] = pixel % axes_[axis].out;
  }
  void next() {
    for (size_t axis = at_.size(); axis-- > 0;) {
      if (++at_[axis] < axes_[axis].out) return;
      at_[axis] = 0;
    }
  }

  const WindowAxes& axes_;
  const T* zeros_;
  int64_t channels_, taps_ = 1, runs_ = 0;
  bool joined_ = false;
  std::vector<int64_t> strides_, at_, offsets_, taps_of_;
  std::vector<const T*> from_, shifted_;
};

}  // namespace halftone::network::ops
