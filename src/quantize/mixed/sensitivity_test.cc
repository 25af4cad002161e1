// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed/sensitivity.h"

#include <gtest/gtest.h>

#include <set>

#include "formats/test_files.h"
#include "quantize/mixed/plain_kl.h"

namespace halftone {
namespace {

// Kernels take exponentials in floats: a KL of random weights, about 1e-5, is known to about 1e-8.
const std::vector<const Layout*> kTwoLayouts = {&layout_of(LayoutId::uint2_affine64),
                                                &layout_of(LayoutId::int4_block32)};

Result<Sensitivity> sensitivity_of(const TestModel& model, const Sequences& texts, SensitivityOptions options,
                                   int threads = 2, std::vector<const Layout*> layouts = kTwoLayouts) {
  ThreadPool pool(threads);
  return measure_sensitivity(model.graph(), model.file(), layouts, texts, options, pool, no_progress());
}

// Tied, fused, with soft caps and sliding windows: what is measured from a border on is what the whole model gives.
TEST(Sensitivity, IsTheKlOfTheModelWithOneMatrixPacked) {
  for (const char* shape : {"tiny", "tiny-phi3", "tiny-gemma2", "tiny-phi"}) {
    const TestModel model(shape);
    const Sequences texts = random_texts(8, 16);
    const auto measured = sensitivity_of(model, texts, {"nearest", 32});
    ASSERT_TRUE(measured.ok()) << measured.status().message();
    EXPECT_EQ(measured->tokens, 32);
    const auto split = split_texts(texts, 32);
    ASSERT_TRUE(split.ok());
    std::set<std::string> names;
    for (const TensorSensitivity& tensor : measured->tensors) {
      EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
      const StoredTensor* source = model.file().find(tensor.name);
      EXPECT_EQ(tensor.elements, source->elements());
      for (const LayoutSensitivity& one : tensor.layouts) {
        const double plain = plain_kl(model, split->judge, {{tensor.name, one.layout}});
        EXPECT_GT(one.kl, 0) << shape << ' ' << tensor.name;
        EXPECT_NEAR(one.kl, plain, 1e-3 * plain + 3e-8) << shape << ' ' << tensor.name << ' ' << one.layout->name;
        EXPECT_EQ(one.bytes, nearest_panels(*source, *one.layout).bytes());
      }
      EXPECT_LT(tensor.layouts[1].kl, 0.5 * tensor.layouts[0].kl) << tensor.name;
    }
    size_t matrices = 0;
    for (const WeightRef& ref : model.graph().weights) matrices += ref.rows > 1 ? 1 : 0;
    EXPECT_EQ(names.size(), matrices);
  }
}

TEST(Sensitivity, DoesNotDependOnThreads) {
  const TestModel model("tiny");
  const Sequences texts = random_texts(8, 16);
  for (const char* method : {"search", "gptq"}) {
    const auto one = sensitivity_of(model, texts, {method, 32}, 1),
               three = sensitivity_of(model, texts, {method, 32}, 3);
    ASSERT_TRUE(one.ok() && three.ok());
    for (size_t i = 0; i < one->tensors.size(); ++i)
      for (size_t j = 0; j < kTwoLayouts.size(); ++j) {
        EXPECT_EQ(one->tensors[i].layouts[j].kl, three->tensors[i].layouts[j].kl);
        EXPECT_EQ(one->tensors[i].layouts[j].method, one->tensors[i].op == "embedding" ? "search" : method);
      }
  }
}

TEST(Sensitivity, TakesAnyLayoutAndSaysByWhichMethod) {
  const TestModel model("tiny");
  const auto measured = sensitivity_of(model, random_texts(4, 16), {}, 2,
                                       {&layout_of(LayoutId::f16), &layout_of(LayoutId::lut4_group16)});
  ASSERT_TRUE(measured.ok()) << measured.status().message();
  EXPECT_EQ(measured->tensors[0].layouts[0].method, "");
  EXPECT_EQ(measured->tensors[0].layouts[1].method, "kmeans");
  EXPECT_LT(measured->tensors[0].layouts[0].kl, 0.01 * measured->tensors[0].layouts[1].kl);
}

TEST(Sensitivity, SplitsCalibrationEvenly) {
  const Sequences texts = random_texts(10, 8);
  const auto split = split_texts(texts, 24);
  ASSERT_TRUE(split.ok());
  EXPECT_EQ(split->judge.count(), 3);
  EXPECT_EQ(split->learn.count(), 7);
  EXPECT_EQ(split->judge.tokens[0], texts.tokens[3 * 8]);  // the 4th, 7th and 10th
  EXPECT_EQ(split->judge.tokens[16], texts.tokens[9 * 8]);
  EXPECT_EQ(split_texts(texts, 1 << 20)->judge.count(), 5);
  EXPECT_EQ(split_texts(texts, 1)->judge.count(), 1);
}

TEST(Sensitivity, RefusesWhatCannotBeMeasured) {
  const TestModel model("tiny");
  const auto one = sensitivity_of(model, random_texts(1, 16), {});
  ASSERT_FALSE(one.ok());
  EXPECT_TRUE(contains(one.status().message(), "expected at least 2 calibration sequences"));
  const auto unknown = sensitivity_of(model, random_texts(4, 16), {.method = "magic"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_TRUE(contains(unknown.status().message(), "expected a method, got 'magic'"));
}

}  // namespace
}  // namespace halftone
