// SPDX-License-Identifier: Apache-2.0
// A trained network with labels, end to end: MLCommons' DS-CNN for keyword spotting, in float and int8, and 1,000 test
// samples. The files are not part of the checkout: HALFTONE_SHARED_DATA names the folder that has keyword-spotting/.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/atomic_write.h"
#include "base/progress.h"
#include "base/temp_folder.h"
#include "quantize/network/quantize_network.h"
#include "validate/network_scorer.h"
#include "validate/validate.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

class KeywordSpotting : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* shared = std::getenv("HALFTONE_SHARED_DATA");
    if (shared == nullptr) GTEST_SKIP() << "HALFTONE_SHARED_DATA does not name a folder with keyword-spotting/";
    data_ = fs::path(shared) / "keyword-spotting";
    const std::string unpack =
        fmt::format("tar xzf '{}' -C '{}'", (data_ / "features.tar.gz").string(), folder_.path().string());
    ASSERT_EQ(std::system(unpack.c_str()), 0);
    write_suite();
  }

  // name,classes,label without a header → path,label.
  void write_suite() {
    const auto rows = read_text_file(folder_ / "y_labels.csv");
    ASSERT_TRUE(rows.ok());
    std::string list = "path,label\n";
    for (size_t begin = 0; begin < rows->size();) {
      const size_t end = rows->find('\n', begin);
      const std::string row = rows->substr(begin, end - begin);
      begin = end + 1;
      list += row.substr(0, row.find(',')) + row.substr(row.rfind(',')) + "\n";
    }
    ASSERT_TRUE(write_file_atomic(folder_ / "list.csv", list).ok());
    ASSERT_TRUE(write_file_atomic(folder_ / "s.yaml",
                                  "name: keywords\ntask: classify\nfile: list.csv\n"
                                  "input: {type: i8, shape: [49, 10, 1], scale: 0.5847029, zero: 83}\n")
                    .ok());
  }

  fs::path quantized(const std::string& recipe, const std::string& name) {
    const auto file = open_network(data_ / "kws_ref_model_float32.tflite");
    const auto rules = recipe.find('\n') == std::string::npos ? load_recipe(recipe) : parse_recipe(recipe, name);
    EXPECT_TRUE(file.ok() && rules.ok());
    ThreadPool pool(2);
    const auto report = quantize_network(*file, *rules, folder_ / name, {}, pool, no_progress());
    EXPECT_TRUE(report.ok()) << report.status().message();
    return folder_ / name;
  }

  // Top-1 of both, in percent.
  std::pair<double, double> top1(const fs::path& candidate) {
    auto reference = NetworkScorer::create(*open_network(data_ / "kws_ref_model_float32.tflite"), 2);
    auto file = open_network(candidate);
    EXPECT_TRUE(reference.ok() && file.ok()) << file.status().message();
    // The independent evaluator rounded weights alone.
    auto scorer = NetworkScorer::create(*std::move(file), 2, Activations::exact);
    const auto suite = load_suite((folder_ / "s.yaml").string());
    EXPECT_TRUE(scorer.ok() && suite.ok()) << suite.status().message();
    ValidateOptions options;
    options.compare.replicates = 100;
    const auto validation = validate_pair(**reference, **scorer, std::span(&*suite, 1), options);
    EXPECT_TRUE(validation.ok()) << validation.status().message();
    const MetricRow& row = validation->comparison.metrics.at(0);
    EXPECT_EQ(row.name, "top1");
    EXPECT_EQ(row.n, 1000);
    return {100 * *row.reference, 100 * *row.candidate};
  }

  TempFolder folder_;
  fs::path data_;
};

// What an independent evaluator found with its own float arithmetic: a sample on the border may fall the other way.
TEST_F(KeywordSpotting, FloatAndIntegerWeightsAreAsGoodAsOthersFound) {
  const auto [reference, int8] = top1(quantized("int8", "int8.ht"));
  EXPECT_NEAR(reference, 90.1, 0.11);
  EXPECT_NEAR(int8, 90.7, 0.31);
  EXPECT_NEAR(top1(quantized("int4-channel", "int4.ht")).second, 82.1, 0.61);
}

TEST_F(KeywordSpotting, TheInt8FileRunsOnItsOwnCodes) { EXPECT_GT(top1(data_ / "kws_ref_model.tflite").second, 88); }

}  // namespace
}  // namespace halftone
