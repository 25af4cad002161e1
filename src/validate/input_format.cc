// SPDX-License-Identifier: Apache-2.0
#include "validate/input_format.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/numbers.h"

namespace halftone {
namespace {

constexpr int64_t kMostSide = 1 << 16;
constexpr std::array kArrayTypes = {DType::f32, DType::f16, DType::f64, DType::i8, DType::u8, DType::i16, DType::i32};
constexpr std::array<std::string_view, kArrayTypes.size()> kArrayTypeNames = {"f32", "f16", "f64", "i8",
                                                                              "u8",  "i16", "i32"};
constexpr std::array<std::string_view, 4> kColourNames = {"network", "rgb", "bgr", "grey"};
constexpr std::array<std::string_view, 3> kOrderNames = {"network", "hwc", "chw"};

template <size_t kSize>
Result<size_t> word_of(YamlMap& map, std::string_view key, const std::array<std::string_view, kSize>& words) {
  HALFTONE_ASSIGN(const std::string word, map.text(key, std::string(words[0])));
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end())
    return map.error(key, fmt::format("expected one of {}, got \"{}\"", fmt::join(words, ", "), word));
  return static_cast<size_t>(found - words.begin());
}

// A number or a fraction: nobody writes 1/255 out.
std::optional<double> number_or_fraction(const std::string& text) {
  const size_t slash = text.find('/');
  const auto above = parse_number(text.substr(0, slash));
  if (slash == std::string::npos || !above) return above;
  const auto below = parse_number(text.substr(slash + 1));
  return below && *below != 0 ? std::optional(*above / *below) : std::nullopt;
}

Result<std::vector<double>> numbers_of(YamlMap& map, std::string_view key, bool positive) {
  HALFTONE_ASSIGN(const std::vector<std::string> words, map.texts(key));
  std::vector<double> numbers;
  for (const std::string& word : words) {
    const auto number = number_or_fraction(word);
    if (!number || !std::isfinite(*number) || (positive && *number <= 0))
      return map.error(key, fmt::format("expected {}, got \"{}\"", positive ? "numbers above 0" : "numbers", word));
    numbers.push_back(*number);
  }
  if (map.has(key) && numbers.size() != 1 && numbers.size() != 3)
    return map.error(key, fmt::format("expected 1 number or 3, one per channel, got {}", numbers.size()));
  return numbers;
}

Result<Shape> sizes_of(YamlMap& map, std::string_view key) {
  HALFTONE_ASSIGN(const std::vector<std::string> words, map.texts(key));
  Shape sizes;
  for (const std::string& word : words) {
    const auto number = parse_integer(word);
    if (!number || *number < 1) return map.error(key, fmt::format("expected sizes of 1 or more, got \"{}\"", word));
    sizes.push_back(*number);
  }
  return sizes;
}

Status parse_picture(YamlMap& map, PictureFormat& picture) {
  HALFTONE_ASSIGN(const Shape size, sizes_of(map, "size"));
  if (map.has("size") && (size.size() != 2 || std::max(size[0], size[1]) > kMostSide))
    return map.error("size", fmt::format("expected [height, width] of at most {}, got {}", kMostSide, text_of(size)));
  if (!size.empty()) {
    picture.height = size[0];
    picture.width = size[1];
  }
  HALFTONE_ASSIGN(picture.shorter_side, map.integer("shorter_side", 0));
  if (map.has("shorter_side") && (picture.shorter_side < 1 || picture.shorter_side > kMostSide / 8))
    return map.error("shorter_side",
                     fmt::format("expected 1 to {} pixels, got {}", kMostSide / 8, picture.shorter_side));
  HALFTONE_ASSIGN(const size_t colour, word_of(map, "colour", kColourNames));
  HALFTONE_ASSIGN(const size_t order, word_of(map, "order", kOrderNames));
  picture.colour = static_cast<PictureColour>(colour);
  picture.order = static_cast<PictureOrder>(order);
  HALFTONE_ASSIGN(picture.mean, numbers_of(map, "mean", false));
  HALFTONE_ASSIGN(picture.deviation, numbers_of(map, "std", true));
  return {};
}

}  // namespace

Result<InputFormat> parse_input(YamlMap map) {
  InputFormat input;
  HALFTONE_ASSIGN(const size_t type, word_of(map, "type", kArrayTypeNames));
  input.array.type = kArrayTypes[type];
  HALFTONE_ASSIGN(input.array.shape, sizes_of(map, "shape"));
  HALFTONE_ASSIGN(const std::string scale, map.text("scale", "1"));
  const auto factor = number_or_fraction(scale);
  if (!factor || *factor == 0)
    return map.error("scale",
                     fmt::format("expected a number other than 0, or a fraction such as 1/255, got \"{}\"", scale));
  input.array.scale = *factor;
  HALFTONE_ASSIGN(input.array.zero, map.number("zero", 0));
  HALFTONE_TRY(parse_picture(map, input.picture));
  for (const char* key : {"size", "shorter_side", "colour", "order", "mean", "std"})
    if (map.has(key) && (map.has("type") || map.has("shape")))
      return map.error(key, "expected keys of pictures or of arrays (type, shape), got both; remove one kind");
  input.picture.scale = input.array.scale;
  input.picture.zero = input.array.zero;
  HALFTONE_TRY(map.finish());
  return input;
}

nlohmann::ordered_json to_json(const InputFormat& format) {
  nlohmann::ordered_json out;
  const ArrayFormat& array = format.array;
  const PictureFormat& picture = format.picture;
  const auto type = std::find(kArrayTypes.begin(), kArrayTypes.end(), array.type) - kArrayTypes.begin();
  if (type != 0) out["type"] = kArrayTypeNames[static_cast<size_t>(type)];
  if (!array.shape.empty()) out["shape"] = array.shape;
  if (array.scale != 1) out["scale"] = array.scale;
  if (array.zero != 0) out["zero"] = array.zero;
  if (picture.height > 0) out["size"] = {picture.height, picture.width};
  if (picture.shorter_side > 0) out["shorter_side"] = picture.shorter_side;
  if (picture.colour != PictureColour::as_network) out["colour"] = kColourNames[static_cast<size_t>(picture.colour)];
  if (picture.order != PictureOrder::as_network) out["order"] = kOrderNames[static_cast<size_t>(picture.order)];
  if (!picture.mean.empty()) out["mean"] = picture.mean;
  if (!picture.deviation.empty()) out["std"] = picture.deviation;
  return out;
}

Result<InputFormat> input_from_json(const nlohmann::json& json, const std::string& name) {
  if (json.is_null()) return InputFormat();
  if (!json.is_object()) return invalid_input("{}: input: expected an object, got {}", name, json.type_name());
  HALFTONE_ASSIGN(YamlMap map, YamlMap::parse_text(json.dump(), name));  // JSON is YAML
  return parse_input(std::move(map));
}

}  // namespace halftone
