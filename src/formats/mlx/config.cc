// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "base/error.h"
#include "formats/mlx/mlx.h"

namespace halftone {
namespace {

using MlxJson = nlohmann::json;

// One entry: {"bits", "group_size", "mode"}; what is absent is the common value.
Result<MlxPacking> read_packing(const MlxJson& entry, MlxPacking packing, std::string_view file,
                                std::string_view path) {
  const auto error = [&](std::string_view key, std::string_view expected, const MlxJson& got) {
    return invalid_input("[mlx] {}: quantization{}{}.{}: expected {}, got {}", file, path.empty() ? "" : ".", path, key,
                         expected, got.dump(-1, ' ', true, MlxJson::error_handler_t::replace).substr(0, 60));
  };
  if (const auto mode = entry.find("mode"); mode != entry.end()) {
    if (*mode == "mxfp4") {
      packing = {MlxMode::mxfp4, 4, 32};
    } else if (*mode == "affine") {
      packing.mode = MlxMode::affine;
    } else {
      return unsupported("[mlx] {}: quantization{}{}.mode: expected affine or mxfp4, got {}", file,
                         path.empty() ? "" : ".", path, mode->dump().substr(0, 60));
    }
  }
  if (const auto bits = entry.find("bits"); bits != entry.end()) {
    if (!bits->is_number_unsigned() || bits->get<uint64_t>() < 2 || bits->get<uint64_t>() > 8)
      return error("bits", "2, 3, 4, 5, 6 or 8", *bits);
    packing.bits = bits->get<int>();
  }
  if (const auto group = entry.find("group_size"); group != entry.end()) {
    if (!group->is_number_unsigned() || group->get<uint64_t>() < 1 || group->get<uint64_t>() > 1024)
      return error("group_size", "32, 64 or 128", *group);
    packing.group = group->get<int64_t>();
  }
  return packing;
}

}  // namespace

Result<MlxQuantization> parse_mlx_quantization(const MlxJson& config, std::string_view name) {
  MlxQuantization result;
  auto found = config.find("quantization");
  if (found == config.end()) found = config.find("quantization_config");
  if (found == config.end() || found->is_null()) return result;
  if (!found->is_object())
    return invalid_input("[mlx] {}: quantization: expected an object, got {}", name, found->type_name());
  HALFTONE_ASSIGN(const MlxPacking common, read_packing(*found, {}, name, ""));
  if (found->contains("bits") || found->contains("mode")) result.common = common;
  for (const auto& [path, entry] : found->items()) {
    if (!entry.is_object()) continue;  // numbers and words of the common entry; false: kept as floats
    HALFTONE_ASSIGN(const MlxPacking packing, read_packing(entry, {}, name, path));
    result.of_path.emplace(path, packing);
  }
  return result;
}

}  // namespace halftone
