// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/vector_palettes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int64_t kMatrixPoints = 65536;  // 256 for each of 256 entries
constexpr int kRestarts = 4, kFirstRounds = 6, kRounds = 20;
constexpr int kScaleRounds = 4;  // of scales and codes

template <int kVector, int kLanes>
void nearest_of(const float* entries, size_t count, const PointLanes& points, Lanes& codes, Lanes& distances) {
  std::fill_n(codes.at, kLanes, 0.0f);
  std::fill_n(distances.at, kLanes, std::numeric_limits<float>::infinity());
  for (size_t u = 0; u < count; ++u, entries += kVector) {
    const auto code = static_cast<float>(u);
    for (int lane = 0; lane < kLanes; ++lane) {
      float distance = 0;
      for (int i = 0; i < kVector; ++i) {
        const float off = points.values[i].at[lane] - entries[i];
        distance += points.weights[i].at[lane] * (off * off);
      }
      const bool nearer = distance < distances.at[lane];
      distances.at[lane] = nearer ? distance : distances.at[lane];
      codes.at[lane] = nearer ? code : codes.at[lane];
    }
  }
}

template <int kVector>
void nearest_lanes(const float* entries, size_t count, const PointLanes& points, int lanes, Lanes& codes,
                   Lanes& distances) {
  if (lanes == 4) return nearest_of<kVector, 4>(entries, count, points, codes, distances);
  if (lanes == 8) return nearest_of<kVector, 8>(entries, count, points, codes, distances);
  nearest_of<kVector, kPanelRows>(entries, count, points, codes, distances);
}

// The rows of a vector, as points that may have been divided by a scale.
struct ScaledRows {
  const float* rows;
  int64_t count, columns;
  float scales[kMostVector];
  float weights[kMostVector];  // of rows

  PointLanes points(int vector, int64_t first) const {
    PointLanes out = {};
    for (int i = 0; i < vector && i < count; ++i) {
      if (!(scales[i] > 0) || std::isinf(scales[i])) continue;
      const float inverse = 1 / scales[i], weight = weights[i] * scales[i] * scales[i];
      for (int64_t k = first; k < std::min(first + kPanelRows, columns); ++k) {
        out.values[i].at[k - first] = rows[i * columns + k] * inverse;
        out.weights[i].at[k - first] = weight;
      }
    }
    return out;
  }
  void encode(const VectorCoder& coder, std::vector<uint8_t>& codes) const {
    Lanes found, distances;
    for (int64_t first = 0; first < columns; first += kPanelRows) {
      coder.nearest(points(coder.vector(), first), kPanelRows, found, distances);
      for (int64_t k = first; k < std::min(first + kPanelRows, columns); ++k)
        codes[static_cast<size_t>(k)] = static_cast<uint8_t>(found.at[k - first]);
    }
  }
  // What the codes leave, and the scales that would leave least.
  double error(const VectorCoder& coder, const std::vector<uint8_t>& codes, std::span<const float> column_weights,
               float (&best)[kMostVector]) const {
    double error = 0;
    for (int i = 0; i < count; ++i) {
      double product = 0, square = 0, own = 0;
      for (int64_t k = 0; k < columns; ++k) {
        const auto at = static_cast<size_t>(k);
        const double weight = column_weights.empty() ? 1.0 : static_cast<double>(column_weights[at]);
        const auto entry = static_cast<double>(coder.value(codes[at], i)),
                   value = static_cast<double>(rows[i * columns + k]);
        const double off = entry * static_cast<double>(scales[i]) - value;
        product += weight * entry * value;
        square += weight * entry * entry;
        own += weight * off * off;
      }
      error += own * static_cast<double>(weights[i]);
      const float wanted = square > 0 ? rounded_to_f16(static_cast<float>(product / square)) : 0.0f;
      best[i] = wanted > 0 && !std::isinf(wanted) ? wanted : scales[i];
    }
    return error;
  }
};

float greatest_of(std::span<const float> weights) {
  const float greatest = weights.empty() ? 1.0f : *std::max_element(weights.begin(), weights.end());
  return greatest > 0 ? greatest : 1.0f;
}

}  // namespace

VectorCoder::VectorCoder(std::span<const uint16_t> bits, int vector) : vector_(vector) {
  for (const uint16_t one : bits) values_.push_back(f16_to_f32(one));
}

void VectorCoder::nearest(const PointLanes& points, int lanes, Lanes& codes, Lanes& distances) const {
  const size_t count = values_.size() / static_cast<size_t>(vector_);
  vector_ == 2 ? nearest_lanes<2>(values_.data(), count, points, lanes, codes, distances)
               : nearest_lanes<4>(values_.data(), count, points, lanes, codes, distances);
}

VectorPoints::VectorPoints(const Layout& layout, int64_t columns, std::span<const float> column_weights,
                           int64_t sampled)
    : layout_(layout), columns_(columns), sampled_(std::min(sampled, columns)), column_weights_(column_weights) {}

