// SPDX-License-Identifier: Apache-2.0
#include "validate/calibration_list.h"

#include <gtest/gtest.h>

#include "base/atomic_write.h"
#include "base/temp_folder.h"

namespace halftone {
namespace {

std::string npy_text(const std::string& shape, const std::vector<float>& values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize(118, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

class CalibrationList : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(write_file_atomic(folder_ / name, text).ok());
  }
  // "NAME: numbers" of each sample, or the message.
  std::string loaded(const std::string& name, const ArrayFormat& format = {}) {
    const auto arrays = load_calibration_arrays(folder_ / name, {}, {format, {}});
    if (!arrays.ok()) return std::string(arrays.status().message());
    std::string text = arrays->kind;
    for (const CalibrationArray& sample : arrays->samples) {
      text += " " + sample.name + ":";
      for (const float value : sample.values.values<float>()) text += " " + std::to_string(static_cast<int>(value));
    }
    return text;
  }
  TempFolder folder_;
};

TEST_F(CalibrationList, ReadsListsFoldersAndStacks) {
  write("b.npy", npy_text("2,", {1, 2}));
  write("a.npy", npy_text("2,", {3, 4}));
  EXPECT_EQ(loaded(""), "folder a.npy: 3 4 b.npy: 1 2");
  write("list.csv", "path\nb.npy\na.npy\n");
  EXPECT_EQ(loaded("list.csv"), "list b.npy: 1 2 a.npy: 3 4");
  write("stack.npy", npy_text("3, 2", {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(loaded("stack.npy"), "array stack.npy#0: 1 2 stack.npy#1: 3 4 stack.npy#2: 5 6");
}

TEST_F(CalibrationList, BareNumbersAreOfTheSuitesFormat) {
  write("a.bin", std::string("\x01\x02", 2));
  write("b.bin", std::string("\x03\xff", 2));
  write("list.csv", "path,label\na.bin,0\nb.bin,1\n");
  write("s.yaml", "task: classify\nfile: list.csv\ninput: {type: i8, shape: [2], scale: 2, zero: 1}\n");
  EXPECT_EQ(loaded("s.yaml"), "list a.bin: 0 2 b.bin: 4 -4");
  EXPECT_EQ(loaded("list.csv", {DType::i8, {2}, 1, 0}), "list a.bin: 1 2 b.bin: 3 -1");
  EXPECT_NE(loaded("list.csv").find("list.csv:2: "), std::string::npos);
}

TEST_F(CalibrationList, MostSamplesKeepTheOrder) {
  std::string list = "path\n";
  for (const char* name : {"e", "d", "c", "b", "a"}) {
    write(name + std::string(".npy"), npy_text("1,", {static_cast<float>(name[0])}));
    list += name + std::string(".npy\n");
  }
  write("list.csv", list);
  write("s.yaml", "task: classify\nfile: list.csv\nmax_samples: 3\ninput: {shape: [1]}\n");
  const auto arrays = load_calibration_arrays(folder_ / "s.yaml");
  ASSERT_TRUE(arrays.ok()) << arrays.status().message();
  ASSERT_EQ(arrays->samples.size(), 3U);
  EXPECT_TRUE(std::is_sorted(arrays->samples.begin(), arrays->samples.end(),
                             [](const auto& x, const auto& y) { return x.name > y.name; }));
}

TEST_F(CalibrationList, SaysWhatIsWrong) {
  write("list.csv", "file\na.npy\n");
  EXPECT_NE(loaded("list.csv").find("list.csv:1: expected the column path, got file"), std::string::npos);
  write("list.csv", "path\ngone.npy\n");
  EXPECT_NE(loaded("list.csv").find("list.csv:2: "), std::string::npos);
  EXPECT_NE(loaded("text.txt").find("expected a list (.csv with the column path"), std::string::npos);
  EXPECT_NE(loaded("").find("expected .npy files, got none"), std::string::npos);
  write("s.yaml", "task: perplexity\nfile: list.csv\n");
  EXPECT_NE(loaded("s.yaml").find("task: classify"), std::string::npos);
}

}  // namespace
}  // namespace halftone
