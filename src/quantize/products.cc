// SPDX-License-Identifier: Apache-2.0
#include "quantize/products.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace halftone {
namespace {

constexpr int64_t kTokenBlock = 256, kPanelBlock = 8;  // of y, computed by one call of a kernel
constexpr int64_t kTile = 16;                          // a cache line of floats

}  // namespace

void transpose(const float* in, int64_t in_stride, int64_t rows, int64_t columns, float* out, int64_t out_stride) {
  float tile[kTile][kTile];
  for (int64_t row = 0; row < rows; row += kTile) {
    const int64_t high = std::min(kTile, rows - row);
    for (int64_t column = 0; column < columns; column += kTile) {
      const int64_t wide = std::min(kTile, columns - column);
      if (high == kTile && wide == kTile) {
        for (int64_t r = 0; r < kTile; ++r)
          for (int64_t c = 0; c < kTile; ++c) tile[c][r] = in[(row + r) * in_stride + column + c];
        for (int64_t c = 0; c < kTile; ++c) std::memcpy(out + (column + c) * out_stride + row, tile[c], sizeof tile[c]);
        continue;
      }
      for (int64_t r = 0; r < high; ++r)
        for (int64_t c = 0; c < wide; ++c)
          out[(column + c) * out_stride + row + r] = in[(row + r) * in_stride + column + c];
    }
  }
}

void pack_transposed(const float* in, int64_t in_stride, int64_t rows, int64_t columns, float* out) {
  for (int64_t column = 0; column < columns; column += kPanelRows) {
    const int64_t wide = std::min<int64_t>(kPanelRows, columns - column);
    for (int64_t row = 0; row < rows; ++row, out += kPanelRows) {
      const float* from = in + row * in_stride + column;
      if (wide == kPanelRows) {
        std::memcpy(out, from, kPanelRows * sizeof(float));  // of a known size: no call
        continue;
      }
      std::copy(from, from + wide, out);
      std::fill(out + wide, out + kPanelRows, 0.0f);
    }
  }
}

Result<ExactProducts> ExactProducts::here() {
  HALFTONE_ASSIGN(const Isa isa, active_isa());
  const LinearKernel* const rows = select_linear(LayoutId::f32, Order::rows, Activations::exact, isa);
  const LinearKernel* const panels = select_linear(LayoutId::f32, Order::panel16, Activations::exact, isa);
  HALFTONE_CHECK(rows != nullptr && panels != nullptr);
  return ExactProducts{rows->run, panels->run};
}

void multiply(LinearFn run, const Factor& factor, const float* x, int64_t x_stride, int64_t tokens, float* y,
              int64_t y_stride, std::byte* scratch) {
  LinearArgs args{};
  args.weights = reinterpret_cast<const std::byte*>(factor.weights);
  args.rows = factor.rows;
  args.columns = factor.columns;
  args.panel_end = (factor.rows + kPanelRows - 1) / kPanelRows;
  args.tokens = tokens;
  args.x = x;
  args.x_stride = x_stride;
  args.y = y;
  args.y_stride = y_stride;
  args.scratch = scratch;
  run(args);
}

Result<Products> Products::create(ThreadPool& pool) {
  Products products;
  HALFTONE_ASSIGN(products.isa_, active_isa());
  products.pool_ = &pool;
  products.vector_ = &select_vector(products.isa_);
  HALFTONE_ASSIGN(products.exact_, ExactProducts::here());
  return products;
}

void Products::reserve_scratch(int64_t columns) {
  const int64_t bytes = (linear_scratch_bytes(columns) + 127) / 64 * 64;
  if (bytes <= scratch_stride_) return;
  scratch_stride_ = bytes;
  scratch_.grow(static_cast<size_t>(bytes * pool_->threads()));
}

void Products::run_part(const Part& part, LinearFn kernel, int thread) const {
  multiply(kernel, {part.w, part.rows, part.columns}, part.x, part.x_stride, part.tokens, part.y, part.y_stride,
           scratch_.data() + thread * scratch_stride_);
}

void Products::run(const LinearArgs& args, LinearFn kernel) {
  reserve_scratch(args.columns);
  const int64_t panels = (args.rows + kPanelRows - 1) / kPanelRows;
  const int64_t across = (panels + kPanelBlock - 1) / kPanelBlock;
  const int64_t down = (args.tokens + kTokenBlock - 1) / kTokenBlock;
  pool_->parallel_for(across * down, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t token = i / across * kTokenBlock;
      LinearArgs part = args;
      part.panel_begin = i % across * kPanelBlock;
      part.panel_end = std::min(panels, part.panel_begin + kPanelBlock);
      part.tokens = std::min(kTokenBlock, args.tokens - token);
      part.x += token * args.x_stride;
      part.y += token * args.y_stride;
      part.scratch = scratch_.data() + thread * scratch_stride_;
      kernel(part);
    }
  });
}

Status Products::by_transposed(const float* x, int64_t tokens, const WeightView& w, float* y) {
  const LinearKernel* kernel = select_linear(w.layout->id, w.order, Activations::exact, isa_);
  if (kernel == nullptr) {
    return unsupported("[evaluate] expected a kernel for layout {}, got none for {}", w.layout->name, name_of(isa_));
  }
  LinearArgs args{};
  args.weights = w.data.data();
  args.rows = args.y_stride = w.rows;
  args.columns = args.x_stride = w.columns;
  args.tokens = tokens;
  args.x = x;
  args.y = y;
  run(args, kernel->run);
  return {};
}

