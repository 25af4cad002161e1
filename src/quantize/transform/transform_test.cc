// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/transform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/test_files.h"
#include "models/test_families.h"
#include "quantize/evaluate/evaluator.h"
#include "quantize/quantize.h"
#include "quantize/test_model.h"
#include "quantize/transform/outliers.h"
#include "quantize/transform/rotation.h"

namespace halftone {
namespace {

std::vector<float> logits_of(const ModelFile& file, const Graph& graph, const Sequences& texts) {
  ThreadPool pool(2);
  const auto weights = WeightTable::create(graph, file);
  HALFTONE_CHECK(weights.ok());
  auto evaluator = Evaluator::create(graph, *weights, texts, pool);
  HALFTONE_CHECK(evaluator.ok() && (*evaluator)->run(0, graph.nodes.size()).ok());
  const auto value = (*evaluator)->value(graph.logits);
  return {value.begin(), value.end()};
}

// Root mean square of the difference, as a part of that of `want`.
double relative_error(const std::vector<float>& got, const std::vector<float>& want) {
  HALFTONE_CHECK(got.size() == want.size());
  double error = 0, total = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
    total += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(error / total);
}

class Transforms : public testing::TestWithParam<std::string> {
 protected:
  RewrittenModel scaled(const TestModel& model, int step) const {
    Rewrites rewrites;
    Rng rng(5);
    for (const ScaleGroup& group : scale_groups(model.graph()).groups) {
      Eighths eighths;
      for (int64_t i = 0; i < group.channels; ++i)
        eighths.push_back(static_cast<int16_t>((static_cast<int>(rng.below(7)) - 3) * step));
      add_scaling(group, eighths, rewrites);
    }
    ThreadPool pool(2);
    auto result = rewrite_model({model.file()}, model.graph(), rewrites, model.folder / "t", pool, no_progress());
    HALFTONE_CHECK(result.ok());
    return std::move(*result);
  }
  Result<TransformedModel> transformed(const TestModel& model, const std::string& transforms, int threads = 2) const {
    HALFTONE_ASSIGN(const Recipe recipe,
                    parse_recipe("rules:\n  - {layout: int4_block32}\ntransform: " + transforms + "\n", "r.yaml"));
    ThreadPool pool(threads);
    return transform_model(model.file(), model.graph(), recipe, model.folder / "t", &texts_, pool, no_progress());
  }
  Sequences texts_ = random_texts(6, 20);
};

// The sums of products are of the same floats: exact, but where the graph adds 1 to a stored gain.
TEST_P(Transforms, PowersOfTwoChangeNoBit) {
  const TestModel model(GetParam());
  const RewrittenModel to = scaled(model, 8);
  const std::vector<float> want = logits_of(model.file(), model.graph(), texts_);
  const std::vector<float> got = logits_of(to.file, model.graph(), texts_);
  if (GetParam().starts_with("tiny-gemma"))
    EXPECT_LE(relative_error(got, want), 1e-5);
  else
    EXPECT_EQ(got, want);
  int changed = 0;
  for (size_t i = 0; i < to.file.tensors.size(); ++i)
    changed += to.file.tensors[i].data.data() != model.file().tensors[i].data.data() ? 1 : 0;
  EXPECT_GT(changed, 8);
}

TEST_P(Transforms, OtherFactorsKeepTheFunction) {
  const TestModel model(GetParam(), DType::bf16);
  EXPECT_LE(relative_error(logits_of(scaled(model, 3).file, model.graph(), texts_),
                           logits_of(model.file(), model.graph(), texts_)),
            2e-6);
}

TEST_P(Transforms, EachKeepsTheFunction) {
  const TestModel model(GetParam());
  const std::vector<float> want = logits_of(model.file(), model.graph(), texts_);
  for (const Transform& one : all_transforms()) {
    const auto to = transformed(model, "[" + std::string(one.name) + "]");
    ASSERT_TRUE(to.ok()) << one.name << ": " << to.status().message();
    EXPECT_LE(relative_error(logits_of(to->model.file, model.graph(), texts_), want), 5e-6) << one.name;
    EXPECT_FALSE(to->reports[0].groups.empty()) << one.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Transforms, every_tiny_family(), shape_name);

class TransformsOfTiny : public Transforms {};
INSTANTIATE_TEST_SUITE_P(Tiny, TransformsOfTiny, testing::Values("tiny-mistral"));

TEST_P(TransformsOfTiny, OneAfterTheOther) {
  const TestModel model(GetParam());
  const auto to = transformed(model, "[rotate, equalize, awq]");
  ASSERT_TRUE(to.ok()) << to.status().message();
  EXPECT_EQ(to->reports.size(), 3u);
  EXPECT_LE(
      relative_error(logits_of(to->model.file, model.graph(), texts_), logits_of(model.file(), model.graph(), texts_)),
      1e-5);
}

TEST_P(TransformsOfTiny, BytesDoNotDependOnThreads) {
  const TestModel model(GetParam());
  const auto one = transformed(model, "[rotate, smooth, awq]", 1),
             three = transformed(model, "[rotate, smooth, awq]", 3);
  ASSERT_TRUE(one.ok() && three.ok());
  for (size_t i = 0; i < one->model.file.tensors.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(one->model.file.tensors[i].data, three->model.file.tensors[i].data));
}

TEST_P(TransformsOfTiny, NothingStaysBehind) {
  const TestModel model(GetParam());
  const auto to = transformed(model, "[rotate, equalize]");
  ASSERT_TRUE(to.ok());
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(model.folder.path()))
    files += entry.path().filename() == "m" ? 0 : 1;
  EXPECT_EQ(files, 0);  // while the model is in use
}

// Every norm's gain is 1, and an outlier channel of the embedding is spread over all.
TEST_P(TransformsOfTiny, RotationSpreadsTheResidualStream) {
  const TestModel model(GetParam());
  const auto to = transformed(model, "[rotate]");
  ASSERT_TRUE(to.ok());
  EXPECT_EQ(to->reports[0].groups.back().kind, "residual");
  const StoredTensor* norm = to->model.file.find("model.norm.weight");
  std::vector<float> gains(64);
  decode_row(norm->view(), 0, gains.data());
  EXPECT_EQ(gains, std::vector<float>(64, 1.0f));
}

TEST(Rotations, AreOrthogonalAndSpread) {
  for (const int64_t size : {1, 2, 16, 24, 64, 80, 96}) {
    const Rotation rotation(size, 3);
    std::vector<float> rows(static_cast<size_t>(size * size)), columns(rows.size());
    for (int64_t i = 0; i < size; ++i)
      rows[static_cast<size_t>(i * size + i)] = columns[static_cast<size_t>(i * size + i)] = 1;
    rotation.rotate_rows(rows);                    // the matrix
    rotation.rotate_columns(columns, size, 0, 1);  // its transposed
    for (int64_t i = 0; i < size; ++i) {
      for (int64_t j = 0; j < size; ++j) {
        double dot = 0;
        for (int64_t k = 0; k < size; ++k)
          dot += static_cast<double>(rows[static_cast<size_t>(i * size + k)]) *
                 static_cast<double>(rows[static_cast<size_t>(j * size + k)]);
        EXPECT_NEAR(dot, i == j ? 1 : 0, 1e-6) << size;
        EXPECT_EQ(rows[static_cast<size_t>(i * size + j)], columns[static_cast<size_t>(j * size + i)]);
        if (size == 16 || size == 64) {
          EXPECT_EQ(std::fabs(rows[static_cast<size_t>(i * size + j)]), size == 16 ? 0.25f : 0.125f);
        }
      }
    }
  }
}

class AwqOracle : public Transforms {};
INSTANTIATE_TEST_SUITE_P(Tiny, AwqOracle, testing::Values("tiny-qwen2"));

// The inputs of a node, (tokens, width).
std::vector<float> inputs_of_node(const TestModel& model, const Sequences& texts, std::string_view name) {
  ThreadPool pool(1);
  const Graph& graph = model.graph();
  const auto weights = WeightTable::create(graph, model.file());
  auto evaluator = Evaluator::create(graph, *weights, texts, pool);
  size_t node = 0;
  while (graph.nodes[node].name != name) HALFTONE_CHECK((*evaluator)->run_node(node++).ok());
  const auto value = (*evaluator)->value(graph.nodes[node].inputs[0]);
  return {value.begin(), value.end()};
}

// mean over tokens of |(W' / s - W) x|^2, W' being what int4_block32 makes of W s.
double plain_error(const StoredTensor& weight, const std::vector<double>& s, const std::vector<float>& x) {
  const WeightView view = weight.view();
  const auto columns = static_cast<size_t>(view.columns), tokens = x.size() / columns;
  std::vector<float> w(static_cast<size_t>(view.rows) * columns), scaled(w.size()), row(columns);
  for (int64_t r = 0; r < view.rows; ++r) decode_row(view, r, w.data() + static_cast<size_t>(r) * columns);
  for (size_t i = 0; i < w.size(); ++i) scaled[i] = w[i] * static_cast<float>(s[i % columns]);
  StoredTensor source = weight;
  source.data = std::as_bytes(std::span(scaled));
  const Layout& layout = layout_of(LayoutId::int4_block32);
  const auto panels = nearest_panels(source, layout);
  const WeightView packed{&layout, Order::panel16, view.rows, view.columns, {panels.data(), panels.size()}};
  double error = 0;
  for (int64_t r = 0; r < view.rows; ++r) {
    decode_row(packed, r, row.data());
    for (size_t t = 0; t < tokens; ++t) {
      double y = 0;
      for (size_t k = 0; k < columns; ++k)
        y += (static_cast<double>(row[k]) / s[k] - static_cast<double>(w[static_cast<size_t>(r) * columns + k])) *
             static_cast<double>(x[t * columns + k]);
      error += y * y / static_cast<double>(tokens);
    }
  }
  return error;
}

TEST_P(AwqOracle, AlphaIsThatOfAPlainSearch) {
  const TestModel model(GetParam());
  const auto to = transformed(model, "[awq]");
  ASSERT_TRUE(to.ok());
  const std::vector<float> x = inputs_of_node(model, texts_, "layers.1.down_proj");
  const StoredTensor& down = *model.file().find("model.layers.1.mlp.down_proj.weight");
  std::vector<double> magnitudes(static_cast<size_t>(down.shape[1]));
  for (size_t i = 0; i < x.size(); ++i) magnitudes[i % magnitudes.size()] += std::fabs(static_cast<double>(x[i]));
  double mean = 0;
  for (const double one : magnitudes) mean += std::log2(one) / static_cast<double>(magnitudes.size());
  double best = 0, best_error = 0, first_error = 0;
  for (int step = 0; step <= 20; ++step) {
    std::vector<double> s;
    for (const double one : magnitudes)
      s.push_back(std::exp2(std::floor(8 * (std::log2(one) - mean) * step / 20 + 0.5) / 8));
    const double error = plain_error(down, s, x);
    if (step == 0) best_error = first_error = error;
    if (error < best_error) {
      best_error = error;
      best = step / 20.0;
    }
  }
  const auto& groups = to->reports[0].groups;
  const auto found =
      std::find_if(groups.begin(), groups.end(), [](const GroupReport& one) { return one.name == "layers.1.up_proj"; });
  ASSERT_NE(found, groups.end()) << best;
  EXPECT_EQ(found->alpha, best);
  EXPECT_NEAR(found->error_before / first_error, 1, 1e-4);
  EXPECT_NEAR(found->error_after / best_error, 1, 1e-4);
}

class Outliers : public Transforms {
 protected:
  double artifact_error(const LanguageModel& model, const std::string& recipe, const std::vector<float>& want) {
    ThreadPool pool(2);
    const auto parsed = parse_recipe(recipe, "r.yaml");
    HALFTONE_CHECK(parsed.ok());
    QuantizeOptions options{.replace = true};
    options.calibration = &texts_;
    const auto report = quantize(model, *parsed, folder_ / "a.ht", options, pool, no_progress());
    EXPECT_TRUE(report.ok()) << report.status().message();
    const auto artifact = load_language_model(folder_ / "a.ht");
    HALFTONE_CHECK(artifact.ok());
    return relative_error(logits_of((*artifact)->file, (*artifact)->model->graph(), texts_), want);
  }
  TempFolder folder_;
};
INSTANTIATE_TEST_SUITE_P(Tiny, Outliers, testing::Values("tiny", "tiny-phi3"));

// The stressed model is the same function to the bit; rounding ruins it, and folding transforms bring it back.
TEST_P(Outliers, AreATestOfMethods) {
  const TestModel model(GetParam(), DType::bf16);
  ThreadPool pool(2);
  const auto report = write_outliers(*model.model, folder_ / "stressed", {.fraction = 0.02}, pool, no_progress());
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->factor, 32);
  EXPECT_GE(report->channels, report->groups);
  const auto stressed = load_language_model(folder_ / "stressed");
  ASSERT_TRUE(stressed.ok()) << stressed.status().message();
  const std::vector<float> want = logits_of(model.file(), model.graph(), texts_);
  EXPECT_EQ(logits_of((*stressed)->file, (*stressed)->model->graph(), texts_), want);
  EXPECT_NE(read_text(folder_ / "stressed/model.safetensors"), read_text(model.folder / "m/model.safetensors"));
  const std::string nearest = "rules:\n  - {layout: int4_block32, method: nearest}\n";
  const double plain = artifact_error(*model.model, nearest, want), ruined = artifact_error(**stressed, nearest, want);
  EXPECT_GT(ruined, 1.5 * plain);
  EXPECT_LT(artifact_error(**stressed, nearest + "transform: [awq]\n", want), 1.2 * plain);
  // Ranges that meet are nearly those of the model without outliers, equalized.
  const std::string equalize = nearest + "transform: [equalize]\n";
  const double equalized = artifact_error(**stressed, equalize, want);
  EXPECT_LT(equalized, 1.1 * artifact_error(*model.model, equalize, want));
  EXPECT_LT(equalized, 0.8 * ruined);
}

TEST_P(Outliers, TheReportNamesTheSource) {
  const TestModel model(GetParam());
  const auto recipe = parse_recipe("rules:\n  - {layout: int4_block32}\ntransform: [awq]\n", "r.yaml");
  ThreadPool pool(2);
  QuantizeOptions options;
  options.calibration = &texts_;
  const auto report = quantize(*model.model, *recipe, folder_ / "a.ht", options, pool, no_progress());
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->source_files.size(), 1u);
  EXPECT_EQ(report->source_files[0].name, "model.safetensors");
  const auto file = open_model_file(folder_ / "a.ht");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->provenance["transforms"][0]["name"], "awq");
  EXPECT_FALSE(file->provenance["transforms"][0]["groups"].empty());
  EXPECT_EQ(file->provenance["transforms"][0]["left_out"].size(), 1u);  // the tied head
}

