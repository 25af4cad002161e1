// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/names.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/numbers.h"

namespace halftone {
namespace {

// Dialects: sets of names that occur together.
enum : uint32_t {
  kPlain = 1,      // q, k, v, gate and up apart, two norms per layer: Llama, Qwen, Gemma 1
  kPhi2 = 2,       // one norm per layer, no gate, "dense" and "fc1"
  kPhi3 = 4,       // one matrix for q, k and v, one for gate and up
  kFourNorms = 8,  // as plain, with norms behind attention and feed-forward too: Gemma 2 and 3
  kGated = kPlain | kPhi3 | kFourNorms,
  kAll = kGated | kPhi2,
};

constexpr GgufArchitecture kArchitectures[] = {
    {"llama", kPlain, true, false},      {"qwen2", kPlain, false, false},     {"qwen3", kPlain, false, false},
    {"phi2", kPhi2, false, false},       {"phi3", kPhi3, false, false},       {"gemma", kPlain, false, true},
    {"gemma2", kFourNorms, false, true}, {"gemma3", kFourNorms, false, true},
};

struct NamePair {
  std::string_view hugging_face, gguf;
  uint32_t dialects;
};

constexpr std::array kGlobalNames = {
    NamePair{"model.embed_tokens", "token_embd", kAll},
    NamePair{"model.norm", "output_norm", kGated},
    NamePair{"model.final_layernorm", "output_norm", kPhi2},
    NamePair{"lm_head", "output", kAll},
};

constexpr std::array kLayerNames = {
    NamePair{"input_layernorm", "attn_norm", kAll},
    NamePair{"self_attn.q_proj", "attn_q", kAll & ~kPhi3},
    NamePair{"self_attn.k_proj", "attn_k", kAll & ~kPhi3},
    NamePair{"self_attn.v_proj", "attn_v", kAll & ~kPhi3},
    NamePair{"self_attn.qkv_proj", "attn_qkv", kPhi3},
    NamePair{"self_attn.o_proj", "attn_output", kGated},
    NamePair{"self_attn.dense", "attn_output", kPhi2},
    NamePair{"self_attn.q_norm", "attn_q_norm", kPlain | kFourNorms},
    NamePair{"self_attn.k_norm", "attn_k_norm", kPlain | kFourNorms},
    NamePair{"post_attention_layernorm", "ffn_norm", kPlain | kPhi3},
    NamePair{"post_attention_layernorm", "post_attention_norm", kFourNorms},
    NamePair{"pre_feedforward_layernorm", "ffn_norm", kFourNorms},
    NamePair{"post_feedforward_layernorm", "post_ffw_norm", kFourNorms},
    NamePair{"mlp.gate_proj", "ffn_gate", kPlain | kFourNorms},
    NamePair{"mlp.up_proj", "ffn_up", kPlain | kFourNorms},
    NamePair{"mlp.gate_up_proj", "ffn_up", kPhi3},
    NamePair{"mlp.fc1", "ffn_up", kPhi2},
    NamePair{"mlp.down_proj", "ffn_down", kGated},
    NamePair{"mlp.fc2", "ffn_down", kPhi2},
};

// Translates PREFIX.N.REST.(weight|bias) or NAME.(weight|bias); empty when the name is unknown.
std::string translate(std::string_view name, uint32_t dialect, std::string_view NamePair::*from,
                      std::string_view NamePair::*to, std::string_view from_prefix, std::string_view to_prefix) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view kind = name.substr(dot);
  if (kind != ".weight" && kind != ".bias") return {};
  std::string_view stem = name.substr(0, dot);
  for (const NamePair& pair : kGlobalNames)
    if (stem == pair.*from && (pair.dialects & dialect) != 0) return fmt::format("{}{}", pair.*to, kind);
  if (!stem.starts_with(from_prefix)) return {};
  stem.remove_prefix(from_prefix.size());
  const size_t end = stem.find('.');
  if (end == std::string_view::npos) return {};
  const std::string_view layer = stem.substr(0, end);
  const auto number = parse_integer(layer);
  if (!number || *number < 0 || fmt::to_string(*number) != layer) return {};  // one way to write a number
  for (const NamePair& pair : kLayerNames)
    if (stem.substr(end + 1) == pair.*from && (pair.dialects & dialect) != 0)
      return fmt::format("{}{}.{}{}", to_prefix, layer, pair.*to, kind);
  return {};
}

}  // namespace

std::span<const GgufArchitecture> gguf_architectures() { return kArchitectures; }

const GgufArchitecture* find_gguf_architecture(std::string_view name) {
  for (const GgufArchitecture& row : kArchitectures)
    if (row.name == name) return &row;
  return nullptr;
}

std::string gguf_tensor_name(std::string_view hugging_face, const GgufArchitecture& architecture) {
  return translate(hugging_face, architecture.dialect, &NamePair::hugging_face, &NamePair::gguf, "model.layers.",
                   "blk.");
}

std::string hugging_face_tensor_name(std::string_view gguf, const GgufArchitecture& architecture) {
  return translate(gguf, architecture.dialect, &NamePair::gguf, &NamePair::hugging_face, "blk.", "model.layers.");
}

int64_t half_split_row(int64_t row, int64_t head_dim) {
  const int64_t within = row % head_dim;
  return row - within + within % 2 * (head_dim / 2) + within / 2;
}

int64_t neighbour_row(int64_t row, int64_t head_dim) {
  const int64_t within = row % head_dim, half = head_dim / 2;
  return row - within + within % half * 2 + within / half;
}

}  // namespace halftone
