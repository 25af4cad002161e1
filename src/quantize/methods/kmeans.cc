// SPDX-License-Identifier: Apache-2.0
// Palettes by exact one-dimensional k-means (papers: partition.cc), each weight counting as much as its input does: the
// mean square of its column, where calibration saw any. Entries are the means rounded to f16, then moved while that
// lowers the error of what is stored.
#include <algorithm>
#include <cmath>
#include <vector>

#include "quantize/methods/methods.h"
#include "quantize/methods/palettes.h"
#include "quantize/methods/vector_palettes.h"

namespace halftone {
namespace {

Population population_of_zero() { return Population(std::vector<Population::Value>{{0, 1}}); }

// The rows of a panel, whose palette is their own or that of the matrix.
void choose_vectors(const Layout& layout, const MethodInput& input, const MethodOutput& output, PaletteSearch search) {
  const int64_t columns = input.columns, vector = layout.vector;
  const std::span<const float> column_weights = input.statistics.second_moment;
  std::vector<float> weights;
  for (int64_t row = 0; row < input.rows; ++row) weights.push_back(row_weight(input.statistics, input.first_row + row));
  if (layout.shares_head()) {
    const auto& all = static_cast<const SharedPalettes&>(*input.preparation);
    std::copy(all.bits.begin(), all.bits.end(), output.palettes.begin());
  } else {
    VectorPoints points(layout, columns, column_weights, columns);
    for (int64_t row = 0; row < input.rows; row += vector)
      points.add(input.values.data() + row * columns, std::min(vector, input.rows - row), weights.data() + row, row);
    const std::vector<uint16_t> found = points.entries(search, nullptr);
    std::copy(found.begin(), found.end(), output.palettes.begin());
  }
  const VectorCoder coder(output.palettes, layout.vector);
  for (int64_t row = 0; row < input.rows; row += vector)
    encode_vectors(layout, coder, input.values.data() + row * columns, std::min(vector, input.rows - row), columns,
                   column_weights, weights.data() + row, output.codes.data() + row * columns,
                   layout.scaled ? output.scales.data() + row : nullptr);
}

void choose_palettes(const Layout& layout, const MethodInput& input, const MethodOutput& output, PaletteSearch search) {
  if (layout.vector > 1) return choose_vectors(layout, input, output, search);
  const std::vector<uint32_t> counts = column_counts(input.statistics.second_moment);
  const int64_t columns = input.columns, shared = layout.rows_of_palette();
  const auto entries = static_cast<size_t>(layout.entries());
  for (int64_t begin = 0; begin < input.rows; begin += shared) {
    const int64_t end = std::min(begin + shared, input.rows);
    const std::span<uint16_t> palette = output.palettes.subspan(static_cast<size_t>(begin / shared) * entries, entries);
    if (shares_beyond_panels(layout)) {
      const auto& all = static_cast<const SharedPalettes&>(*input.preparation);
      const std::span<const uint16_t> own = all.of_panel(layout, input.first_row);
      std::copy(own.begin(), own.end(), palette.begin());
    } else {
      GatheredRows gathered(layout, columns, counts);
      for (int64_t row = begin; row < end; ++row)
        gathered.add(input.values.data() + row * columns, row_weight(input.statistics, input.first_row + row));
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
                                        const InputStatistics& statistics, ThreadPool& pool, PaletteSearch search) {
  const std::vector<uint32_t> counts = column_counts(statistics.second_moment);
  const bool rows_differ = layout.scaled || !statistics.row_weights.empty();
  std::vector<float> sizes(static_cast<size_t>(matrix.rows), 1.0f), shares;
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
  for (int64_t r = 0; r < matrix.rows; ++r)
    shares.push_back(sizes[static_cast<size_t>(r)] * std::sqrt(row_weight(statistics, r)));
  const float greatest = *std::max_element(shares.begin(), shares.end());
  for_each_row([&](int64_t r, const std::vector<float>& row, Histogram& histogram) {
    const float size = sizes[static_cast<size_t>(r)];
    if (!(size > 0)) return;
    const uint64_t steps = rows_differ ? count_of_size(shares[static_cast<size_t>(r)], greatest) : 1;
    for (size_t k = 0; k < row.size(); ++k) histogram.add(row[k] / size, steps * (counts.empty() ? 1 : counts[k]));
  });
  for (size_t i = 1; i < histograms.size(); ++i) histograms[0].add(histograms[i]);
  const Population population = histograms[0].population();
  return entries_of(population.size() > 0 ? population : population_of_zero(), layout.entries(), search);
}

std::vector<uint16_t> entries_of_group(const Layout& layout, const MatrixReader& matrix, int64_t first,
                                       const InputStatistics& statistics, PaletteSearch search) {
  const std::vector<uint32_t> counts = column_counts(statistics.second_moment);
  GatheredRows gathered(layout, matrix.columns, counts);
  std::vector<float> row(static_cast<size_t>(matrix.columns));
  for (int64_t r = first; r < std::min(matrix.rows, first + layout.palette_rows); ++r) {
    matrix.read(r, row.data());
    gathered.add(row.data(), row_weight(statistics, r));
  }
  return gathered.entries(layout.entries(), search);
}

Result<std::unique_ptr<Preparation>> prepare_palettes(const Layout& layout, const MatrixReader& matrix,
                                                      const InputStatistics& statistics, ThreadPool& pool,
                                                      PaletteSearch search) {
  if (!layout.is_palette() || !shares_beyond_panels(layout)) return std::unique_ptr<Preparation>();
  auto shared = std::make_unique<SharedPalettes>();
  if (layout.palette_rows == 0) {
    shared->bits =
        (layout.vector > 1 ? vector_entries_of_matrix : entries_of_matrix)(layout, matrix, statistics, pool, search);
    return std::unique_ptr<Preparation>(std::move(shared));
  }
  const int64_t groups = (matrix.rows + layout.palette_rows - 1) / layout.palette_rows;
  shared->bits.resize(static_cast<size_t>(groups * layout.entries()));
  pool.parallel_for(groups, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t group = begin; group < end; ++group) {
      const std::vector<uint16_t> found =
          entries_of_group(layout, matrix, group * layout.palette_rows, statistics, search);
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
