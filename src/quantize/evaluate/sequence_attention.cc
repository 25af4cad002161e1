// SPDX-License-Identifier: Apache-2.0
#include "quantize/evaluate/sequence_attention.h"

#include <algorithm>

#include "quantize/evaluate/row_gradients.h"

namespace halftone {
namespace {

constexpr int64_t kQueries = 128;

// out (rows, width) = a head's columns of (tokens, stride)
void copy_head(const float* from, int64_t stride, int64_t rows, int64_t width, float* out) {
  for (int64_t row = 0; row < rows; ++row)
    std::copy(from + row * stride, from + row * stride + width, out + row * width);
}

}  // namespace

// Queries [begin, end) of the batch's tokens see keys [first, end); count of both.
struct SequenceAttention::Block {
  int64_t begin, queries, first, keys;
  int64_t start;  // first token of the sequence
};

struct SequenceAttention::Scratch {
  AlignedBuffer<float> keys, values;              // of the head: (length, head_dim)
  AlignedBuffer<float> scores, slopes, d_scores;  // (queries, keys)
  AlignedBuffer<float> panels, turned, part;
  AlignedBuffer<float> d_keys, d_values;  // (length, head_dim)
};

SequenceAttention::SequenceAttention(const Attention& op, const Sequences& sequences, Products& products)
    : op_(op),
      sequences_(sequences),
      products_(products),
      q_width_(int64_t{op.heads} * op.head_dim),
      kv_width_(int64_t{op.kv_heads} * op.head_dim) {
  products_.reserve_scratch(std::max<int64_t>({sequences.longest(), op.head_dim, kQueries}));
}

void SequenceAttention::for_items(const std::function<void(int64_t, int64_t, int)>& body) {
  products_.pool().parallel_for(sequences_.count() * op_.kv_heads, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t item = begin; item < end; ++item) body(item / op_.kv_heads, item % op_.kv_heads, thread);
  });
}

std::vector<SequenceAttention::Block> SequenceAttention::blocks_of(int64_t sequence) const {
  std::vector<Block> blocks;
  const int64_t start = sequences_.begin(sequence), end = sequences_.end(sequence);
  for (int64_t begin = start; begin < end; begin += kQueries) {
    const int64_t stop = std::min(end, begin + kQueries);
    const int64_t first = op_.window > 0 ? std::max(start, begin + 1 - op_.window) : start;
    blocks.push_back({begin, stop - begin, first, stop - first, start});
  }
  return blocks;
}

// scratch.scores become probabilities, zero where a query does not see; scratch.slopes the derivative of the soft cap.
void SequenceAttention::probabilities(const float* q, const Block& block, int64_t head, Scratch& scratch, int thread) {
  const int64_t floats = block.queries * block.keys;
  scratch.scores.grow(static_cast<size_t>(floats));
  float* scores = scratch.scores.data();
  products_.rows_on_thread(
      {q + block.begin * q_width_ + head * op_.head_dim, q_width_, block.queries,
       scratch.keys.data() + (block.first - block.start) * op_.head_dim, block.keys, op_.head_dim, scores, block.keys},
      thread);
  if (op_.soft_cap != 0) scratch.slopes.grow(static_cast<size_t>(floats));
  for (int64_t i = 0; i < block.queries; ++i) {
    float* row = scores + i * block.keys;
    const int64_t query = block.begin + i;
    const int64_t from = op_.window > 0 ? std::max(block.first, query + 1 - op_.window) - block.first : 0;
    const int64_t to = query + 1 - block.first;
    for (int64_t k = from; k < to; ++k) row[k] *= op_.scale;
    if (op_.soft_cap != 0) {
      products_.vector().soft_cap(row + from, to - from, op_.soft_cap, row + from);
      float* slopes = scratch.slopes.data() + i * block.keys;
      for (int64_t k = from; k < to; ++k) slopes[k] = 1 - (row[k] / op_.soft_cap) * (row[k] / op_.soft_cap);
    }
    products_.vector().softmax(row + from, to - from);
    std::fill(row, row + from, 0.0f);
    std::fill(row + to, row + block.keys, 0.0f);
  }
}

void SequenceAttention::forward(const float* q, const float* k, const float* v, float* out) {
  const int64_t group = op_.heads / op_.kv_heads, width = op_.head_dim;
  std::vector<Scratch> scratches(static_cast<size_t>(products_.pool().threads()));
  for_items([&](int64_t sequence, int64_t kv_head, int thread) {
    Scratch& scratch = scratches[static_cast<size_t>(thread)];
    const int64_t start = sequences_.begin(sequence), length = sequences_.length(sequence);
    scratch.keys.grow(static_cast<size_t>(length * width));
    copy_head(k + start * kv_width_ + kv_head * width, kv_width_, length, width, scratch.keys.data());
    for (const Block& block : blocks_of(sequence)) {
      scratch.panels.grow(static_cast<size_t>(panel_floats(block.keys, width)));
      pack_transposed(v + block.first * kv_width_ + kv_head * width, kv_width_, block.keys, width,
                      scratch.panels.data());
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        probabilities(q, block, head, scratch, thread);
        products_.panels_on_thread({scratch.scores.data(), block.keys, block.queries, scratch.panels.data(), width,
                                    block.keys, out + block.begin * q_width_ + head * width, q_width_},
                                   thread);
      }
    }
  });
}

