// SPDX-License-Identifier: Apache-2.0
// Weights per second of choosing codes, one thread, 16 rows of 2048 columns (a panel of a small model).
#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "quantize/methods/method.h"
#include "tensor/dtype.h"

namespace halftone {
namespace {

constexpr int64_t kRows = 16, kColumns = 2048;

// No weight is further from its code than half a step, or one and a half where the range ends.
bool right(const Layout& layout, const std::vector<float>& values, const std::vector<int8_t>& codes,
           const std::vector<uint16_t>& scales, const std::vector<uint16_t>& bases) {
  const int64_t groups = layout.groups(kColumns), width = layout.group == 0 ? kColumns : layout.group;
  for (int64_t i = 0; i < kRows * kColumns; ++i) {
    const auto group = static_cast<size_t>(i / kColumns * groups + i % kColumns / width);
    const float scale = f16_to_f32(scales[group]);
    const float base = layout.affine ? f16_to_f32(bases[group]) : 0;
    const int code = codes[static_cast<size_t>(i)] + (layout.affine ? layout.offset : 0);
    const float off = std::fabs(static_cast<float>(code) * scale + base - values[static_cast<size_t>(i)]);
    if (off > 1.51f * std::fabs(scale)) return false;
  }
  return true;
}

void choose(benchmark::State& state, const char* method) {
  const Layout& layout = *all_layouts()[static_cast<size_t>(state.range(0))];
  Rng rng(1);
  std::vector<float> values(kRows * kColumns);
  for (float& value : values) value = static_cast<float>(rng.normal());
  std::vector<int8_t> codes(values.size());
  std::vector<uint16_t> scales(static_cast<size_t>(kRows * layout.groups(kColumns)));
  std::vector<uint16_t> bases(layout.affine ? scales.size() : 0);
  for (auto _ : state) {
    find_method(method)->choose(layout, {values, kRows, kColumns}, {codes, scales, bases});
    benchmark::ClobberMemory();
  }
  if (!right(layout, values, codes, scales, bases)) state.SkipWithError("wrong codes: this speed is worth nothing");
  state.SetLabel(std::string(layout.name));
  state.SetItemsProcessed(state.iterations() * kRows * kColumns);
}

void integer_layouts(benchmark::internal::Benchmark* bench) {
  for (size_t i = 0; i < all_layouts().size(); ++i)
    if (find_method("nearest")->can_fill(*all_layouts()[i]) && !all_layouts()[i]->is_float() &&
        !all_layouts()[i]->is_nested())
      bench->Arg(static_cast<int64_t>(i));
}

BENCHMARK_CAPTURE(choose, nearest, "nearest")->Apply(integer_layouts);
BENCHMARK_CAPTURE(choose, search, "search")->Apply(integer_layouts);

}  // namespace
}  // namespace halftone
