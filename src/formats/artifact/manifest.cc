// SPDX-License-Identifier: Apache-2.0
#include "formats/artifact/manifest.h"

#include <set>

#include "base/error.h"
#include "formats/json_text.h"

namespace halftone {
namespace {

using nlohmann::json;

constexpr int64_t kMaxElements = int64_t{1} << 48;  // far beyond any model; sizes of every layout then fit 63 bits
constexpr size_t kSha256Digits = 64;

std::string_view name_of(Order order) { return order == Order::rows ? "rows" : "panel16"; }

// Reads members of one JSON object; every error names file and place.
class Fields {
 public:
  Fields(const json& object, std::string_view file, std::string place)
      : object_(object), file_(file), place_(std::move(place)) {}

  template <class... Args>
  Status error(fmt::format_string<Args...> format, Args&&... args) const {
    return invalid_input("[artifact] {}: {}: {}", file_, place_, fmt::format(format, std::forward<Args>(args)...));
  }
  Result<const json*> member(const char* key, json::value_t type, std::string_view type_name) const {
    const auto at = object_.find(key);
    if (at == object_.end() || at->type() != type)
      return error("expected {} '{}', got {}", type_name, key, at == object_.end() ? "nothing" : at->type_name());
    return &*at;
  }
  Result<std::string> text(const char* key) const {
    HALFTONE_ASSIGN(const json* value, member(key, json::value_t::string, "a text"));
    return value->get<std::string>();
  }
  Result<std::string> hash(const char* key) const {
    HALFTONE_ASSIGN(std::string value, text(key));
    if (value.size() != kSha256Digits || value.find_first_not_of("0123456789abcdef") != std::string::npos)
      return error("expected {} hexadecimal digits as '{}', got '{}'", kSha256Digits, key, value);
    return value;
  }
  Result<int64_t> size(const char* key) const {
    HALFTONE_ASSIGN(const json* value, member(key, json::value_t::number_unsigned, "a size"));
    if (value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return error("expected '{}' to fit 63 bits", key);
    return value->get<int64_t>();
  }
  Result<std::vector<int64_t>> shape() const {
    HALFTONE_ASSIGN(const json* value, member("shape", json::value_t::array, "an array"));
    std::vector<int64_t> shape;
    int64_t elements = 1;
    for (const json& dimension : *value) {
      const bool good = dimension.is_number_unsigned() && dimension.get<uint64_t>() > 0 &&
                        dimension.get<uint64_t>() <= static_cast<uint64_t>(kMaxElements / elements);
      if (!good)
        return error("expected a shape of positive sizes, at most {} elements, got {}", kMaxElements, value->dump());
      shape.push_back(dimension.get<int64_t>());
      elements *= shape.back();
    }
    if (shape.empty() || shape.size() > 2) return error("expected a shape of 1 or 2 dimensions, got {}", value->dump());
    return shape;
  }

 private:
  const json& object_;
  std::string_view file_;
  std::string place_;
};

Status check_version(const Fields& top) {
  const auto version = top.text("format");
  if (!version.ok()) return version.status();
  if (*version == kArtifactFormat) return {};
  if (version->starts_with("halftone-"))
    return unsupported("[artifact] expected format {}, got {}; a newer halftone wrote this artifact, update yours",
                       kArtifactFormat, *version);
  return top.error("expected format {}, got '{}'", kArtifactFormat, *version);
}

// `input` of a tensor: the range of what the matrix is multiplied with.
Status read_input(const json& value, std::string_view file, ArtifactTensor& tensor) {
  const Fields fields(value, file, fmt::format("tensor '{}': input", tensor.name));
  HALFTONE_ASSIGN(const int64_t bits, fields.size("bits"));
  const auto scale = value.find("scale");
  if (scale == value.end() || !scale->is_number())
    return fields.error("expected a number 'scale', got {}", scale == value.end() ? "nothing" : scale->type_name());
  if (tensor.shape.size() != 2) return fields.error("expected it of matrices only, got it of a vector");
  if (bits != 8 && bits != 16) return fields.error("expected 8 or 16 bits, got {}", bits);
  tensor.input = {static_cast<int32_t>(bits), static_cast<float>(scale->get<double>())};
  if (!tensor.input.makes_sense())
    return fields.error("expected a scale above zero that is a normal f32, got {}; quantize again", scale->dump());
  return {};
}

Result<Manifest::Entry> read_entry(const json& value, std::string_view file, size_t index) {
  if (!value.is_object())
    return invalid_input("[artifact] {}: tensor {}: expected an object, got JSON of type {}", file, index,
                         value.type_name());
  Manifest::Entry entry;
  HALFTONE_ASSIGN(entry.tensor.name, Fields(value, file, fmt::format("tensor {}", index)).text("name"));
  const Fields fields(value, file, fmt::format("tensor '{}'", entry.tensor.name));
  HALFTONE_ASSIGN(entry.tensor.shape, fields.shape());
  HALFTONE_ASSIGN(const std::string layout, fields.text("layout"));
  entry.tensor.layout = find_layout(layout);
  if (entry.tensor.layout == nullptr) return fields.error("expected a known layout, got '{}'; update halftone", layout);
  HALFTONE_ASSIGN(const std::string order, fields.text("order"));
  if (order != "rows" && order != "panel16") return fields.error("expected order rows or panel16, got '{}'", order);
  entry.tensor.order = order == "rows" ? Order::rows : Order::panel16;
  if (entry.tensor.order == Order::rows && !entry.tensor.layout->is_float())
    return fields.error("expected order panel16 for {}, got rows", layout);
  HALFTONE_ASSIGN(const int64_t bytes, fields.size("bytes"));
  if (bytes != entry.tensor.bytes())
    return fields.error("expected {} bytes for its shape and layout, got {}", entry.tensor.bytes(), bytes);
  HALFTONE_ASSIGN(entry.sha256, fields.hash("sha256"));
  if (value.contains("input")) {
    HALFTONE_ASSIGN(const json* input, fields.member("input", json::value_t::object, "an object"));
    HALFTONE_TRY(read_input(*input, file, entry.tensor));
  }
  return entry;
}

Status read_tensors(const Fields& top, std::string_view file, Manifest& manifest) {
  HALFTONE_ASSIGN(const json* tensors, top.member("tensors", json::value_t::array, "an array"));
  std::set<std::string> names;
  for (size_t i = 0; i < tensors->size(); ++i) {
    HALFTONE_ASSIGN(Manifest::Entry entry, read_entry((*tensors)[i], file, i));
    if (!names.insert(entry.tensor.name).second)
      return top.error("expected every tensor once, got '{}' twice", entry.tensor.name);
    manifest.tensors.push_back(std::move(entry));
  }
  return {};
}

Status read_files(const Fields& top, std::string_view file, Manifest& manifest) {
  HALFTONE_ASSIGN(const json* files, top.member("files", json::value_t::object, "an object"));
  const Fields fields(*files, file, "files");
  for (const auto& [name, hash] : files->items()) {
    if (name.empty() || name.find_first_of("/\\") != std::string::npos || name == "." || name == "..")
      return fields.error("expected file names of this folder, got '{}'", name);
    HALFTONE_ASSIGN(std::string sha256, fields.hash(name.c_str()));
    manifest.files.emplace(name, std::move(sha256));
  }
  return {};
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text, std::string_view name) {
  HALFTONE_ASSIGN(const json document, parse_json(text, name));
  if (!document.is_object())
    return invalid_input("[artifact] {}: expected a JSON object, got JSON of type {}", name, document.type_name());
  const Fields top(document, name, "top level");
  HALFTONE_TRY(check_version(top));
  Manifest manifest;
  HALFTONE_ASSIGN(const json* config, top.member("config", json::value_t::object, "an object"));
  manifest.config = *config;
  HALFTONE_ASSIGN(const json* provenance, top.member("provenance", json::value_t::object, "an object"));
  manifest.provenance = *provenance;
  HALFTONE_ASSIGN(const json* weights, top.member("weights", json::value_t::object, "an object"));
  const Fields weight_fields(*weights, name, "weights");
  HALFTONE_ASSIGN(manifest.weights_bytes, weight_fields.size("bytes"));
  HALFTONE_ASSIGN(manifest.weights_sha256, weight_fields.hash("sha256"));
  HALFTONE_TRY(read_tensors(top, name, manifest));
  HALFTONE_TRY(read_files(top, name, manifest));
  return manifest;
}

std::string manifest_text(const Manifest& manifest) {
  nlohmann::ordered_json document;
  document["format"] = kArtifactFormat;
  document["config"] = manifest.config;
  document["weights"] = {
      {"file", kWeightsFile}, {"bytes", manifest.weights_bytes}, {"sha256", manifest.weights_sha256}};
  document["files"] = manifest.files;
  document["provenance"] = manifest.provenance;
  document["tensors"] = nlohmann::ordered_json::array();
  for (const Manifest::Entry& entry : manifest.tensors) {
    document["tensors"].push_back({{"name", entry.tensor.name},
                                   {"shape", entry.tensor.shape},
                                   {"layout", entry.tensor.layout->name},
                                   {"order", name_of(entry.tensor.order)},
                                   {"bytes", entry.tensor.bytes()},
                                   {"sha256", entry.sha256}});
    if (const StaticRange& input = entry.tensor.input; input.exists())
      document["tensors"].back()["input"] = {{"bits", input.bits}, {"scale", input.scale}};
  }
  return document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace halftone
