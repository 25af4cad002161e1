// SPDX-License-Identifier: Apache-2.0
// Blocks of GGUF against tests/tools/block_reference.py, which was written apart.
#include "formats/gguf/blocks.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "formats/gguf/types.h"
#include "formats/import/test_cache.h"
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

// What was taken apart and put together again is the same bytes.
TEST(QuantizedBlocks, PackingIsTheInverse) {
  Rng rng(3);
  int types = 0;
  const auto check = [&](GgmlTypeId id, auto again) {
    const GgmlType& type = ggml_type(id);
    for (int i = 0; i < 50; ++i) {
      const std::string bytes = random_blocks(type, 1, rng);
      std::string got(bytes.size(), '\xff');
      again(reinterpret_cast<const std::byte*>(bytes.data()), reinterpret_cast<std::byte*>(got.data()));
      ASSERT_EQ(got, bytes) << type.name;
    }
    ++types;
  };
  const auto simple = [&](GgmlTypeId id, auto codes_of, auto pack) {
    check(id, [&](const std::byte* in, std::byte* out) {
      int8_t codes[32];
      codes_of(in, codes);
      pack(codes, half_bits_at(in), half_bits_at(in + 2), out);
    });
  };
  simple(GgmlTypeId::q4_0, q4_0_codes, pack_q4_0);
  simple(GgmlTypeId::q4_1, q4_1_codes, pack_q4_1);
  simple(GgmlTypeId::q5_0, q5_0_codes, pack_q5_0);
  simple(GgmlTypeId::q5_1, q5_1_codes, pack_q5_1);
  simple(GgmlTypeId::q8_0, q8_0_codes, pack_q8_0);
  const auto nested = [&](GgmlTypeId id, auto read, auto pack) {
    check(id, [&](const std::byte* in, std::byte* out) {
      KBlock parts;
      read(in, parts);
      pack(parts, out);
    });
  };
  nested(GgmlTypeId::q4_k, read_q4_k, pack_q4_k);
  nested(GgmlTypeId::q5_k, read_q5_k, pack_q5_k);
  nested(GgmlTypeId::q6_k, read_q6_k, pack_q6_k);
  EXPECT_EQ(types, 8);
}

}  // namespace
}  // namespace halftone
