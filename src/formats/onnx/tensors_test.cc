// SPDX-License-Identifier: Apache-2.0
#include "formats/onnx/tensors.h"

#include <gtest/gtest.h>

#include "formats/onnx/test_model.h"

namespace halftone::onnx {
namespace {

Result<Tensor> load_message(const Message& message, const std::filesystem::path& folder = {}) {
  const Source source{"m.onnx", bytes_of_text(message.bytes()), nullptr, folder};
  HALFTONE_ASSIGN(const TensorMessage parsed, parse_tensor(source.bytes, source.name));
  return TensorLoader(source).load(parsed);
}

std::string load_error(const Message& message, const std::filesystem::path& folder = {}) {
  const auto tensor = load_message(message, folder);
  return tensor.ok() ? "no error" : std::string(tensor.status().message());
}

template <class T>
std::vector<T> numbers_of(const Result<Tensor>& tensor) {
  if (!tensor.ok()) return {};
  const auto values = tensor->values<T>();
  return {values.begin(), values.end()};
}

TEST(OnnxTensors, NumbersComeInEveryEncoding) {
  EXPECT_EQ(numbers_of<float>(load_message(floats("t", {2}, {1.5F, -2}))), (std::vector<float>{1.5F, -2}));
  // One by one, and packed.
  EXPECT_EQ(numbers_of<float>(load_message(tensor_message("t", 1, {2}).real(4, 1.5F).real(4, -2))),
            (std::vector<float>{1.5F, -2}));
  EXPECT_EQ(numbers_of<float>(load_message(tensor_message("t", 1, {2}).text(4, raw_bytes<float>({1.5F, -2})))),
            (std::vector<float>{1.5F, -2}));
  EXPECT_EQ(numbers_of<double>(load_message(tensor_message("t", 11, {1}).text(10, raw_bytes<double>({0.1})))),
            (std::vector<double>{0.1}));
  EXPECT_EQ(numbers_of<int64_t>(load_message(tensor_message("t", 7, {2}).integer(7, -5).integer(7, 1LL << 40))),
            (std::vector<int64_t>{-5, 1LL << 40}));
  EXPECT_EQ(numbers_of<int8_t>(load_message(tensor_message("t", 3, {2}).integer(5, -5).integer(5, 7))),
            (std::vector<int8_t>{-5, 7}));
  EXPECT_EQ(numbers_of<uint16_t>(load_message(tensor_message("t", 10, {1}).integer(5, 0x3c00))),
            (std::vector<uint16_t>{0x3c00}));
  EXPECT_EQ(numbers_of<bool>(load_message(tensor_message("t", 9, {2}).integer(5, 1).integer(5, 0))),
            (std::vector<bool>{true, false}));
  EXPECT_EQ(load_message(floats("t", {0, 3}, {}))->elements(), 0);
}

TEST(OnnxTensors, NarrowIntegersGetAByteEach) {
  EXPECT_EQ(numbers_of<int8_t>(load_message(tensor_message("t", 22, {3}).text(9, "\x8f\x07"))),
            (std::vector<int8_t>{-1, -8, 7}));
  EXPECT_EQ(numbers_of<uint8_t>(load_message(tensor_message("t", 21, {3}).integer(5, 0x8f).integer(5, 7))),
            (std::vector<uint8_t>{15, 8, 7}));
  EXPECT_EQ(numbers_of<int8_t>(load_message(tensor_message("t", 26, {4}).text(9, "\xe4"))),
            (std::vector<int8_t>{0, 1, -2, -1}));
}

TEST(OnnxTensors, SizesThatLieAreRefused) {
  EXPECT_EQ(load_error(floats("t", {3}, {1, 2})), "[onnx] m.onnx: tensor t: [3] need 12 bytes, got 8");
  EXPECT_EQ(load_error(tensor_message("t", 1, {3}).real(4, 1)),
            "[onnx] m.onnx: tensor t: [3] of float need 3 numbers, got 1");
  EXPECT_TRUE(contains(load_error(tensor_message("t", 1, {1}).real(4, 1).real(4, 2)), "expected at most 1 numbers"));
  EXPECT_TRUE(contains(load_error(tensor_message("t", 1, {-2}).real(4, 1)), "not negative"));
  EXPECT_TRUE(contains(load_error(tensor_message("t", 1, {1LL << 40, 1LL << 40})), "fits 63 bits"));
  EXPECT_TRUE(contains(load_error(tensor_message("t", 1, {1LL << 40})), "more than halftone reads at once"));
  EXPECT_TRUE(contains(load_error(tensor_message("t", 9, {1}).text(9, "\x02")), "expected 0 or 1"));
  EXPECT_EQ(load_error(tensor_message("t", 8, {1})), "values of type string");
}

Message external(const std::string& location, const std::string& offset, const std::string& length) {
  const auto entry = [](std::string_view key, std::string_view value) { return Message().text(1, key).text(2, value); };
  Message made = tensor_message("t", 1, {2}).integer(14, 1).message(13, entry("location", location));
  if (!offset.empty()) made.message(13, entry("offset", offset));
  if (!length.empty()) made.message(13, entry("length", length));
  return made;
}

TEST(OnnxTensors, ExternalDataStayInTheFolder) {
  const TempFolder outside, folder;
  write_text(outside / "secret", std::string(16, 'x'));
  std::filesystem::create_directory(folder / "sub");
  write_text(folder / "sub/w.bin", "1234" + raw_bytes<float>({3, 4}));
  std::filesystem::create_symlink(outside / "secret", folder / "link");
  const auto error = [&](const std::string& location, const std::string& offset = "", const std::string& length = "") {
    return load_error(external(location, offset, length), folder.path());
  };
  EXPECT_EQ(numbers_of<float>(load_message(external("sub/w.bin", "4", "8"), folder.path())),
            (std::vector<float>{3, 4}));
  EXPECT_EQ(numbers_of<float>(load_message(external("sub/w.bin", "4", ""), folder.path())), (std::vector<float>{3, 4}));
  EXPECT_TRUE(contains(error("../secret"), "expected a path inside of the model's folder"));
  EXPECT_TRUE(contains(error("sub/../../secret"), "expected a path inside of the model's folder"));
  EXPECT_TRUE(contains(error((outside / "secret").string()), "expected a path inside of the model's folder"));
  EXPECT_TRUE(contains(error("link"), "a link that leaves the model's folder"));
  EXPECT_TRUE(contains(error("none.bin"), "cannot be opened"));
  EXPECT_TRUE(contains(error("sub/w.bin", "8", "8"), "got a file of 12 bytes"));
  EXPECT_TRUE(contains(error("sub/w.bin", "9223372036854775807", "8"), "got a file of 12 bytes"));
  EXPECT_TRUE(contains(error("sub/w.bin", "-4"), "expected a number of bytes as offset"));
  EXPECT_TRUE(contains(error("sub/w.bin", "0", "12"), "[2] need 8 bytes, but 'sub/w.bin' is said to hold 12"));
  EXPECT_TRUE(contains(load_error(external("sub/w.bin", "", "")), "must not be read here"));
}

}  // namespace
}  // namespace halftone::onnx