class TransformErrors : public Transforms {};
INSTANTIATE_TEST_SUITE_P(Tiny, TransformErrors, testing::Values("tiny"));

TEST_P(TransformErrors, SayWhatIsMissing) {
  const TestModel model(GetParam());
  const auto recipe = parse_recipe("name: r\nrules:\n  - {layout: int4_block32}\ntransform: [awq]\n", "r.yaml");
  const auto misspelt = parse_recipe("rules:\n  - {layout: int4_block32}\ntransform: [awk]\n", "r.yaml");
  EXPECT_NE(misspelt.status().message().find("expected a transform, got 'awk'; did you mean awq?"), std::string::npos)
      << misspelt.status().message();
  ThreadPool pool(1);
  const auto blind =
      transform_model(model.file(), model.graph(), *recipe, model.folder / "t", nullptr, pool, no_progress());
  EXPECT_NE(blind.status().message().find("recipe r: transform awq: "), std::string::npos) << blind.status().message();
  EXPECT_NE(blind.status().message().find("expected --calibration FILE, got none"), std::string::npos);
  const auto kept = parse_recipe("name: r\nrules:\n  - {layout: f16}\ntransform: [awq]\n", "r.yaml");
  const auto nothing =
      transform_model(model.file(), model.graph(), *kept, model.folder / "t", &texts_, pool, no_progress());
  EXPECT_NE(nothing.status().message().find("expected a group of tensors that it can change, got none"),
            std::string::npos)
      << nothing.status().message();
  for (const double fraction : {0.0, 0.9, std::nan("")})
    EXPECT_FALSE(write_outliers(*model.model, model.folder / "s", {.fraction = fraction}, pool, no_progress()).ok());
  EXPECT_FALSE(write_outliers(*model.model, model.folder / "s", {.factor = 1}, pool, no_progress()).ok());
}

}  // namespace
}  // namespace halftone
