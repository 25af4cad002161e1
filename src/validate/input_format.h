// SPDX-License-Identifier: Apache-2.0
// What `input` says: how the numbers of a sample's file become what a network reads.
#pragma once

#include <nlohmann/json.hpp>

#include "base/yaml.h"
#include "halftone/status.h"
#include "models/pictures/pictures.h"
#include "tensor/tensor.h"

namespace halftone {

// The numbers of one sample's file: value = scale * (stored - zero). A .npy file says its type and shape itself.
struct ArrayFormat {
  DType type = DType::f32;
  Shape shape;  // of one sample, without the batch; empty: as the file says
  double scale = 1, zero = 0;
  bool operator==(const ArrayFormat&) const = default;
};

struct InputFormat {
  ArrayFormat array;
  PictureFormat picture;  // of .png and .jpg files and of .npy rows of bytes (height, width, 1 or 3)
  bool operator==(const InputFormat&) const = default;
};

// Keys: type, shape (arrays); size, shorter_side, colour, order, mean, std (pictures); scale, zero (both). A scale may
// be written as a fraction, "1/255". Keys of both kinds at once are an error.
Result<InputFormat> parse_input(YamlMap map);
// As an artifact's model.json keeps it: the same keys, those that have their default left out. Null: all have.
nlohmann::ordered_json to_json(const InputFormat& format);
Result<InputFormat> input_from_json(const nlohmann::json& json, const std::string& name);

}  // namespace halftone
