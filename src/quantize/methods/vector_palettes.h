// SPDX-License-Identifier: Apache-2.0
// Palettes whose entries are columns of several rows (HALFTONE_VECTOR_LAYOUTS), and the codes of rows that share them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/methods/grid.h"
#include "quantize/methods/palettes.h"

namespace halftone {

inline constexpr int kMostVector = 4;  // rows of an entry

// One point for each lane: coordinate by coordinate, each with what its squared error counts.
struct PointLanes {
  Lanes values[kMostVector], weights[kMostVector];
};

// Finds the nearest entry, the first of several.
class VectorCoder {
 public:
  // bits: (entries, vector)
  VectorCoder(std::span<const uint16_t> bits, int vector);
  int vector() const { return vector_; }
  float value(int code, int coordinate) const { return values_[static_cast<size_t>(code * vector_ + coordinate)]; }
  // Of the first `lanes` (4, 8 or 16) points. distances: the weighted squares.
  void nearest(const PointLanes& points, int lanes, Lanes& codes, Lanes& distances) const;

 private:
  int vector_;
  std::vector<float> values_;
};

// What rows that share a palette add to it: `vector` rows at a time.
class VectorPoints {
 public:
  // counts: how much columns count (empty: all alike), of which `sampled` are taken, evenly, each at a random place in
  // its share of the columns.
  VectorPoints(const Layout& layout, int64_t columns, std::span<const float> column_weights, int64_t sampled);

  // rows: (count, columns), count <= vector; row_weights: (count). number: of the group of rows, which seeds its
  // places.
  void add(const float* rows, int64_t count, const float* row_weights, int64_t number);
  void add(const VectorPoints& others);
  int64_t size() const { return size_; }

  // k-means++ (Arthur, Vassilvitskii 2007) with restarts, the best of which goes on by Lloyd's steps while the error of
  // the stored entries falls. pool: null inside of a panel's work. (entries, vector) f16 bits.
  std::vector<uint16_t> entries(PaletteSearch search, ThreadPool* pool) const;
  // The weighted squares that entries leave.
  double error_of(std::span<const uint16_t> bits) const;

 private:
  using Entries = std::vector<uint16_t>;
  Entries seeds(uint64_t seed) const;
  double improve(Entries& entries, int rounds) const;
  double step(const Entries& entries, Entries* means) const;
  void push(const float* values, const float* weights);

  const Layout& layout_;
  int64_t columns_, sampled_;
  std::span<const float> column_weights_;
  std::vector<PointLanes> points_;
  int64_t size_ = 0;
};

// Codes, and where the layout has them scales as f16 bits, of `count` <= vector rows (count, columns), in turn while
// the error falls. row_weights: (count).
void encode_vectors(const Layout& layout, const VectorCoder& coder, const float* rows, int64_t count, int64_t columns,
                    std::span<const float> column_weights, const float* row_weights, int8_t* codes, uint16_t* scales);

// The palette of a whole matrix, from so many points that more would not move it.
std::vector<uint16_t> vector_entries_of_matrix(const Layout& layout, const MatrixReader& matrix,
                                               const InputStatistics& statistics, ThreadPool& pool,
                                               PaletteSearch search);

}  // namespace halftone
