// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors/header_sax.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace halftone {
namespace {

constexpr size_t kMaxDimensions = 8;

using Json = nlohmann::json;

// Where in the header the parser stands. Every event is legal in few places; anything else refuses.
enum class Place : uint8_t { before, top, metadata, tensor, shape, offsets, after };
enum class Field : uint8_t { none, dtype, shape, offsets };

class HeaderSax : public nlohmann::json_sax<Json> {
 public:
  RawSafetensorsHeader header;
  std::string problem;

  bool start_object(size_t) override {
    if (place_ == Place::before) return enter(Place::top);
    if (place_ != Place::top) return refuse("an object inside " + where());
    if (key_ == "__metadata__") return enter(Place::metadata);
    header.entries.push_back({key_, {}, {}, 0, 0});
    seen_ = {};
    return enter(Place::tensor);
  }

  bool key(string_t& name) override {
    if (place_ == Place::top) {
      if (!names_.insert(name).second) return refuse("'" + name + "' twice; every tensor may appear once");
    } else if (place_ == Place::metadata) {
      if (header.metadata.contains(name)) return refuse("the metadata key '" + name + "' twice");
    } else {
      return tensor_key(name);
    }
    key_ = name;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::top) return enter(Place::after);
    if (place_ == Place::tensor && !(seen_.dtype && seen_.shape && seen_.offsets))
      return refuse("tensor '" + tensor() + "' without " +
                    (!seen_.dtype   ? "dtype"
                     : !seen_.shape ? "shape"
                                    : "data_offsets"));
    return enter(Place::top);
  }

  bool start_array(size_t) override {
    if (place_ != Place::tensor || field_ == Field::dtype) return refuse("an array in " + where());
    offset_count_ = 0;
    return enter(field_ == Field::shape ? Place::shape : Place::offsets);
  }

  bool end_array() override {
    if (place_ == Place::offsets && offset_count_ != 2)
      return refuse("data_offsets of " + std::to_string(offset_count_) + " numbers for '" + tensor() + "', not 2");
    return enter(Place::tensor);
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      header.metadata.emplace(key_, value);
      return true;
    }
    if (place_ != Place::tensor || field_ != Field::dtype) return refuse("a string in " + where());
    header.entries.back().type = value;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape) {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        return refuse("the dimension " + std::to_string(value) + " in '" + tensor() + "'");
      if (header.entries.back().shape.size() == kMaxDimensions)
        return refuse("more than " + std::to_string(kMaxDimensions) + " dimensions in '" + tensor() + "'");
      header.entries.back().shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ != Place::offsets) return refuse("a number in " + where());
    (offset_count_ == 0 ? header.entries.back().begin : header.entries.back().end) = value;
    ++offset_count_;
    return offset_count_ <= 2 || refuse("more than 2 data_offsets for '" + tensor() + "'");
  }

  bool number_integer(number_integer_t value) override {
    return refuse("the negative number " + std::to_string(value) + " in " + where());
  }
  bool number_float(number_float_t, const string_t& text) override {
    return refuse("the number " + text + " in " + where());
  }
  bool null() override { return refuse("null in " + where()); }
  bool boolean(bool) override { return refuse("a boolean in " + where()); }
  bool binary(binary_t&) override { return refuse("binary data in " + where()); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("no JSON at header byte " + std::to_string(position) +
                  "; the file is damaged or no safetensors file");
  }

 private:
  struct Seen {
    bool dtype = false, shape = false, offsets = false;
  };

  bool enter(Place place) {
    place_ = place;
    return true;
  }
  bool refuse(std::string got) {
    if (problem.empty()) problem = std::move(got);
    return false;
  }
  const std::string& tensor() const { return header.entries.back().name; }
  std::string where() const {
    switch (place_) {
      case Place::before:
        return "place of the header object";
      case Place::top:
        return "place of tensor '" + key_ + "'";
      case Place::metadata:
        return "__metadata__ (strings only)";
      case Place::shape:
        return "the shape of '" + tensor() + "'";
      case Place::offsets:
        return "the data_offsets of '" + tensor() + "'";
      default:
        return "tensor '" + tensor() + "'";
    }
  }

  bool tensor_key(const std::string& name) {
    field_ = name == "dtype"          ? Field::dtype
             : name == "shape"        ? Field::shape
             : name == "data_offsets" ? Field::offsets
                                      : Field::none;
    if (field_ == Field::none) return refuse("the unknown key '" + name + "' in tensor '" + tensor() + "'");
    bool& seen = field_ == Field::dtype ? seen_.dtype : field_ == Field::shape ? seen_.shape : seen_.offsets;
    if (seen) return refuse("'" + name + "' twice in tensor '" + tensor() + "'");
    seen = true;
    return true;
  }

  Place place_ = Place::before;
  Field field_ = Field::none;
  Seen seen_;
  std::string key_;
  std::set<std::string> names_;
  int offset_count_ = 0;
};

}  // namespace

Result<RawSafetensorsHeader> parse_safetensors_json(std::string_view text, std::string_view name) {
  HeaderSax sax;
  bool good = false;
  try {
    good = Json::sax_parse(text.begin(), text.end(), &sax);
  } catch (const std::exception& error) {
    return invalid_input("[safetensors] {}: expected a JSON header, got: {}", name, error.what());
  }
  if (!good)
    return invalid_input("[safetensors] {}: expected a header of tensors with dtype, shape and data_offsets, got {}",
                         name, sax.problem.empty() ? "something else" : sax.problem);
  return std::move(sax.header);
}

}  // namespace halftone
