// SPDX-License-Identifier: Apache-2.0
// Palettes by exact one-dimensional k-means (papers: partition.cc), each weight counting as much as its input does: the
// mean square of its column, where calibration saw any. Entries are the means rounded to f16, then moved while that
// lowers the error of what is stored.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "quantize/methods/methods.h"
#include "quantize/methods/partition.h"
#include "quantize/methods/population.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr uint64_t kLloydSeed = 1;
constexpr int kPaletteRounds = 4;  // of scales and codes
constexpr float kGreatestHalf = 65504;

enum class PaletteSearch : uint8_t { exact, lloyd };

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

// As bits; where values are fewer than entries, the last one is repeated.
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

Population population_of_zero() { return Population(std::vector<Population::Value>{{0, 1}}); }

// Codes by comparison with the middles between entries: the greatest float that is not above one decides as it does.
class PaletteCoder {
 public:
  explicit PaletteCoder(std::span<const uint16_t> bits) {
    for (const uint16_t one : bits) values_.push_back(f16_to_f32(one));
    for (size_t i = 0; i + 1 < bits.size(); ++i) {
      const double middle = (static_cast<double>(values_[i]) + static_cast<double>(values_[i + 1])) / 2;
      auto limit = static_cast<float>(middle);
      if (static_cast<double>(limit) > middle) limit = std::nextafter(limit, -std::numeric_limits<float>::infinity());
      // Entries repeated at the end are never chosen.
      limits_.push_back(values_[i] < values_[i + 1] ? limit : std::numeric_limits<float>::infinity());
    }
  }

  // Signed codes of values * factor, as layouts take them.
  void encode(const float* values, int64_t count, float factor, int8_t* codes) const {
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
  float value(int8_t code) const {
    return values_[static_cast<size_t>(static_cast<int>(code) + static_cast<int>(values_.size() / 2))];
  }

 private:
  std::vector<float> values_, limits_;
};

// The root mean square of a row, so that rows that share a palette are alike; 0 for zeros.
float size_of_row(const float* values, int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += static_cast<double>(values[k]) * static_cast<double>(values[k]);
  return f16_to_f32(f32_to_f16(static_cast<float>(std::sqrt(sum / static_cast<double>(count)))));
}

// How much a row counts after it was divided by its size: with the square of that, in steps.
uint64_t count_of_size(float size, float greatest) {
  constexpr float kSteps = 4096;  // times 2^20 of a column, 2^31 weights still fit 64 bits
  const float part = size / greatest;
  return std::max<uint64_t>(1, static_cast<uint64_t>(part * part * kSteps + 0.5f));
}

// What rows that share a palette add to it. Scaled rows are divided by their size, and count with its square.
class GatheredRows {
 public:
  GatheredRows(const Layout& layout, int64_t columns, std::span<const uint32_t> counts)
      : scaled_(layout.scaled), columns_(columns), counts_(counts) {}

  float add(const float* row) {
    const float size = scaled_ ? size_of_row(row, columns_) : 1.0f;
    if (!(size > 0) || size > kGreatestHalf) return size;
    sizes_.push_back(size);
    for (int64_t k = 0; k < columns_; ++k)
      values_.push_back({row[k] / size, counts_.empty() ? uint64_t{1} : counts_[static_cast<size_t>(k)]});
    return size;
  }

  // Zeros where there are none.
  std::vector<uint16_t> entries(int count, PaletteSearch search) {
    if (values_.empty()) values_.push_back({0, 1});
    if (scaled_ && !sizes_.empty()) count_sizes();
    return entries_of(Population(std::move(values_)), count, search);
  }

 private:
  void count_sizes() {
    const float greatest = *std::max_element(sizes_.begin(), sizes_.end());
    for (size_t i = 0; i < values_.size(); ++i)
      values_[i].count *= count_of_size(sizes_[i / static_cast<size_t>(columns_)], greatest);
  }

