// SPDX-License-Identifier: Apache-2.0
// llama.cpp fixes in its code much of what config.json says: such settings must be what it assumes.
#include "export/architecture.h"

#include <fmt/ranges.h>

#include "base/error.h"

namespace halftone {
namespace {

struct FamilyName {
  std::string_view family, architecture;
};

constexpr FamilyName kFamilies[] = {
    {"llama", "llama"}, {"mistral", "llama"}, {"qwen2", "qwen2"},   {"qwen3", "qwen3"},   {"phi", "phi2"},
    {"phi3", "phi3"},   {"gemma", "gemma"},   {"gemma2", "gemma2"}, {"gemma3", "gemma3"},
};

constexpr int64_t kGemma3Pattern = 6;  // every sixth layer sees everything
constexpr int64_t kLayersOfGemma2_27B = 46, kLayersOfGemma3_27B = 62;

template <class Expected, class Got>
Status refuse(const LanguageModel& model, std::string_view what, const Expected& expected, const Got& got,
              std::string_view architecture) {
  return unsupported("[export] {}: {}: expected {}, got {}; GGUF cannot say it for {}", model.path.string(), what,
                     expected, got, architecture);
}

// The 27B models divide scores by the root of hidden / heads, all others by that of head_dim.
Status check_query_scalar(const LanguageModel& model, std::string_view architecture) {
  const ModelConfig& config = model.config;
  const bool largest = config.layers == (architecture == "gemma2" ? kLayersOfGemma2_27B : kLayersOfGemma3_27B);
  const int64_t assumed = largest ? config.hidden / config.heads : config.head_dim;
  if (config.query_scalar == static_cast<double>(assumed)) return {};
  return refuse(model, "query_pre_attn_scalar", assumed, config.query_scalar, architecture);
}

Status check_windows(const LanguageModel& model, std::string_view architecture) {
  for (int64_t layer = 0; layer < model.config.layers; ++layer) {
    const bool assumed = architecture == "gemma2" ? layer % 2 == 0 : (layer + 1) % kGemma3Pattern != 0;
    if (model.config.is_windowed(layer) == assumed) continue;
    return refuse(model, fmt::format("layer {}", layer), assumed ? "a sliding window" : "full attention",
                  assumed ? "full attention" : "a sliding window", architecture);
  }
  return {};
}

Status check_gemma(const LanguageModel& model, std::string_view architecture) {
  if (architecture != "gemma2" && architecture != "gemma3") return {};
  HALFTONE_TRY(check_query_scalar(model, architecture));
  HALFTONE_TRY(check_windows(model, architecture));
  const bool capped = model.config.attention_soft_cap > 0 && model.config.logit_soft_cap > 0;
  if (architecture == "gemma2" && !capped) return refuse(model, "soft caps", "both", "one or none", architecture);
  return {};
}

}  // namespace

Result<const GgufArchitecture*> gguf_architecture_of(const LanguageModel& model) {
  const ModelConfig& config = model.config;
  std::vector<std::string_view> known;
  for (const FamilyName& row : kFamilies) {
    known.push_back(row.family);
    if (row.family != config.family) continue;
    const GgufArchitecture* architecture = find_gguf_architecture(row.architecture);
    HALFTONE_CHECK(architecture != nullptr);
    if (architecture->neighbours && config.rotary() != config.head_dim)
      return unsupported("[export] {}: expected all {} columns of a head to rotate, got {}; GGUF cannot say it for {}",
                         model.path.string(), config.head_dim, config.rotary(), row.architecture);
    const bool divisors = row.architecture == "llama" && config.rope.same_at_every_length();
    if (config.rope.scaling == "longrope" && row.architecture != "phi3" && !divisors)
      return refuse(model, "rope_scaling", "another kind", config.rope.scaling, row.architecture);
    HALFTONE_TRY(check_gemma(model, row.architecture));
    return architecture;
  }
  return unsupported("[export] {}: expected a family that GGUF export knows ({}), got {}", model.path.string(),
                     fmt::join(known, ", "), config.family);
}

}  // namespace halftone
