// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/palettes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "quantize/methods/partition.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr uint64_t kLloydSeed = 1;
constexpr int kPaletteRounds = 4;  // of scales and codes

// f16 numbers, ascending, none twice.
struct PaletteEntries {
  std::vector<uint16_t> bits;
  std::vector<double> values;

  void push(double value) {
    const uint16_t rounded = f32_to_f16(static_cast<float>(value));
    const auto number = static_cast<double>(f16_to_f32(rounded));
    if (!values.empty() && values.back() == number) return;
    bits.push_back(rounded);
    values.push_back(number);
  }
};

PaletteEntries round_means(const Population& population, const Partition& partition) {
  PaletteEntries entries;
  for (size_t i = 0; i + 1 < partition.ends.size(); ++i)
    entries.push(population.mean(partition.ends[i], partition.ends[i + 1]));
  return entries;
}

// Each value to its nearest entry, the lower of two.
Partition nearest_partition(const Population& population, const PaletteEntries& entries) {
  Partition partition;
  partition.ends.push_back(0);
  for (size_t i = 0; i + 1 < entries.values.size(); ++i) {
    const int64_t end = population.count_up_to((entries.values[i] + entries.values[i + 1]) / 2);
    partition.ends.push_back(std::max(end, partition.ends.back()));
  }
  partition.ends.push_back(population.size());
  return partition;
}

double stored_cost(const Population& population, const PaletteEntries& entries, const Partition& nearest) {
  double sum = 0;
  for (size_t i = 0; i < entries.values.size(); ++i)
    sum += population.cost_of(nearest.ends[i], nearest.ends[i + 1], entries.values[i]);
  return sum;
}

// The scale that leaves the least squared error for the codes that a row has; 0 where they all mean zero.
float best_scale(const PaletteCoder& coder, const float* values, const int8_t* codes, int64_t count,
                 std::span<const uint32_t> counts) {
  double product = 0, square = 0;
  for (int64_t k = 0; k < count; ++k) {
    const double entry = static_cast<double>(coder.value(codes[k]));
    const double weight = counts.empty() ? 1 : counts[static_cast<size_t>(k)];
    product += weight * entry * static_cast<double>(values[k]);
    square += weight * entry * entry;
  }
  return square > 0 ? static_cast<float>(product / square) : 0.0f;
}

double scaled_row_error(const PaletteCoder& coder, const float* values, const int8_t* codes, int64_t count, float scale,
                        std::span<const uint32_t> counts) {
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) {
    const double off = static_cast<double>(coder.value(codes[k]) * scale) - static_cast<double>(values[k]);
    sum += (counts.empty() ? 1 : counts[static_cast<size_t>(k)]) * off * off;
  }
  return sum;
}

}  // namespace

std::vector<uint16_t> entries_of(const Population& population, int count, PaletteSearch search) {
  const Partition partition = search == PaletteSearch::exact ? optimal_partition(population, count)
                                                             : lloyd_partition(population, count, kLloydSeed);
  PaletteEntries best = round_means(population, partition);
  double cost = stored_cost(population, best, nearest_partition(population, best));
  for (int round = 0; round < kPaletteRounds; ++round) {
    Partition nearest = nearest_partition(population, best);
    nearest.ends.erase(std::unique(nearest.ends.begin(), nearest.ends.end()), nearest.ends.end());
    const PaletteEntries moved = round_means(population, nearest);
    const double lower = stored_cost(population, moved, nearest_partition(population, moved));
    if (!(lower < cost)) break;
    best = moved;
    cost = lower;
  }
  best.bits.resize(static_cast<size_t>(count), best.bits.back());
  return best.bits;
}

float palette_limit(float low, float high) {
  if (!(low < high)) return std::numeric_limits<float>::infinity();
  const double middle = (static_cast<double>(low) + static_cast<double>(high)) / 2;
  const auto limit = static_cast<float>(middle);
  return static_cast<double>(limit) > middle ? std::nextafter(limit, -std::numeric_limits<float>::infinity()) : limit;
}

