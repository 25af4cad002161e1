// SPDX-License-Identifier: Apache-2.0
// For tests only: small GGUF models of any type, and a cache of their own.
#pragma once

#include <stdlib.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "base/temp_folder.h"
#include "formats/gguf/gguf.h"
#include "tensor/dtype.h"

namespace halftone {

// HALFTONE_CACHE is a new folder while it lives.
class TestCache {
 public:
  TestCache() { HALFTONE_CHECK(::setenv("HALFTONE_CACHE", folder_.path().c_str(), 1) == 0); }
  ~TestCache() { ::unsetenv("HALFTONE_CACHE"); }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

// Random blocks whose f16 scales are small and finite.
inline std::string random_blocks(const GgmlType& type, int64_t count, Rng& rng) {
  std::string bytes;
  const auto half = [&](size_t at) {
    const uint16_t bits = f32_to_f16(static_cast<float>(0.02 * rng.normal()));
    bytes[at] = static_cast<char>(bits & 0xff);
    bytes[at + 1] = static_cast<char>(bits >> 8);
  };
  for (int64_t i = 0; i < count; ++i) {
    const size_t begin = bytes.size(), size = static_cast<size_t>(type.bytes);
    for (size_t b = 0; b < size; ++b) bytes.push_back(static_cast<char>(rng.below(256)));
    const std::string_view name = type.name;
    if (name == "mxfp4") {
      bytes[begin] = static_cast<char>(118 + rng.below(6));
    } else if (name == "f32") {
      const auto value = static_cast<float>(rng.normal());
      std::memcpy(bytes.data() + begin, &value, 4);
    } else if (name == "bf16") {
      const uint16_t bits = f32_to_bf16(static_cast<float>(rng.normal()));
      std::memcpy(bytes.data() + begin, &bits, 2);
    } else if (name == "q2_k" || name == "q3_k" || name == "q6_k") {
      half(begin + size - 2);
      if (name == "q2_k") half(begin + size - 4);
    } else {
      half(begin);
      const bool pair = name == "q4_1" || name == "q5_1" || name == "q4_k" || name == "q5_k";
      if (pair) half(begin + 2);
    }
  }
  return bytes;
}

struct TestGguf {
  std::string architecture = "llama";
  int64_t hidden = 256, intermediate = 512, layers = 1, heads = 4, kv_heads = 2, vocabulary = 32;
  const GgmlType* type = &ggml_type(GgmlTypeId::q4_0);  // of every matrix
  bool tied = true, rope_freqs = false, attention_bias = false;
  uint64_t seed = 7;
  std::vector<std::pair<std::string, int64_t>> more;  // metadata, u32

  GgufPlan plan() const {
    GgufPlan plan;
    GgufMetadata& metadata = plan.metadata;
    const auto key = [&](const char* name) { return architecture + "." + name; };
    metadata.text("general.architecture", architecture);
    metadata.u32(key("context_length"), 64);
    metadata.u32(key("embedding_length"), hidden);
    metadata.u32(key("block_count"), layers);
    metadata.u32(key("feed_forward_length"), intermediate);
    metadata.u32(key("attention.head_count"), heads);
    metadata.u32(key("attention.head_count_kv"), kv_heads);
    metadata.f32(key("attention.layer_norm_rms_epsilon"), 1e-5);
    metadata.f32(key("rope.freq_base"), 10000);
    metadata.text("tokenizer.ggml.model", "llama");
    metadata.u32("tokenizer.ggml.bos_token_id", 1);
    metadata.u32("tokenizer.ggml.eos_token_id", 2);
    for (const auto& [name, value] : more) metadata.u32(name, value);
    const GgmlType* f32 = &ggml_type(GgmlTypeId::f32);
    const int64_t head_dim = hidden / heads;
    const auto add = [&](std::string name, std::vector<int64_t> shape) {
      plan.tensors.push_back({std::move(name), shape, shape.size() == 1 ? f32 : type});
    };
    add("token_embd.weight", {vocabulary, hidden});
    add("output_norm.weight", {hidden});
    if (!tied) add("output.weight", {vocabulary, hidden});
    if (rope_freqs) add("rope_freqs.weight", {head_dim / 2});
    for (int64_t layer = 0; layer < layers; ++layer) {
      const std::string at = "blk." + std::to_string(layer) + ".";
      add(at + "attn_norm.weight", {hidden});
      add(at + "attn_q.weight", {hidden, hidden});
      add(at + "attn_k.weight", {kv_heads * head_dim, hidden});
      add(at + "attn_v.weight", {kv_heads * head_dim, hidden});
      if (attention_bias) {
        add(at + "attn_q.bias", {hidden});
        add(at + "attn_k.bias", {kv_heads * head_dim});
        add(at + "attn_v.bias", {kv_heads * head_dim});
      }
      add(at + "attn_output.weight", {hidden, hidden});
      add(at + "ffn_norm.weight", {hidden});
      add(at + "ffn_gate.weight", {intermediate, hidden});
      add(at + "ffn_up.weight", {intermediate, hidden});
      add(at + "ffn_down.weight", {hidden, intermediate});
    }
    return plan;
  }

  void write(const std::filesystem::path& path) const { write_plan(path, plan(), seed); }

  static void write_plan(const std::filesystem::path& path, const GgufPlan& plan, uint64_t seed) {
    Rng rng(seed);
    auto writer = GgufWriter::create(path, plan);
    HALFTONE_CHECK(writer.ok());
    for (const GgufPlan::Tensor& tensor : plan.tensors) {
      std::string bytes = random_blocks(*tensor.type, tensor.bytes() / tensor.type->bytes, rng);
      if (tensor.name == "rope_freqs.weight") {
        for (size_t i = 0; i < bytes.size() / 4; ++i) {
          const float divisor = i < bytes.size() / 8 ? 1.0f : 8.0f;
          std::memcpy(bytes.data() + 4 * i, &divisor, 4);
        }
      }
      HALFTONE_CHECK(writer->write(std::as_bytes(std::span(bytes))).ok());
    }
    HALFTONE_CHECK(writer->finish().ok());
  }
};

}  // namespace halftone
