// SPDX-License-Identifier: Apache-2.0
// Encoding speed on English. The vocabulary is the one of models/tinyworld, or any tokenizer.json named by
// HALFTONE_TOKENIZER.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "base/atomic_write.h"
#include "models/tokenizer.h"

namespace halftone {
namespace {

constexpr size_t kBytes = 4 << 20;

void encode_english(benchmark::State& state) {
  const char* named = std::getenv("HALFTONE_TOKENIZER");
  const std::string root = HALFTONE_SOURCE_DIR;
  const std::string path = named != nullptr ? named : root + "/models/tinyworld/tokenizer.json";
  const auto json = read_text_file(path, 1 << 28), prose = read_text_file(root + "/docs/statistics.md");
  const auto tokenizer =
      json.ok() ? read_tokenizer_json(*json, path) : Result<std::shared_ptr<const Tokenizer>>(json.status());
  if (!tokenizer.ok() || !prose.ok()) return state.SkipWithError("no tokenizer or no text");
  std::string text;
  while (text.size() < kBytes) text += *prose;
  for (auto _ : state) {
    auto ids = (*tokenizer)->encode(text, false);
    benchmark::DoNotOptimize(ids);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK(encode_english)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace halftone