void Products::by(const float* x, int64_t tokens, const float* w, int64_t inner, int64_t columns, float* y) {
  packed_.grow(static_cast<size_t>(panel_floats(inner, columns)));
  pack_transposed(w, columns, inner, columns, packed_.data());
  LinearArgs args{};
  args.weights = reinterpret_cast<const std::byte*>(packed_.data());
  args.rows = args.y_stride = columns;
  args.columns = args.x_stride = inner;
  args.tokens = tokens;
  args.x = x;
  args.y = y;
  run(args, exact_.by_panels);
}

void Products::by_stored(const float* x, int64_t tokens, const WeightView& w, float* y) {
  constexpr int64_t kFloats = 1 << 25;
  const int64_t step = std::max<int64_t>(1, kFloats / (w.rows * kPanelRows)) * kPanelRows;
  for (int64_t first = 0; first < w.columns; first += step) {
    const int64_t count = std::min(step, w.columns - first);
    packed_.grow(static_cast<size_t>(panel_floats(w.rows, count)));
    for_rows(*pool_, w.rows, w.columns, [&](int64_t row) {
      thread_local std::vector<float> decoded;
      decoded.resize(static_cast<size_t>(w.columns));
      decode_row(w, row, decoded.data());
      for (int64_t column = 0; column < count; column += kPanelRows)
        pack_transposed(decoded.data() + first + column, w.columns, 1, std::min<int64_t>(kPanelRows, count - column),
                        packed_.data() + column * w.rows + row * kPanelRows);
    });
    LinearArgs args{};
    args.weights = reinterpret_cast<const std::byte*>(packed_.data());
    args.rows = count;
    args.y_stride = w.columns;
    args.columns = args.x_stride = w.rows;
    args.tokens = tokens;
    args.x = x;
    args.y = y + first;
    run(args, exact_.by_panels);
  }
}

int64_t Products::turn_and_pack(const float* a, int64_t a_columns, const float* b, int64_t b_columns, int64_t tokens) {
  packed_.grow(static_cast<size_t>(panel_floats(tokens, b_columns)));
  const int64_t stride = tokens + kTile;  // often a power of 2 otherwise, whose rows compete for the same cache sets
  turned_.grow(static_cast<size_t>(stride * a_columns));
  const auto pieces = [](int64_t columns) { return (columns + kPanelRows - 1) / kPanelRows; };
  for_rows(*pool_, pieces(b_columns), tokens * kPanelRows, [&](int64_t i) {
    const int64_t first = i * kPanelRows;
    pack_transposed(b + first, b_columns, tokens, std::min<int64_t>(kPanelRows, b_columns - first),
                    packed_.data() + first * tokens);
  });
  for_rows(*pool_, pieces(a_columns), tokens * kPanelRows, [&](int64_t i) {
    const int64_t first = i * kPanelRows;
    transpose(a + first, a_columns, tokens, std::min<int64_t>(kPanelRows, a_columns - first),
              turned_.data() + first * stride, stride);
  });
  return stride;
}

void Products::transposed_by(const float* a, int64_t a_columns, const float* b, int64_t b_columns, int64_t tokens,
                             float* y) {
  LinearArgs args{};
  args.x_stride = turn_and_pack(a, a_columns, b, b_columns, tokens);
  args.weights = reinterpret_cast<const std::byte*>(packed_.data());
  args.rows = args.y_stride = b_columns;
  args.columns = tokens;
  args.tokens = a_columns;
  args.x = turned_.data();
  args.y = y;
  run(args, exact_.by_panels);
}

void Products::add_gram(const float* x, int64_t columns, int64_t tokens, float* y) {
  constexpr int64_t kAcross = kPanelBlock * kPanelRows;
  const int64_t stride = turn_and_pack(x, columns, x, columns, tokens);
  reserve_scratch(tokens);
  const int64_t across = (columns + kAcross - 1) / kAcross, down = (columns + kTokenBlock - 1) / kTokenBlock;
  std::vector<std::vector<float>> blocks(static_cast<size_t>(pool_->threads()));
  pool_->parallel_for(across * down, 1, [&](int64_t begin, int64_t end, int thread) {
    std::vector<float>& block = blocks[static_cast<size_t>(thread)];
    block.resize(static_cast<size_t>(kTokenBlock * kAcross));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t top = i / across * kTokenBlock, left = i % across * kAcross;
      if (left + kAcross <= top) continue;
      const int64_t high = std::min(kTokenBlock, columns - top), wide = std::min(kAcross, columns - left);
      const Part part = {turned_.data() + top * stride,
                         stride,
                         high,
                         packed_.data() + left * tokens,
                         wide,
                         tokens,
                         block.data(),
                         kAcross};
      panels_on_thread(part, thread);
      for (int64_t r = 0; r < high; ++r) {
        float* const row = y + (top + r) * columns + left;
        vector_->add(row, block.data() + r * kAcross, wide, row);
      }
    }
  });
}

// Squares, so that both the read and the written lines are in the cache.
void mirror_upper(float* y, int64_t columns) {
  for (int64_t row = 0; row < columns; row += kTile) {
    const int64_t end = std::min(columns, row + kTile);
    for (int64_t column = 0; column < end; column += kTile) {
      for (int64_t i = row; i < end; ++i)
        for (int64_t j = column; j < std::min(i, column + kTile); ++j) y[i * columns + j] = y[j * columns + i];
    }
  }
}

}  // namespace halftone
