// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/atomic_write.h"
#include "base/rng.h"
#include "base/temp_folder.h"
#include "validate/array_file.h"
#include "validate/fake_model.h"
#include "validate/validate.h"

namespace halftone {
namespace {

constexpr int kClasses = 30;

// Class c is right for samples whose first number is c; `noise` moves every logit, by the sample's own numbers.
class FakeClassifier : public Classifier {
 public:
  explicit FakeClassifier(double noise) : noise_(noise) {}
  int64_t classes = kClasses;

  Result<std::vector<double>> log_probabilities(const Tensor& sample) override {
    const auto values = sample.values<float>();
    Rng random(static_cast<uint64_t>(values[0]) * 1000 + static_cast<uint64_t>(values[1]));
    std::vector<double> scores(static_cast<size_t>(classes));
    double sum = 0;
    for (size_t c = 0; c < scores.size(); ++c) {
      scores[c] = (static_cast<float>(c) == values[0] ? 3.0 : 0.0) +
                  noise_ * static_cast<double>(random.next() >> 11) / 9007199254740992.0;
      sum += std::exp(scores[c]);
    }
    for (double& score : scores) score -= std::log(sum);
    return scores;
  }
  Result<std::vector<Tensor>> outputs(const Tensor&) override { return unsupported("only classes here"); }

