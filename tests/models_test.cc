// SPDX-License-Identifier: Apache-2.0
// Every family in every container: what opens and gives the same logits becomes the table of docs/models.md.
// HALFTONE_WRITE_DOCS=1 writes the table; otherwise it has to be what the page says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/temp_folder.h"
#include "export/export.h"
#include "export/mlx.h"
#include "formats/import/test_cache.h"
#include "generate/generator.h"
#include "models/families/family.h"
#include "models/synth.h"
#include "quantize/quantize.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTokens = 48;
constexpr std::string_view kBegin = "<!-- tests/models_test.cc writes up to the next mark -->\n";
constexpr std::string_view kEnd = "<!-- end of table -->";

using Loaded = std::shared_ptr<const LanguageModel>;

std::vector<float> logits_of(const LanguageModel& model, int64_t tokens) {
  const auto executor = Executor::create(model.model, {1, Activations::exact, KvType::f16});
  EXPECT_TRUE(executor.ok()) << executor.status().message();
  Sequence sequence = (*executor)->make_sequence();
  std::vector<TokenId> prompt;
  for (int64_t i = 0; i < tokens; ++i) prompt.push_back(static_cast<TokenId>(7 * i % 90 + 3));
  std::vector<float> last;
  const auto keep = [&](std::span<const float> logits) { last.assign(logits.begin(), logits.end()); };
  EXPECT_TRUE(prefill(**executor, sequence, prompt, keep).ok());
  return last;
}

std::vector<TokenId> ids_of(const LanguageModel& model) {
  EXPECT_NE(model.tokenizer, nullptr);
  if (model.tokenizer == nullptr) return {};
  const auto ids = model.tokenizer->encode("To be, or not to be: 42 caf\u00e9s.\n\n  That's it");
  EXPECT_TRUE(ids.ok()) << ids.status().message();
  return ids.ok() ? *ids : std::vector<TokenId>();
}

// As the page says it. Numbers of a container's metadata are f32, and few of them are f32 in a config.json.
std::string_view compare(const std::vector<float>& got, const std::vector<float>& expected) {
  if (got == expected) return "same bits";
  double squares = 0, difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    squares += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
    difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(expected[i]), 2);
  }
  return difference <= 2.5e-5 * squares ? "same to 0.5 %" : "differs";
}

// A container, and the layout that it carries unchanged.
struct Way {
  std::string_view title, recipe;  // recipe: of the artifact that is written; empty: the float folder itself
  Status (*write)(const LanguageModel&, const fs::path&, ThreadPool&);
};

Status write_gguf(const LanguageModel& model, const fs::path& path, ThreadPool& pool) {
  ExportOptions options;
  options.allow_float = true;  // rows that fit no block
  return export_gguf(model, path, options, pool).status();
}
Status write_mlx(const LanguageModel& model, const fs::path& path, ThreadPool& pool) {
  MlxExportOptions options;
  options.allow_float = true;
  return export_mlx(model, path, options, pool).status();
}

constexpr Way kWays[] = {
    {"GGUF, f16", "", write_gguf}, {"GGUF, q8_0", "int8-block", write_gguf}, {"GGUF, q4_0", "int4", write_gguf},
    {"MLX, f16", "", write_mlx},   {"MLX, 8 bits", "int8-block", write_mlx}, {"MLX, 4 bits", "int4", write_mlx},
};

// What the files of bench/peers/parity.mjs hold, which tests/llama_cpp_test.cc compares with.
std::string with_llama_cpp(std::string_view shape) {
  const auto text = read_text_file(fmt::format("{}/tests/golden/llama_cpp_{}.json", HALFTONE_SOURCE_DIR, shape));
  if (!text.ok()) return "not compared";
  const auto golden = nlohmann::json::parse(*text);
  int64_t same = 0, longest = 0;
  for (const auto& run : golden["runs"]) {
    same += run["same"].get<bool>() ? 1 : 0;
    longest = std::max(longest, run["same"].get<bool>() ? int64_t{0} : run["length"].get<int64_t>());
  }
  return fmt::format("{} logits, {} tokens{}", same, golden["tokens"].size(),
                     longest > 0 ? fmt::format("; differs after {}", longest) : "");
}

