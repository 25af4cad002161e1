// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf/names.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/numbers.h"

namespace halftone {
namespace {

struct NamePair {
  std::string_view hugging_face, gguf;
};

constexpr std::array kGlobalNames = {
    NamePair{"model.embed_tokens", "token_embd"},
    NamePair{"model.norm", "output_norm"},
    NamePair{"lm_head", "output"},
};

constexpr std::array kLayerNames = {
    NamePair{"input_layernorm", "attn_norm"},    NamePair{"self_attn.q_proj", "attn_q"},
    NamePair{"self_attn.k_proj", "attn_k"},      NamePair{"self_attn.v_proj", "attn_v"},
    NamePair{"self_attn.o_proj", "attn_output"}, NamePair{"self_attn.q_norm", "attn_q_norm"},
    NamePair{"self_attn.k_norm", "attn_k_norm"}, NamePair{"post_attention_layernorm", "ffn_norm"},
    NamePair{"mlp.gate_proj", "ffn_gate"},       NamePair{"mlp.up_proj", "ffn_up"},
    NamePair{"mlp.down_proj", "ffn_down"},
};

// Translates PREFIX.N.REST.(weight|bias) or NAME.(weight|bias); empty when the name is unknown.
std::string translate(std::string_view name, std::string_view NamePair::*from, std::string_view NamePair::*to,
                      std::string_view from_prefix, std::string_view to_prefix) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view kind = name.substr(dot);
  if (kind != ".weight" && kind != ".bias") return {};
  std::string_view stem = name.substr(0, dot);
  for (const NamePair& pair : kGlobalNames)
    if (stem == pair.*from) return fmt::format("{}{}", pair.*to, kind);
  if (!stem.starts_with(from_prefix)) return {};
  stem.remove_prefix(from_prefix.size());
  const size_t end = stem.find('.');
  if (end == std::string_view::npos) return {};
  const std::string_view layer = stem.substr(0, end);
  const auto number = parse_integer(layer);
  if (!number || *number < 0 || fmt::to_string(*number) != layer) return {};  // one way to write a number
  for (const NamePair& pair : kLayerNames)
    if (stem.substr(end + 1) == pair.*from) return fmt::format("{}{}.{}{}", to_prefix, layer, pair.*to, kind);
  return {};
}

}  // namespace

std::string gguf_tensor_name(std::string_view hugging_face) {
  return translate(hugging_face, &NamePair::hugging_face, &NamePair::gguf, "model.layers.", "blk.");
}

std::string hugging_face_tensor_name(std::string_view gguf) {
  return translate(gguf, &NamePair::gguf, &NamePair::hugging_face, "blk.", "model.layers.");
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