 private:
  double noise_;
};

// `count` samples of two i8 numbers; stored = value + 5.
Suite suite_in(const TempFolder& folder, int count, const std::string& more = "") {
  std::string list = "path,label,speaker\n", names;
  for (int c = 0; c < kClasses; ++c) names += "class" + std::to_string(c) + "\n";
  for (int i = 0; i < count; ++i) {
    const std::string name = "s" + std::to_string(i) + ".bin";
    const char bytes[2] = {static_cast<char>(i % kClasses + 5), static_cast<char>(i / kClasses + 5)};
    EXPECT_TRUE(write_file_atomic(folder / name, {bytes, 2}).ok());
    list += name + "," + (i % 2 == 0 ? std::to_string(i % kClasses) : "class" + std::to_string(i % kClasses)) + ",p" +
            std::to_string(i / 10) + "\n";
  }
  EXPECT_TRUE(write_file_atomic(folder / "list.csv", list).ok());
  EXPECT_TRUE(write_file_atomic(folder / "names.txt", names).ok());
  EXPECT_TRUE(write_file_atomic(folder / "s.yaml",
                                "task: classify\nfile: list.csv\nlabels: names.txt\ngroup: speaker\n"
                                "input: {type: i8, shape: [2], zero: 5}\n" +
                                    more)
                  .ok());
  auto suite = load_suite((folder / "s.yaml").string());
  EXPECT_TRUE(suite.ok()) << suite.status().message();
  return *std::move(suite);
}

TEST(Classify, CountsWhatTheScoresSay) {
  const TempFolder folder;
  const Suite suite = suite_in(folder, 300);
  FakeClassifier reference(0.5), candidate(6);
  ValidateOptions options;
  options.compare.replicates = 200;
  const auto validation = validate_pair(reference, candidate, std::span(&suite, 1), options);
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  // Brute force: every sample again, from the numbers themselves.
  double right[2] = {}, top5[2] = {}, label = 0, flips = 0;
  for (int i = 0; i < 300; ++i) {
    const std::vector<float> numbers = {static_cast<float>(i % kClasses), static_cast<float>(i / kClasses)};
    const Tensor sample = Tensor::of<float>(DType::f32, {2}, std::span<const float>(numbers));
    const std::vector<double> scores[2] = {*reference.log_probabilities(sample), *candidate.log_probabilities(sample)};
    const auto answer = static_cast<size_t>(i % kClasses);
    bool good[2];
    for (int side = 0; side < 2; ++side) {
      const auto larger = std::count_if(scores[side].begin(), scores[side].end(),
                                        [&](double score) { return score > scores[side][answer]; });
      good[side] = larger == 0;
      right[side] += good[side];
      top5[side] += larger < 5;
    }
    label += std::exp(scores[1][answer]) - std::exp(scores[0][answer]);
    flips += good[0] && !good[1] && std::exp(scores[0][answer]) >= kConfident;
  }
  const auto row = [&](std::string_view name) {
    for (const MetricRow& one : validation->comparison.metrics)
      if (one.name == name) return one;
    ADD_FAILURE() << "no metric " << name;
    return MetricRow{};
  };
  EXPECT_LT(right[1], right[0]);
  EXPECT_LT(top5[1], top5[0]);
  EXPECT_NEAR(*row("top1").reference, right[0] / 300, 1e-12);
  EXPECT_NEAR(*row("top1").candidate, right[1] / 300, 1e-12);
  EXPECT_NEAR(*row("top5").candidate, top5[1] / 300, 1e-12);
  EXPECT_NEAR(row("answer_probability").delta, label / 300, 1e-6);
  EXPECT_NEAR(row("confident_flips").delta, flips / 300, 1e-12);
  EXPECT_TRUE(row("top1").mcnemar_p.has_value());
  EXPECT_GT(*row("calibration_error").candidate, 0);
  EXPECT_FALSE(row("calibration_error").interval.has_value());
  EXPECT_EQ(row("top1").groups, 30);
  // Every class is a slice, and a record of many classes keeps few.
  EXPECT_EQ(validation->comparison.slices.size(), static_cast<size_t>(kClasses));
  for (const SampleRecord& record : validation->records) {
    EXPECT_GE(record.choices.size(), 6U);
    EXPECT_LE(record.choices.size(), 13U);
    EXPECT_EQ(record.choices[static_cast<size_t>(record.answer)], record.slices.back().second);
  }
  // What a file holds gives the same bits.
  const auto again = parse_records(format_records(validation->records), "samples.jsonl");
  ASSERT_TRUE(again.ok()) << again.status().message();
  const auto comparison = compare(*again, nullptr, options.compare);
  ASSERT_TRUE(comparison.ok());
  EXPECT_EQ(to_json(*comparison), to_json(validation->comparison));
}

TEST(Classify, AGateReadsTop1) {
  const TempFolder folder;
  const Suite suite = suite_in(folder, 300);
  FakeClassifier reference(0.5), same(0.5), worse(6);
  const auto gate = parse_gate("checks:\n  - {metric: top1.loss, max: 15}\n  - {metric: top1, min: 50}\n", "g.yaml");
  ASSERT_TRUE(gate.ok()) << gate.status().message();
  ValidateOptions options;
  options.gate = &*gate;
  options.compare.replicates = 200;
  EXPECT_EQ(validate_pair(reference, same, std::span(&suite, 1), options)->comparison.gate->verdict, Verdict::pass);
  EXPECT_EQ(validate_pair(reference, worse, std::span(&suite, 1), options)->comparison.gate->verdict, Verdict::fail);
}

// Right as long as the picture's first row is the brightest; `weak` models are wrong about what is not quite so bright.
class RowFinder : public Classifier {
 public:
  explicit RowFinder(double weak) : weak_(weak) {}
  Result<std::vector<double>> log_probabilities(const Tensor& sample) override {
    double rows[4] = {};
    for (int64_t i = 0; i < sample.elements(); ++i)
      rows[i / (sample.elements() / 4)] += sample.values<float>()[static_cast<size_t>(i)];
    const double first = rows[0] - weak_;
    std::vector<double> scores = {first, rows[1], rows[2], rows[3]};
    double sum = 0;
    for (double& score : scores) sum += std::exp(score /= 500);
    for (double& score : scores) score -= std::log(sum);
    return scores;
  }
  Result<std::vector<Tensor>> outputs(const Tensor&) override { return unsupported("only classes here"); }