// d_scores, the derivative by the probabilities, become that by the product of q and k.
void SequenceAttention::score_gradients(const Block& block, Scratch& scratch) const {
  for (int64_t i = 0; i < block.queries; ++i) {
    const float* row = scratch.scores.data() + i * block.keys;
    float* d_row = scratch.d_scores.data() + i * block.keys;
    const float mean = dot_product(row, d_row, block.keys);
    for (int64_t k = 0; k < block.keys; ++k) d_row[k] = row[k] * (d_row[k] - mean) * op_.scale;
    if (op_.soft_cap == 0) continue;
    const float* slopes = scratch.slopes.data() + i * block.keys;
    for (int64_t k = 0; k < block.keys; ++k) d_row[k] = row[k] == 0 ? 0 : d_row[k] * slopes[k];
  }
}

void SequenceAttention::backward_block(const Backward& io, const Block& block, int64_t head, Scratch& scratch,
                                       int thread) {
  const int64_t width = op_.head_dim, at = (block.first - block.start) * width;
  const int64_t query = block.begin * q_width_ + head * width;
  probabilities(io.q, block, head, scratch, thread);
  scratch.d_scores.grow(static_cast<size_t>(block.queries * block.keys));
  scratch.turned.grow(static_cast<size_t>(block.queries * block.keys));
  scratch.part.grow(static_cast<size_t>(block.keys * width));
  scratch.panels.grow(static_cast<size_t>(panel_floats(std::max(block.queries, block.keys), width)));
  products_.rows_on_thread({io.d_out + query, q_width_, block.queries, scratch.values.data() + at, block.keys, width,
                            scratch.d_scores.data(), block.keys},
                           thread);
  // sum += what^T times (queries, width) of `by`
  const auto add_product = [&](const float* what, const float* by, float* sum) {
    transpose(what, block.keys, block.queries, block.keys, scratch.turned.data(), block.queries);
    pack_transposed(by + query, q_width_, block.queries, width, scratch.panels.data());
    products_.panels_on_thread({scratch.turned.data(), block.queries, block.keys, scratch.panels.data(), width,
                                block.queries, scratch.part.data(), width},
                               thread);
    for (int64_t i = 0; i < block.keys * width; ++i) sum[at + i] += scratch.part.data()[i];
  };
  add_product(scratch.scores.data(), io.d_out, scratch.d_values.data());
  score_gradients(block, scratch);
  add_product(scratch.d_scores.data(), io.q, scratch.d_keys.data());
  pack_transposed(scratch.keys.data() + at, width, block.keys, width, scratch.panels.data());
  products_.panels_on_thread({scratch.d_scores.data(), block.keys, block.queries, scratch.panels.data(), width,
                              block.keys, io.d_q + query, q_width_},
                             thread);
}

void SequenceAttention::backward(const Backward& io) {
  const int64_t group = op_.heads / op_.kv_heads, width = op_.head_dim;
  std::vector<Scratch> scratches(static_cast<size_t>(products_.pool().threads()));
  for_items([&](int64_t sequence, int64_t kv_head, int thread) {
    Scratch& scratch = scratches[static_cast<size_t>(thread)];
    const int64_t length = sequences_.length(sequence);
    const int64_t at = sequences_.begin(sequence) * kv_width_ + kv_head * width;
    for (AlignedBuffer<float>* buffer : {&scratch.keys, &scratch.values, &scratch.d_keys, &scratch.d_values}) {
      buffer->grow(static_cast<size_t>(length * width));
    }
    copy_head(io.k + at, kv_width_, length, width, scratch.keys.data());
    copy_head(io.v + at, kv_width_, length, width, scratch.values.data());
    std::fill_n(scratch.d_keys.data(), length * width, 0.0f);
    std::fill_n(scratch.d_values.data(), length * width, 0.0f);
    for (const Block& block : blocks_of(sequence)) {
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        backward_block(io, block, head, scratch, thread);
      }
    }
    for (int64_t row = 0; row < length; ++row) {
      std::copy_n(scratch.d_keys.data() + row * width, width, io.d_k + at + row * kv_width_);
      std::copy_n(scratch.d_values.data() + row * width, width, io.d_v + at + row * kv_width_);
    }
  });
}

}  // namespace halftone
