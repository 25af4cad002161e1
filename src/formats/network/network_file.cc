// SPDX-License-Identifier: Apache-2.0
#include "formats/network/network_file.h"

#include <array>
#include <fstream>

#include "base/atomic_write.h"
#include "base/error.h"
#include "formats/artifact/artifact.h"
#include "formats/artifact/manifest.h"
#include "formats/network/stored_network.h"
#include "formats/onnx/onnx.h"
#include "formats/tflite/tflite.h"
#include "graph/network/passes/simplify.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

struct NetworkFormat {
  std::string_view name, looks;
  bool (*probe)(const fs::path& path);
  Result<NetworkFile> (*open)(const fs::path& path);
};

bool probe_tflite(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;
  if (path.extension() == ".tflite") return true;
  std::array<char, 8> head = {};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  return std::string_view(head.data() + 4, 4) == "TFL3";
}

Result<NetworkFile> open_tflite(const fs::path& path) {
  HALFTONE_ASSIGN(const auto map, FileMap::open(path));
  HALFTONE_ASSIGN(network::Network network, tflite::import_tflite(map->bytes(), path.string(), map));
  NetworkFile file;
  file.network = std::make_shared<const network::Network>(std::move(network));
  file.bytes_on_disk = static_cast<int64_t>(map->bytes().size());
  file.maps.push_back(map);
  return file;
}

// ONNX files have no mark of their own: the name says it.
bool probe_onnx(const fs::path& path) {
  std::error_code error;
  return path.extension() == ".onnx" && fs::is_regular_file(path, error);
}

// Exporters write one op as many; what follows (rules of recipes, kernels) sees the one.
Result<NetworkFile> open_onnx(const fs::path& path) {
  HALFTONE_ASSIGN(network::Network network, onnx::import_model(path));
  HALFTONE_ASSIGN([[maybe_unused]] const network::Simplified simplified, network::simplify(network));
  NetworkFile file;
  for (const auto& [id, tensor] : network.constants) file.bytes_on_disk += tensor.size_bytes();
  file.network = std::make_shared<const network::Network>(std::move(network));
  return file;
}

// A folder whose model.json has a network; whether it is a good one, opening tells.
bool probe_artifact_network(const fs::path& path) {
  if (!probe_artifact(path)) return false;
  const Result<std::string> text = read_text_file(path / "model.json", kMaxManifestBytes);
  if (!text.ok()) return false;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  return json.is_object() && json.contains("config") && json["config"].is_object() &&
         json["config"].contains(kNetworkKey);
}

Result<NetworkFile> open_artifact_network(const fs::path& path) {
  HALFTONE_ASSIGN(ModelFile artifact, open_artifact(path));
  artifact.path = path;
  HALFTONE_ASSIGN(network::Network network, network_of(artifact));
  NetworkFile file;
  file.network = std::make_shared<const network::Network>(std::move(network));
  file.provenance = std::move(artifact.provenance);
  if (artifact.config.contains(kInputKey)) file.input = std::move(artifact.config[kInputKey]);
  file.bytes_on_disk = artifact.bytes_on_disk;
  file.maps = std::move(artifact.maps);
  return file;
}

constexpr std::array kNetworkFormats = {
    NetworkFormat{"halftone", "a halftone artifact of a network", probe_artifact_network, open_artifact_network},
    NetworkFormat{"tflite", "a TFLite file", probe_tflite, open_tflite},
    NetworkFormat{"onnx", "an ONNX file", probe_onnx, open_onnx},
};

}  // namespace

bool is_network(const fs::path& path) {
  for (const NetworkFormat& format : kNetworkFormats)
    if (format.probe(path)) return true;
  return false;
}

Result<NetworkFile> open_network(const fs::path& path) {
  for (const NetworkFormat& format : kNetworkFormats) {
    if (!format.probe(path)) continue;
    HALFTONE_ASSIGN(NetworkFile file, format.open(path));
    file.path = path;
    file.container = format.name;
    return file;
  }
  std::string known;
  for (const NetworkFormat& format : kNetworkFormats)
    known += (known.empty() ? "" : " or ") + std::string(format.looks);
  std::error_code error;
  return invalid_input("[network] {}: expected {}, got {}", path.string(), known,
                       fs::exists(path, error) ? "something else" : "nothing at this path; check the spelling");
}

}  // namespace halftone