void VectorPoints::push(const float* values, const float* weights) {
  const int64_t lane = size_++ % kPanelRows;
  if (lane == 0) points_.emplace_back();
  PointLanes& last = points_.back();
  for (int i = 0; i < layout_.vector; ++i) {
    last.values[i].at[lane] = values[i];
    last.weights[i].at[lane] = weights[i];
  }
}

void VectorPoints::add(const float* rows, int64_t count, const float* row_weights, int64_t number) {
  const float greatest = greatest_of(column_weights_);
  float inverse[kMostVector] = {}, row_weight[kMostVector] = {};
  for (int i = 0; i < count; ++i) {
    const float size = layout_.scaled ? size_of_row(rows + i * columns_, columns_) : 1.0f;
    if (!(size > 0) || size > kGreatestHalf) continue;
    inverse[i] = 1 / size;
    row_weight[i] = row_weights[i] * size * size;
  }
  Rng rng(static_cast<uint64_t>(number) + 1);
  for (int64_t i = 0; i < sampled_; ++i) {
    const int64_t begin = i * columns_ / sampled_, end = (i + 1) * columns_ / sampled_;
    const int64_t k = begin + static_cast<int64_t>(rng.below(static_cast<uint64_t>(end - begin)));
    const float column = column_weights_.empty() ? 1.0f : column_weights_[static_cast<size_t>(k)] / greatest;
    float values[kMostVector] = {}, weights[kMostVector] = {};
    for (int64_t r = 0; r < count; ++r) {
      values[r] = rows[r * columns_ + k] * inverse[r];
      weights[r] = row_weight[r] * column;
    }
    push(values, weights);
  }
}

void VectorPoints::add(const VectorPoints& others) {
  float values[kMostVector], weights[kMostVector];
  for (int64_t i = 0; i < others.size(); ++i) {
    const PointLanes& from = others.points_[static_cast<size_t>(i / kPanelRows)];
    for (int c = 0; c < layout_.vector; ++c) {
      values[c] = from.values[c].at[i % kPanelRows];
      weights[c] = from.weights[c].at[i % kPanelRows];
    }
    push(values, weights);
  }
}

// Points are taken with the probability of what the entries so far leave of them.
VectorPoints::Entries VectorPoints::seeds(uint64_t seed) const {
  const auto vector = static_cast<size_t>(layout_.vector);
  Entries entries(static_cast<size_t>(layout_.numbers()));
  if (size() == 0) return entries;
  Rng rng(seed);
  std::vector<Lanes> left(points_.size());
  for (Lanes& lanes : left) std::fill_n(lanes.at, kPanelRows, std::numeric_limits<float>::infinity());
  int64_t taken = static_cast<int64_t>(rng.below(static_cast<uint64_t>(size())));
  for (size_t u = 0; u < static_cast<size_t>(layout_.entries()); ++u) {
    const PointLanes& from = points_[static_cast<size_t>(taken / kPanelRows)];
    for (size_t i = 0; i < vector; ++i) entries[u * vector + i] = f32_to_f16(from.values[i].at[taken % kPanelRows]);
    const std::span<const uint16_t> entry = std::span(entries).subspan(u * vector, vector);
    const VectorCoder coder(entry, layout_.vector);
    double total = 0;
    for (size_t block = 0; block < points_.size(); ++block) {
      Lanes code, distance;
      coder.nearest(points_[block], kPanelRows, code, distance);
      float sum = 0;
      for (int lane = 0; lane < kPanelRows; ++lane) {
        left[block].at[lane] = std::min(left[block].at[lane], distance.at[lane]);
        sum += left[block].at[lane];
      }
      total += static_cast<double>(sum);
    }
    double target = rng.uniform() * total;
    for (int64_t i = 0; i < size() && target >= 0; ++i) {
      const float own = left[static_cast<size_t>(i / kPanelRows)].at[i % kPanelRows];
      target -= static_cast<double>(own);
      if (own > 0) taken = i;  // nothing is left of any: the last one again
    }
  }
  return entries;
}

// The error of entries; means: of the points that have each of them, rounded, the entry itself where none has.
double VectorPoints::step(const Entries& entries, Entries* means) const {
  const auto vector = static_cast<size_t>(layout_.vector);
  const VectorCoder coder(entries, layout_.vector);
  std::vector<double> sums(entries.size()), weights(entries.size());
  double error = 0;
  for (size_t block = 0; block < points_.size(); ++block) {
    const PointLanes& points = points_[block];
    Lanes codes, distances;
    coder.nearest(points, kPanelRows, codes, distances);
    const int64_t lanes = std::min<int64_t>(kPanelRows, size() - static_cast<int64_t>(block) * kPanelRows);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      error += static_cast<double>(distances.at[lane]);
      const size_t first = static_cast<size_t>(codes.at[lane]) * vector;
      for (size_t i = 0; i < vector; ++i) {
        const auto weight = static_cast<double>(points.weights[i].at[lane]);
        sums[first + i] += weight * static_cast<double>(points.values[i].at[lane]);
        weights[first + i] += weight;
      }
    }
  }
  if (means == nullptr) return error;
  *means = entries;
  for (size_t i = 0; i < entries.size(); ++i)
    if (weights[i] > 0) (*means)[i] = f32_to_f16(static_cast<float>(sums[i] / weights[i]));
  return error;
}