 private:
  double weak_;
};

constexpr int kPictures = 60;

void write_bright_rows(const TempFolder& folder) {
  constexpr int kPixels = 8 * 8;
  Rng rng(2);
  std::string list = "path,label,kind\n", header = "{'descr': '|u1', 'fortran_order': False, 'shape': (60, 8, 8, 1), }";
  std::string npy("\x93NUMPY\x01\x00", 8);
  npy += static_cast<char>(header.size());
  npy += '\0';
  npy += header;
  for (int i = 0; i < kPictures; ++i) {
    for (int k = 0; k < kPixels; ++k) npy += static_cast<char>(rng.below(60) + (k < kPixels / 4 ? 110 : 0));
    list += "p.npy#" + std::to_string(i) + ",0," + (i % 2 ? "odd" : "even") + "\n";
  }
  EXPECT_TRUE(write_file_atomic(folder / "p.npy", npy).ok());
  EXPECT_TRUE(write_file_atomic(folder / "list.csv", list).ok());
  EXPECT_TRUE(write_file_atomic(folder / "s.yaml", "task: classify\nfile: list.csv\nood: true\nslices: kind\n").ok());
}

TEST(Classify, ShiftedPicturesAreSlicesAndAGapAndNothingElse) {
  const TempFolder folder;
  write_bright_rows(folder);
  const auto suite = load_suite((folder / "s.yaml").string());
  ASSERT_TRUE(suite.ok()) << suite.status().message();
  const auto gate = parse_gate(
      "checks:\n- {metric: top1.loss, max: 50}\n- {metric: ood_gap, max: 90}\n- {metric: ood_top1.loss, max: 90}\n"
      "- {metric: top1.loss, max: 100, slice: ood=brightness}\n",
      "g.yaml");
  ASSERT_TRUE(gate.ok()) << gate.status().message();
  RowFinder reference(0), candidate(1300);
  ValidateOptions options;
  options.compare.replicates = 300;
  options.gate = &*gate;
  const auto validation = validate_pair(reference, candidate, std::span(&*suite, 1), options);
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  ASSERT_EQ(validation->records.size(), 5U * kPictures);
  const auto row = [&](std::string_view name) {
    for (const MetricRow& one : validation->comparison.metrics)
      if (one.name == name) return one;
    ADD_FAILURE() << "no metric " << name;
    return MetricRow{};
  };
  // By brute force over what was written down.
  double in = 0, out = 0, right[2] = {};
  for (const SampleRecord& record : validation->records) {
    const double loss = std::exp(record.reference_scores[0]) - std::exp(record.candidate_scores[0]);
    const bool copy = record.id.find('~') != std::string::npos;
    (copy ? out : in) += loss;
    if (copy)
      right[0] += record.reference_scores[0] >
                  *std::max_element(record.reference_scores.begin() + 1, record.reference_scores.end());
    if (copy)
      right[1] += record.candidate_scores[0] >
                  *std::max_element(record.candidate_scores.begin() + 1, record.candidate_scores.end());
  }
  EXPECT_EQ(row("top1").n, kPictures);
  EXPECT_EQ(*row("top1").reference, 1);
  EXPECT_EQ(row("ood_top1").n, 4 * kPictures);
  EXPECT_EQ(row("ood_top1").groups, kPictures);
  EXPECT_NEAR(*row("ood_top1").reference, right[0] / (4 * kPictures), 1e-12);
  EXPECT_NEAR(*row("ood_top1").candidate, right[1] / (4 * kPictures), 1e-12);
  EXPECT_NEAR(row("ood_gap").delta, out / (4 * kPictures) - in / kPictures, 1e-9);
  EXPECT_GT(row("ood_gap").delta, 0.01);
  std::vector<std::string> slices;
  for (const SliceRow& slice : validation->comparison.slices) slices.push_back(slice.column + "=" + slice.value);
  EXPECT_EQ(slices, (std::vector<std::string>{"kind=even", "kind=odd", "class=0", "ood=blur", "ood=brightness",
                                              "ood=crop", "ood=noise"}));
  for (const SliceRow& slice : validation->comparison.slices)
    EXPECT_EQ(slice.accuracy.n, slice.column == "kind" ? kPictures / 2 : kPictures) << slice.value;
  EXPECT_EQ(validation->comparison.gate->checks.size(), 4U);
  for (const WorstRow& worst : validation->comparison.worst) EXPECT_EQ(worst.id.find('~'), std::string::npos);
  const auto again = parse_records(format_records(validation->records), "samples.jsonl");
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(to_json(*compare(*again, &*gate, options.compare)), to_json(validation->comparison));
}

std::string problem(const Result<Suite>& suite) { return suite.ok() ? "" : std::string(suite.status().message()); }

TEST(Classify, WhatDoesNotFitIsNamed) {
  const TempFolder folder;
  const Suite suite = suite_in(folder, 60);
  FakeClassifier few(0);
  few.classes = 7;
  FakeModel language;
  const auto names = prepare_suite(suite, few, Split::all);
  EXPECT_NE(std::string(names.status().message()).find("expected a name for each of the model's 7 classes, got 30"),
            std::string::npos);
  EXPECT_NE(std::string(prepare_suite(suite, language, Split::all).status().message())
                .find("expected a network for the task classify, got a language model"),
            std::string::npos);
  const std::string list = (folder / "list.csv").string(), yaml = (folder / "s.yaml").string();
  ASSERT_TRUE(write_file_atomic(list, "path,label\ns0.bin,class99\n").ok());
  EXPECT_EQ(problem(load_suite(yaml)),
            list + ":2: label: expected a number from 0 to 29 or a name of a class, got \"class99\"");
  ASSERT_TRUE(write_file_atomic(list, "file,label\ns0.bin,1\n").ok());
  EXPECT_EQ(problem(load_suite(yaml)), list + ":1: expected the columns path and label, got file, label");
  ASSERT_TRUE(write_file_atomic(list, "path,label,speaker\nnone.bin,1,a\n").ok());
  EXPECT_NE(problem(load_suite(yaml)).find(":2: path: "), std::string::npos);
}

TEST(ArrayFile, ReadsNumpyAndBareNumbers) {
  const TempFolder folder;
  const std::string header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }";
  std::string npy("\x93NUMPY\x01\x00", 8);
  npy += static_cast<char>(header.size());
  npy += '\0';
  npy += header;
  for (int i = 0; i < 6; ++i) npy += {static_cast<char>(i), 0};
  ASSERT_TRUE(write_file_atomic(folder / "a.npy", npy).ok());
  const auto array = read_array(folder / "a.npy", {DType::f32, {}, 0.5, 1});
  ASSERT_TRUE(array.ok()) << array.status().message();
  EXPECT_EQ(array->shape(), (Shape{2, 3}));
  EXPECT_EQ(array->values<float>()[0], -0.5F);
  EXPECT_EQ(array->values<float>()[5], 2.0F);
  EXPECT_NE(std::string(read_array(folder / "a.npy", {DType::f32, {6}}).status().message())
                .find("expected shape [6], got [2, 3]"),
            std::string::npos);
  ASSERT_TRUE(write_file_atomic(folder / "cut.npy", npy.substr(0, npy.size() - 1)).ok());
  EXPECT_NE(std::string(read_array(folder / "cut.npy", {}).status().message())
                .find("expected 12 bytes for i16 of [2, 3], got 11"),
            std::string::npos);
  ASSERT_TRUE(write_file_atomic(folder / "bare", "\x01\x02\x03").ok());
  EXPECT_NE(std::string(read_array(folder / "bare", {DType::u8, {4}}).status().message()).find("expected 4 bytes"),
            std::string::npos);
  const auto bare = read_array(folder / "bare", {DType::u8, {3}, 2, 1});
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(bare->values<float>()[2], 4.0F);
}

}  // namespace
}  // namespace halftone
