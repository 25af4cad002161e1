// SPDX-License-Identifier: Apache-2.0
// The container of TensorFlow Lite: a flatbuffer of tensors and operators. What is read and what is checked: FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tflite/flat_table.h"
#include "graph/network/network.h"
#include "halftone/status.h"
#include "tensor/dtype.h"

namespace halftone::tflite {

// Element types that the file can name; int4 is two per byte.
enum class Element : uint8_t {
  f32,
  f16,
  i32,
  u8,
  i64,
  text,
  boolean,
  i16,
  c64,
  i8,
  f64,
  c128,
  u64,
  resource,
  variant,
  u32,
  u16,
  i4
};
std::string_view name_of(Element element);
std::optional<DType> dtype_of(Element element);  // none: we cannot compute with it; i4 is held as i8

struct TensorInfo {
  std::string name;
  Element element = Element::f32;
  std::vector<int64_t> shape;       // of the converter's example: a dimension that varies is 1
  std::vector<int64_t> signature;   // the same with -1 for what varies; empty: nothing does
  std::span<const std::byte> data;  // of a constant; borrowed from the file
  bool is_constant = false;
  // value = scale * (q - zero_point), per tensor or per index of `axis`; no scales: not quantized
  std::vector<float> scales;
  std::vector<int64_t> zero_points;
  int64_t axis = 0;
  bool is_variable = false, is_sparse = false;
};

struct Operator {
  int32_t code = 0;                      // of operators.h
  std::string custom;                    // name of a custom one
  std::vector<int32_t> inputs, outputs;  // tensors; -1: an optional one that is absent
  FlatTable options;
};

// The file's main graph; borrows its bytes.
struct Model {
  std::string name;
  std::vector<TensorInfo> tensors;
  std::vector<Operator> operators;
  std::vector<int32_t> inputs, outputs;
  size_t graphs = 0;
};

// Reads and checks everything that the operators' options are not: offsets, indices, types, sizes of constants against
// their shapes, lengths of scales against the axis.
Result<Model> parse_tflite(FlatBuffer& buffer, std::span<const std::byte> file);

// The whole way: constants stay mapped where their alignment allows (`keep` holds the bytes). Integer tensors become
// float ones between Quantize and Dequantize; an operator that we lack is an error that lists them all with counts.
Result<network::Network> import_tflite(std::span<const std::byte> file, std::string_view name,
                                       std::shared_ptr<const void> keep);
Result<network::Network> import_tflite(const std::filesystem::path& path);

}  // namespace halftone::tflite
