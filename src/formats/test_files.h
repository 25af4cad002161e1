// SPDX-License-Identifier: Apache-2.0
// For tests only: small model files made by hand.
#pragma once

#include <bit>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/temp_folder.h"
#include "formats/safetensors/safetensors.h"
#include "tensor/dtype.h"

namespace halftone {

// A safetensors file as bytes: any text as header, right or wrong.
inline std::string raw_safetensors(std::string_view header, std::string_view payload) {
  std::string file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<char>(header.size() >> (8 * i) & 0xff));
  return file.append(header).append(payload);
}

inline std::span<const std::byte> bytes_of_text(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  HALFTONE_CHECK(file.good());
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A tensor by value; `values` are rounded to `type` (f32, f16, bf16).
struct TestTensor {
  std::string name;
  DType type;
  std::vector<int64_t> shape;
  std::vector<float> values;

  std::string payload() const {
    std::string bytes;
    for (const float value : values) {
      const uint32_t wide = std::bit_cast<uint32_t>(value);
      const uint16_t narrow = type == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
      if (type == DType::f32)
        bytes.append(reinterpret_cast<const char*>(&wide), 4);
      else
        bytes.append(reinterpret_cast<const char*>(&narrow), 2);
    }
    return bytes;
  }
};

inline void write_safetensors(const std::filesystem::path& path, const std::vector<TestTensor>& tensors) {
  SafetensorsPlan plan;
  plan.alignment = 1;  // what strangers write: payloads at odd addresses
  for (const TestTensor& tensor : tensors)
    plan.tensors.push_back({tensor.name, tensor.type, tensor.shape, static_cast<int64_t>(tensor.payload().size())});
  auto writer = SafetensorsWriter::create(path, plan);
  HALFTONE_CHECK(writer.ok());
  for (const TestTensor& tensor : tensors) HALFTONE_CHECK(writer->write(bytes_of_text(tensor.payload())).ok());
  HALFTONE_CHECK(writer->finish().ok());
}

inline void write_model(const std::filesystem::path& folder, const std::vector<TestTensor>& tensors) {
  std::filesystem::create_directories(folder);
  write_text(folder / "config.json", R"({"model_type": "llama"})");
  write_safetensors(folder / "model.safetensors", tensors);
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace halftone