class Table {
 public:
  std::string row(const SynthShape& shape) {
    folder_.emplace();
    const auto config = nlohmann::json::parse(shape.config);
    SynthOptions options;
    options.type = DType::f16;
    EXPECT_TRUE(synth(shape.name, *folder_ / "float", options).ok());
    const Loaded model = load(*folder_ / "float");
    if (model == nullptr) return {};
    const std::string golden = fmt::format("{}/tests/golden/logits_{}.json", HALFTONE_SOURCE_DIR, shape.name);
    std::string row = fmt::format("| {} | `{}` | {} |", model->config.family, config["model_type"].get<std::string>(),
                                  fs::exists(golden) ? "reference" : "opens");
    row += fmt::format(" {} |", with_llama_cpp(shape.name));
    for (const Way& way : kWays) row += fmt::format(" {} |", fate(*model, shape.name, way));
    return row + "\n";
  }

 private:
  Loaded load(const fs::path& path) {
    auto model = load_language_model(path);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model.ok() ? *std::move(model) : nullptr;
  }

  std::string_view fate(const LanguageModel& folder, std::string_view shape, const Way& way) {
    Loaded source;
    if (!way.recipe.empty()) {
      const auto recipe = load_recipe(std::string(way.recipe));
      EXPECT_TRUE(recipe.ok()) << recipe.status().message();
      const fs::path path = *folder_ / (std::string(way.recipe) + ".ht");
      if (!fs::exists(path)) {
        const auto report = quantize(folder, *recipe, path, {true}, pool_, no_progress());
        EXPECT_TRUE(report.ok()) << shape << ": " << report.status().message();
      }
      source = load(path);
      if (source == nullptr) return "no";
    }
    const LanguageModel& model = source == nullptr ? folder : *source;
    const fs::path path = *folder_ / (way.write == write_gguf ? "m.gguf" : "mlx");
    fs::remove_all(path);
    const Status written = way.write(model, path, pool_);
    if (written.code() == StatusCode::unsupported) return "rows fit no group";
    EXPECT_TRUE(written.ok()) << shape << ", " << way.title << ": " << written.message();
    const Loaded back = written.ok() ? load(path) : nullptr;
    if (back == nullptr) return "no";
    EXPECT_EQ(ids_of(*back), ids_of(folder)) << shape << ", " << way.title;
    // Longer than every window, where the container knows of windows; a file that does not says a shorter context.
    const int64_t tokens = std::min(kTokens, back->config.context);
    return compare(logits_of(*back, tokens), logits_of(model, tokens));
  }

  std::optional<TempFolder> folder_;
  ThreadPool pool_{2};
};

TEST(Models, EveryFamilyInEveryContainerIsWhatThePageSays) {
  const TestCache cache;
  Table table;
  std::string text = "| family | `model_type` | folder | llama.cpp |";
  for (const Way& way : kWays) text += fmt::format(" {} |", way.title);
  text += "\n|---|---|---|---|---|---|---|---|---|---|\n";
  int rows = 0;
  for (const SynthShape& shape : synth_shapes()) {
    if (!shape.name.starts_with("tiny")) continue;
    text += table.row(shape);
    ++rows;
  }
  EXPECT_GE(rows, 9);
  const std::string file = std::string(HALFTONE_SOURCE_DIR) + "/docs/models.md";
  const auto page = read_text_file(file);
  ASSERT_TRUE(page.ok()) << page.status().message();
  const size_t begin = page->find(kBegin), end = page->find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const size_t from = begin + kBegin.size();
  if (std::getenv("HALFTONE_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(write_file_atomic(file, page->substr(0, from) + text + page->substr(end)).ok());
  } else {
    EXPECT_EQ(page->substr(from, end - from), text) << "HALFTONE_WRITE_DOCS=1 writes the table anew";
  }
}

}  // namespace
}  // namespace halftone
