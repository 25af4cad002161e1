// SPDX-License-Identifier: Apache-2.0
#include "export/lost_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "export/export.h"
#include "export/mlx.h"
#include "quantize/quantize.h"
#include "quantize/test_model.h"

namespace halftone {
namespace {

TEST(LostRanges, AreANamedLineOfEveryExport) {
  const TestModel model("tiny-mistral");
  const TempFolder folder;
  const Sequences texts = random_texts(4, 16);
  QuantizeOptions options;
  options.calibration = &texts;
  ThreadPool pool(2);
  const Recipe recipe = parse_recipe("rules: [{layout: f16}]\nactivations: {bits: 8}", "r.yaml").value();
  ASSERT_TRUE(quantize(*model.model, recipe, folder / "q.ht", options, pool, no_progress()).ok());
  const auto artifact = load_language_model(folder / "q.ht");
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  const auto matrices = std::count_if((*artifact)->file.tensors.begin(), (*artifact)->file.tensors.end(),
                                      [](const StoredTensor& tensor) { return tensor.input.exists(); });
  EXPECT_GT(matrices, 4);
  const std::string line = fmt::format("static ranges of the inputs of {} matrices stay behind", matrices);
  ExportOptions gguf;
  gguf.tokenizer = ExportTokenizer::stand_in;
  const auto to_gguf = export_gguf(**artifact, folder / "m.gguf", gguf, pool);
  ASSERT_TRUE(to_gguf.ok()) << to_gguf.status().message();
  EXPECT_EQ(std::count(to_gguf->notes.begin(), to_gguf->notes.end(), line), 1);
  const auto to_mlx = export_mlx(**artifact, folder / "mlx", {}, pool);
  ASSERT_TRUE(to_mlx.ok()) << to_mlx.status().message();
  EXPECT_EQ(std::count(to_mlx->notes.begin(), to_mlx->notes.end(), line), 1);
}

}  // namespace
}  // namespace halftone