  bool scaled_;
  int64_t columns_;
  std::span<const uint32_t> counts_;
  std::vector<float> sizes_;
  std::vector<Population::Value> values_;
};

// Palettes that more rows share than a panel has.
struct SharedPalettes : Preparation {
  std::vector<uint16_t> bits;
};

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

// Codes and scale of a row in turn, while the error falls.
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
    const float next = f16_to_f32(f32_to_f16(best_scale(coder, values, codes, count, counts)));
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

void choose_palettes(const Layout& layout, const MethodInput& input, const MethodOutput& output, PaletteSearch search) {
  const std::vector<uint32_t> counts = column_counts(input.statistics.second_moment);
  const int64_t columns = input.columns, shared = layout.rows_of_palette();
  const auto entries = static_cast<size_t>(layout.entries());
  for (int64_t begin = 0; begin < input.rows; begin += shared) {
    const int64_t end = std::min(begin + shared, input.rows);
    const std::span<uint16_t> palette = output.palettes.subspan(static_cast<size_t>(begin / shared) * entries, entries);
    if (layout.palette_rows == 0 || layout.palette_rows > kPanelRows) {
      const auto& all = static_cast<const SharedPalettes&>(*input.preparation).bits;
      const int64_t number = layout.palette_rows == 0 ? 0 : input.first_row / layout.palette_rows;
      std::copy_n(all.begin() + number * static_cast<int64_t>(entries), entries, palette.begin());
    } else {
      GatheredRows gathered(layout, columns, counts);
      for (int64_t row = begin; row < end; ++row) gathered.add(input.values.data() + row * columns);
      const std::vector<uint16_t> found = gathered.entries(layout.entries(), search);
      std::copy(found.begin(), found.end(), palette.begin());
    }
    const PaletteCoder coder(palette);
    for (int64_t row = begin; row < end; ++row) {
      const float* values = input.values.data() + row * columns;
      int8_t* codes = output.codes.data() + row * columns;
      if (layout.scaled) {
        output.scales[static_cast<size_t>(row)] = encode_scaled(coder, values, columns, counts, codes);
      } else {
        coder.encode(values, columns, 1, codes);
      }
    }
  }
}

// All rows of a matrix, counted in one pass.
std::vector<uint16_t> entries_of_matrix(const Layout& layout, const MatrixReader& matrix,
                                        std::span<const uint32_t> counts, ThreadPool& pool, PaletteSearch search) {
  std::vector<float> sizes(layout.scaled ? static_cast<size_t>(matrix.rows) : 0);
  std::vector<Histogram> histograms(static_cast<size_t>(pool.threads()));
  std::vector<std::vector<float>> rows(histograms.size(), std::vector<float>(static_cast<size_t>(matrix.columns)));
  const auto for_each_row = [&](const auto& body) {
    pool.parallel_for(matrix.rows, kPanelRows, [&](int64_t begin, int64_t end, int thread) {
      std::vector<float>& row = rows[static_cast<size_t>(thread)];
      for (int64_t r = begin; r < end; ++r) {
        matrix.read(r, row.data());
        body(r, row, histograms[static_cast<size_t>(thread)]);
      }
    });
  };
  if (layout.scaled)
    for_each_row([&](int64_t r, const std::vector<float>& row, Histogram&) {
      const float size = size_of_row(row.data(), matrix.columns);
      sizes[static_cast<size_t>(r)] = size > kGreatestHalf ? 0 : size;
    });
  const float greatest = sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
  for_each_row([&](int64_t r, const std::vector<float>& row, Histogram& histogram) {
    const float size = layout.scaled ? sizes[static_cast<size_t>(r)] : 1.0f;
    if (!(size > 0)) return;
    const uint64_t steps = layout.scaled ? count_of_size(size, greatest) : 1;
    for (size_t k = 0; k < row.size(); ++k) histogram.add(row[k] / size, steps * (counts.empty() ? 1 : counts[k]));
  });
  for (size_t i = 1; i < histograms.size(); ++i) histograms[0].add(histograms[i]);
  const Population population = histograms[0].population();
  return entries_of(population.size() > 0 ? population : population_of_zero(), layout.entries(), search);
}

std::vector<uint16_t> entries_of_group(const Layout& layout, const MatrixReader& matrix, int64_t first,
                                       std::span<const uint32_t> counts, PaletteSearch search) {
  GatheredRows gathered(layout, matrix.columns, counts);
  std::vector<float> row(static_cast<size_t>(matrix.columns));
  for (int64_t r = first; r < std::min(matrix.rows, first + layout.palette_rows); ++r) {
    matrix.read(r, row.data());
    gathered.add(row.data());
  }
  return gathered.entries(layout.entries(), search);
}

Result<std::unique_ptr<Preparation>> prepare_palettes(const Layout& layout, const MatrixReader& matrix,
                                                      const InputStatistics& statistics, ThreadPool& pool,
                                                      PaletteSearch search) {
  if (!layout.is_palette() || (layout.palette_rows > 0 && layout.palette_rows <= kPanelRows))
    return std::unique_ptr<Preparation>();
  const std::vector<uint32_t> counts = column_counts(statistics.second_moment);
  auto shared = std::make_unique<SharedPalettes>();
  if (layout.palette_rows == 0) {
    shared->bits = entries_of_matrix(layout, matrix, counts, pool, search);
    return std::unique_ptr<Preparation>(std::move(shared));
  }
  const int64_t groups = (matrix.rows + layout.palette_rows - 1) / layout.palette_rows;
  shared->bits.resize(static_cast<size_t>(groups * layout.entries()));
  pool.parallel_for(groups, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t group = begin; group < end; ++group) {
      const std::vector<uint16_t> found = entries_of_group(layout, matrix, group * layout.palette_rows, counts, search);
      std::copy(found.begin(), found.end(), shared->bits.begin() + group * layout.entries());
    }
  });
  return std::unique_ptr<Preparation>(std::move(shared));
}

}  // namespace

void choose_kmeans(const Layout& layout, const MethodInput& input, const MethodOutput& output) {
  choose_palettes(layout, input, output, PaletteSearch::exact);
}

Result<std::unique_ptr<Preparation>> prepare_kmeans(const Layout& layout, const MatrixReader& matrix,
                                                    const InputStatistics& statistics, ThreadPool& pool) {
  return prepare_palettes(layout, matrix, statistics, pool, PaletteSearch::exact);
}

void choose_kmeans_lloyd(const Layout& layout, const MethodInput& input, const MethodOutput& output) {
  choose_palettes(layout, input, output, PaletteSearch::lloyd);
}

Result<std::unique_ptr<Preparation>> prepare_kmeans_lloyd(const Layout& layout, const MatrixReader& matrix,
                                                          const InputStatistics& statistics, ThreadPool& pool) {
  return prepare_palettes(layout, matrix, statistics, pool, PaletteSearch::lloyd);
}

}  // namespace halftone
