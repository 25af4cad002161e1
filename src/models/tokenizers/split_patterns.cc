// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/split_patterns.h"

namespace halftone {
namespace {

constexpr std::array<GgufPreKind, 19> kPreKinds = {{
    {"default",
     {R"([\p{P}\$\+<=>\^~\|]+)", R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))",
      R"(\p{N}+)", R"([0-9][0-9][0-9])"}},
    {"gpt-2", {kGpt2Split}},
    {"phi-2", {kGpt2Split}},
    {"olmo", {kGpt2Split}},
    {"mpt", {kGpt2Split}},
    {"llama-bpe", {kLlama3Split}, false, true, true},
    {"llama3", {kLlama3Split}, false, true, true},
    {"llama-v3", {kLlama3Split}, false, true, true},
    {"falcon3", {kLlama3Split}, false, true, true},
    {"smaug-bpe", {kLlama3Split}},
    {"dbrx", {kLlama3Split}},
    {"qwen2", {kQwen2Split}, true},
    {"deepseek-r1-qwen", {kQwen2Split}, true},
    {"stablelm2", {kQwen2Split}},
    {"gpt-4o", {kO200kSplit}},
    {"llama4", {kO200kSplit}},
    {"tekken", {kTekkenSplit}, false, true, true},
    {"starcoder", {R"(\p{N})", kGpt2Split}},
    {"smollm", {R"(\p{N})", kGpt2Split}},
}};

}  // namespace

const GgufPreKind* find_gguf_pre_kind(std::string_view name) {
  for (const GgufPreKind& kind : kPreKinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::string known_gguf_pre_kinds() {
  std::string names;
  for (const GgufPreKind& kind : kPreKinds) names.append(names.empty() ? "" : ", ").append(kind.name);
  return names;
}

}  // namespace halftone