PaletteCoder::PaletteCoder(std::span<const uint16_t> bits) {
  for (const uint16_t one : bits) values_.push_back(f16_to_f32(one));
  for (size_t i = 0; i + 1 < bits.size(); ++i) limits_.push_back(palette_limit(values_[i], values_[i + 1]));
}

void PaletteCoder::encode(const float* values, int64_t count, float factor, int8_t* codes) const {
  constexpr int64_t kRun = 256;
  const int offset = static_cast<int>(values_.size() / 2);
  for (int64_t begin = 0; begin < count; begin += kRun) {
    const int64_t end = std::min(begin + kRun, count);
    std::array<uint8_t, kRun> found = {};
    for (const float limit : limits_)
      for (int64_t k = begin; k < end; ++k)
        found[static_cast<size_t>(k - begin)] += values[k] * factor > limit ? uint8_t{1} : uint8_t{0};
    for (int64_t k = begin; k < end; ++k)
      codes[k] = static_cast<int8_t>(static_cast<int>(found[static_cast<size_t>(k - begin)]) - offset);
  }
}

float size_of_row(const float* values, int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += static_cast<double>(values[k]) * static_cast<double>(values[k]);
  return rounded_to_f16(static_cast<float>(std::sqrt(sum / static_cast<double>(count))));
}

uint64_t count_of_size(float size, float greatest) {
  constexpr float kSteps = 4096;  // times 2^20 of a column, 2^31 weights still fit 64 bits
  const float part = size / greatest;
  return std::max<uint64_t>(1, static_cast<uint64_t>(part * part * kSteps + 0.5f));
}

uint16_t encode_scaled(const PaletteCoder& coder, const float* values, int64_t count, std::span<const uint32_t> counts,
                       int8_t* codes) {
  float scale = size_of_row(values, count);
  if (!(scale > 0) || std::isinf(scale)) {
    std::fill(codes, codes + count, int8_t{0});
    return f32_to_f16(scale);
  }
  coder.encode(values, count, 1 / scale, codes);
  double error = scaled_row_error(coder, values, codes, count, scale, counts);
  std::vector<int8_t> other(static_cast<size_t>(count));
  for (int round = 0; round < kPaletteRounds; ++round) {
    const float next = rounded_to_f16(best_scale(coder, values, codes, count, counts));
    if (!(next > 0) || std::isinf(next)) break;
    coder.encode(values, count, 1 / next, other.data());
    const double lower = scaled_row_error(coder, values, other.data(), count, next, counts);
    if (!(lower < error)) break;
    error = lower;
    scale = next;
    std::copy(other.begin(), other.end(), codes);
  }
  return f32_to_f16(scale);
}

void GatheredRows::add(const float* row, float weight) {
  const float size = scaled_ ? size_of_row(row, columns_) : 1.0f;
  if (!(size > 0) || size > kGreatestHalf) return;
  sizes_.push_back(size * std::sqrt(weight));
  for (int64_t k = 0; k < columns_; ++k)
    values_.push_back({row[k] / size, counts_.empty() ? uint64_t{1} : counts_[static_cast<size_t>(k)]});
}

std::vector<uint16_t> GatheredRows::entries(int count, PaletteSearch search) {
  if (values_.empty()) values_.push_back({0, 1});
  if (!sizes_.empty()) count_sizes();
  return entries_of(Population(std::move(values_)), count, search);
}

void GatheredRows::count_sizes() {
  const float greatest = *std::max_element(sizes_.begin(), sizes_.end());
  if (*std::min_element(sizes_.begin(), sizes_.end()) == greatest) return;  // all alike
  for (size_t i = 0; i < values_.size(); ++i)
    values_[i].count *= count_of_size(sizes_[i / static_cast<size_t>(columns_)], greatest);
}

}  // namespace halftone
