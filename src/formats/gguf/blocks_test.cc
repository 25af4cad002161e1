// SPDX-License-Identifier: Apache-2.0
// Blocks of GGUF against tests/tools/block_reference.py, which was written apart.
#include "formats/gguf/blocks.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "formats/gguf/types.h"
#include "formats/json_text.h"

namespace halftone {
namespace {

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST(QuantizedBlocks, GgufDecodesAsDescribed) {
  const auto golden = read_json_file(std::filesystem::path(HALFTONE_SOURCE_DIR) / "tests/golden/quantized_blocks.json");
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  int types = 0;
  for (const auto& block : (*golden)["gguf"]) {
    const auto name = block["type"].get<std::string>();
    const GgmlType* type = find_ggml_type(name);
    ASSERT_NE(type, nullptr) << name;
    const std::vector<std::byte> bytes = from_hex(block["block"]);
    ASSERT_EQ(static_cast<int64_t>(bytes.size()), type->bytes) << name;
    std::vector<float> got(static_cast<size_t>(type->block));
    type->decode_row(bytes.data(), type->block, got.data());
    for (size_t k = 0; k < got.size(); ++k) ASSERT_EQ(got[k], block["values"][k].get<float>()) << name << " " << k;
    ++types;
  }
  EXPECT_EQ(types, 13);
}

}  // namespace
}  // namespace halftone
