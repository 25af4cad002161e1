// SPDX-License-Identifier: Apache-2.0
// Time to choose the palettes and codes of one matrix, one thread: of 2048 x 2048 normal weights as bf16 has them, or
// of HALFTONE_MATRIX, a file of 2048 x 2048 floats (bench/kmeans gives both programs the same one). The error is that
// of what is stored.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/file_map.h"
#include "base/rng.h"
#include "quantize/methods/method.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int64_t kHigh = 2048, kWide = 2048;

// Empty when the file is not what it should be.
std::vector<float> matrix_of_this_run() {
  std::vector<float> values(kHigh * kWide);
  if (const char* path = std::getenv("HALFTONE_MATRIX")) {
    const auto file = FileMap::open(path);
    if (!file.ok() || (*file)->bytes().size() != values.size() * sizeof(float)) return {};
    std::memcpy(values.data(), (*file)->bytes().data(), (*file)->bytes().size());
    return values;
  }
  Rng rng(1);
  for (float& value : values) value = bf16_to_f32(f32_to_bf16(static_cast<float>(rng.normal() * 0.02)));
  return values;
}

void palettes(benchmark::State& state, const std::string& name, const std::string& layout_name) {
  static const std::vector<float> matrix = matrix_of_this_run();
  if (matrix.empty()) return state.SkipWithError("HALFTONE_MATRIX: expected a file of 2048 x 2048 floats");
  const Layout& layout = *find_layout(layout_name);
  const Method& method = *find_method(name);
  ThreadPool pool(1);
  const MatrixReader reader = {kHigh, kWide, [](int64_t row, float* out) {
                                 std::copy_n(&matrix[static_cast<size_t>(row * kWide)], kWide, out);
                               }};
  std::vector<int8_t> codes(kPanelRows * kWide);
  std::vector<uint16_t> scales(kPanelRows), entries(static_cast<size_t>(layout.palette_bytes() / 2));
  std::vector<std::byte> panel(static_cast<size_t>(layout.panel_bytes(kWide)));
  std::vector<float> decoded(kWide);
  double error = 0, whole = 0;
  for (auto _ : state) {
    const auto preparation = method.prepare(layout, reader, {}, pool);
    error = whole = 0;
    for (int64_t row = 0; row < kHigh; row += kPanelRows) {
      const auto values = std::span(matrix).subspan(static_cast<size_t>(row * kWide), kPanelRows * kWide);
      method.choose(layout, {values, kPanelRows, kWide, {}, preparation->get(), row},
                    {.codes = codes, .scales = scales, .palettes = entries});
      state.PauseTiming();
      PanelSource source = {kWide, nullptr, codes.data(), scales.data()};
      source.palettes = entries.data();
      layout.pack_panel(source, panel);
      for (int64_t i = 0; i < kPanelRows * kWide; ++i) {
        if (i % kWide == 0) layout.decode_row(panel, static_cast<int>(i / kWide), kWide, decoded.data());
        const auto value = static_cast<double>(values[static_cast<size_t>(i)]);
        const double off = static_cast<double>(decoded[static_cast<size_t>(i % kWide)]) - value;
        error += off * off;
        whole += value * value;
      }
      state.ResumeTiming();
    }
  }
  state.counters["squared_error"] = error;
  state.counters["relative_error"] = std::sqrt(error / whole);
  state.SetItemsProcessed(state.iterations() * kHigh * kWide);
}

int register_palettes() {
  for (const char* method : {"kmeans", "kmeans_lloyd"})
    for (const char* layout : {"lut4_tensor", "lut4_group16", "lut4_group16_scaled", "lut4_group1", "lut2_group16",
                               "lut6_group16", "lut8_group16", "lut8_tensor"}) {
      const std::string name = std::string(method) + "/" + layout;
      benchmark::RegisterBenchmark(name.c_str(), palettes, method, layout)->Unit(benchmark::kMillisecond);
    }
  return 0;
}

const int registered_palettes = register_palettes();

}  // namespace
}  // namespace halftone