// The error of the best entries on the way, which are left in `entries`.
double VectorPoints::improve(Entries& entries, int rounds) const {
  Entries next = entries, after;
  double best = step(entries, &next);
  for (int round = 0; round < rounds; ++round) {
    const double error = step(next, &after);
    if (!(error < best)) break;
    best = error;
    entries = next;
    std::swap(next, after);
  }
  return best;
}

std::vector<uint16_t> VectorPoints::entries(PaletteSearch search, ThreadPool* pool) const {
  const int restarts = search == PaletteSearch::exact ? kRestarts : 1;
  std::vector<Entries> found(static_cast<size_t>(restarts));
  std::vector<double> errors(found.size());
  const auto start = [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      found[i] = seeds(i + 1);
      errors[i] = improve(found[i], kFirstRounds);
    }
  };
  if (pool != nullptr) {
    pool->parallel_for(restarts, 1, start);
  } else {
    start(0, restarts, 0);
  }
  Entries best = found[static_cast<size_t>(std::min_element(errors.begin(), errors.end()) - errors.begin())];
  if (search == PaletteSearch::exact) improve(best, kRounds);
  return best;
}

double VectorPoints::error_of(std::span<const uint16_t> bits) const {
  return step(Entries(bits.begin(), bits.end()), nullptr);
}

void encode_vectors(const Layout& layout, const VectorCoder& coder, const float* rows, int64_t count, int64_t columns,
                    std::span<const float> column_weights, const float* row_weights, int8_t* codes, uint16_t* scales) {
  ScaledRows now{rows, count, columns, {1, 1, 1, 1}, {}};
  std::copy_n(row_weights, count, now.weights);
  for (int i = 0; layout.scaled && i < count; ++i) now.scales[i] = size_of_row(rows + i * columns, columns);
  std::vector<uint8_t> best(static_cast<size_t>(columns)), other(best.size());
  now.encode(coder, best);
  if (layout.scaled) {
    ScaledRows next = now;
    double error = now.error(coder, best, column_weights, next.scales);
    for (int round = 0; round < kScaleRounds; ++round) {
      next.encode(coder, other);
      float after[kMostVector] = {1, 1, 1, 1};
      const double lower = next.error(coder, other, column_weights, after);
      if (!(lower < error)) break;
      error = lower;
      now = next;
      best.swap(other);
      std::copy_n(after, kMostVector, next.scales);
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    if (layout.scaled) scales[i] = f32_to_f16(now.scales[i]);
    for (int64_t k = 0; k < columns; ++k)
      codes[i * columns + k] = static_cast<int8_t>(best[static_cast<size_t>(k)] - layout.offset);
  }
}

std::vector<uint16_t> vector_entries_of_matrix(const Layout& layout, const MatrixReader& matrix,
                                               const InputStatistics& statistics, ThreadPool& pool,
                                               PaletteSearch search) {
  const int64_t vector = layout.vector, groups = (matrix.rows + vector - 1) / vector;
  const int64_t sampled = std::max<int64_t>(1, kMatrixPoints / groups);
  const float greatest = greatest_of(statistics.row_weights);
  const int64_t runs = std::min<int64_t>(groups, 64);
  std::vector<VectorPoints> parts(static_cast<size_t>(runs),
                                  VectorPoints(layout, matrix.columns, statistics.second_moment, sampled));
  pool.parallel_for(runs, 1, [&](int64_t begin, int64_t end, int) {
    std::vector<float> rows(static_cast<size_t>(vector * matrix.columns));
    for (int64_t run = begin; run < end; ++run) {
      for (int64_t group = run * groups / runs; group < (run + 1) * groups / runs; ++group) {
        const int64_t first = group * vector, count = std::min(vector, matrix.rows - first);
        float weights[kMostVector] = {};
        for (int64_t i = 0; i < count; ++i) {
          matrix.read(first + i, rows.data() + i * matrix.columns);
          weights[i] = row_weight(statistics, first + i) / greatest;
        }
        parts[static_cast<size_t>(run)].add(rows.data(), count, weights, group);
      }
    }
  });
  for (size_t i = 1; i < parts.size(); ++i) parts[0].add(parts[i]);
  return parts[0].entries(search, &pool);
}

}  // namespace halftone
