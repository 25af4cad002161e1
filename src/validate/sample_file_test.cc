// SPDX-License-Identifier: Apache-2.0
#include "validate/sample_file.h"

#include <gtest/gtest.h>

#include "base/atomic_write.h"
#include "base/temp_folder.h"
#include "validate/suite.h"

namespace halftone {
namespace {

std::string npy_of(std::string_view type, const std::string& shape, std::string_view data) {
  std::string header = "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': " + shape + ", }";
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size());
  file += '\0';
  return file + header + std::string(data);
}

class SampleFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pixels;
    for (int i = 0; i < 3 * 2 * 2 * 3; ++i) pixels += static_cast<char>(i);
    ASSERT_TRUE(write_file_atomic(folder_ / "three.npy", npy_of("|u1", "(3, 2, 2, 3)", pixels)).ok());
    Picture picture{2, 2, 3, {}};
    for (uint8_t i = 0; i < 12; ++i) picture.pixels.push_back(static_cast<uint8_t>(10 * i));
    ASSERT_TRUE(write_file_atomic(folder_ / "a.png", encode_png(picture)).ok());
    ASSERT_TRUE(write_file_atomic(folder_ / "broken.JPG", "\xff\xd8\xff nothing else").ok());
  }

  std::vector<float> read(const std::string& name, InputFormat format = {}, Shape input = {}) {
    const auto values = SampleReader(std::move(format), std::move(input)).read(sample_file(folder_.path(), name));
    EXPECT_TRUE(values.ok()) << values.status().message();
    if (!values.ok()) return {};
    return {values->values.values<float>().begin(), values->values.values<float>().end()};
  }
  std::string problem(const std::string& name, InputFormat format = {}, Shape input = {}) {
    const auto values = SampleReader(std::move(format), std::move(input)).read(sample_file(folder_.path(), name));
    return std::string(values.status().message());
  }
  InputFormat format(const std::string& yaml) {
    const auto spec = parse_suite("task: classify\nfile: x.csv\ninput: " + yaml + "\n", folder_ / "s.yaml");
    EXPECT_TRUE(spec.ok()) << spec.status().message();
    return spec.ok() ? spec->input : InputFormat();
  }

  TempFolder folder_;
};

TEST_F(SampleFiles, ARowOfManyIsOneSampleAndItsBytesAreItsNumbers) {
  EXPECT_EQ(read("three.npy#1"), (std::vector<float>{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}));
  EXPECT_EQ(read("three.npy#1", {}, {2, 2, 3}), read("three.npy#1"));
  // A network that reads channels first gets them first.
  EXPECT_EQ(read("three.npy#0", {}, {3, 2, 2}), (std::vector<float>{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11}));
  EXPECT_EQ(problem("three.npy#3"), (folder_ / "three.npy").string() + "#3: expected a row below 3, got 3");
}

TEST_F(SampleFiles, PicturesAreDecodedAndPrepared) {
  EXPECT_EQ(read("a.png"), (std::vector<float>{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110}));
  const InputFormat bgr = format("{colour: bgr, scale: 1/10, mean: 1, std: [1, 2, 1]}");
  EXPECT_EQ(read("a.png", bgr), (std::vector<float>{1, 0, -1, 4, 1.5, 2, 7, 3, 5, 10, 4.5, 8}));
  // For people red comes first whatever the network reads.
  const auto shown = SampleReader(bgr, {}).picture(sample_file(folder_.path(), "a.png"));
  ASSERT_TRUE(shown.ok() && shown->has_value());
  EXPECT_EQ((**shown).pixels[0], 0);
  EXPECT_EQ((**shown).pixels[2], 20);
  EXPECT_EQ(read("a.png", format("{size: [1, 1], colour: grey}")).size(), 1U);
}

TEST_F(SampleFiles, WhatDoesNotFitNamesTheFile) {
  const std::string png = (folder_ / "a.png").string();
  EXPECT_NE(problem("broken.JPG").find((folder_ / "broken.JPG").string() + ": expected a JPEG that decodes, got: "),
            std::string::npos);
  EXPECT_EQ(problem("a.png", {}, {4, 4, 3}),
            png +
                ": expected a picture of 4 x 4 (height x width), as the network reads, got 2 x 2; `size: [4, 4]` in "
                "the suite's input resizes it");
  EXPECT_NE(problem("a.png", {}, {2, 2, 1}).find(png + ": expected a picture of 1 channels"), std::string::npos);
  EXPECT_NE(problem("a.png", format("{shape: [12]}")).find("got a picture"), std::string::npos);
  EXPECT_FALSE(problem("none.png").empty());
}

TEST_F(SampleFiles, AnArtifactKeepsWhatTheSuiteSaid) {
  for (const std::string yaml : {"{size: [8, 6], shorter_side: 12, colour: rgb, order: chw, scale: 1/255, mean: "
                                 "[0.485, 0.456, 0.406], std: 0.2}",
                                 "{type: i8, shape: [49, 10, 1], scale: 0.5847029, zero: 83}", "{}"}) {
    const InputFormat input = format(yaml);
    const auto json = to_json(input);
    const auto again = input_from_json(nlohmann::json::parse(json.dump()), "model.json");
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(*again, input) << json.dump();
  }
  EXPECT_TRUE(to_json(InputFormat()).is_null());
  EXPECT_EQ(std::string(input_from_json("rgb", "model.json").status().message()),
            "model.json: input: expected an object, got string");
}

TEST_F(SampleFiles, AShiftedPictureIsTheShiftOfWhatTheNetworkSees) {
  SampleFile file = sample_file(folder_.path(), "three.npy#2");
  SampleReader reader({}, {});
  const Picture plain = **reader.picture(file);
  file.shift = Shift::noise;
  file.seed = 5;
  EXPECT_EQ((**reader.picture(file)).pixels, shifted(plain, Shift::noise, 5).pixels);
  EXPECT_NE((**reader.picture(file)).pixels, plain.pixels);
}

TEST(InputFormat, WhatNobodyMeantIsRefused) {
  const auto problem = [](const std::string& yaml) {
    return std::string(parse_suite("task: classify\nfile: x.csv\ninput: " + yaml + "\n", "s.yaml").status().message());
  };
  EXPECT_NE(problem("{size: 40}").find("s.yaml:3: size: expected [height, width]"), std::string::npos);
  EXPECT_NE(problem("{std: 0}").find("std: expected numbers above 0"), std::string::npos);
  EXPECT_NE(problem("{mean: [1, 2]}").find("expected 1 number or 3"), std::string::npos);
  EXPECT_NE(problem("{scale: 1/0}").find("scale: expected a number other than 0"), std::string::npos);
  EXPECT_NE(problem("{colour: red}").find("expected one of network, rgb, bgr, grey"), std::string::npos);
  EXPECT_NE(problem("{size: [4, 4], shape: [48]}").find("got both; remove one kind"), std::string::npos);
  EXPECT_NE(problem("{sise: [4, 4]}").find("size"), std::string::npos);
}

}  // namespace
}  // namespace halftone
