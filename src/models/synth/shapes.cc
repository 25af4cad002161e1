// SPDX-License-Identifier: Apache-2.0
// The config.json of each shape, as published with the model.
#include "models/synth.h"

namespace halftone {
namespace {

constexpr std::string_view kLlama1B = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
  "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
  "head_dim": 64, "vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
  "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                   "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "tie_word_embeddings": true, "bos_token_id": 128000, "eos_token_id": 128001})";

constexpr std::string_view kLlama3B = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
  "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28, "num_attention_heads": 24, "num_key_value_heads": 8,
  "head_dim": 128, "vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
  "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                   "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "tie_word_embeddings": true, "bos_token_id": 128000, "eos_token_id": 128001})";

constexpr std::string_view kLlama8B = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "attention_bias": false,
  "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
  "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192, "rms_norm_eps": 1e-05,
  "rope_theta": 500000.0, "rope_scaling": null, "tie_word_embeddings": false, "bos_token_id": 128000, "eos_token_id": 128001})";

constexpr std::string_view kLlama7B = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
  "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
  "num_key_value_heads": 32, "vocab_size": 32000, "max_position_embeddings": 4096, "rms_norm_eps": 1e-05,
  "rope_scaling": null, "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": 2})";

constexpr std::string_view kMistral7B = R"({
  "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu",
  "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
  "num_key_value_heads": 8, "vocab_size": 32768, "max_position_embeddings": 32768, "rms_norm_eps": 1e-05,
  "rope_theta": 1000000.0, "sliding_window": null, "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": 2})";

constexpr std::string_view kPhi4Mini = R"({
  "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_act": "silu", "attention_bias": false,
  "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32, "num_attention_heads": 24, "num_key_value_heads": 8,
  "vocab_size": 200064, "max_position_embeddings": 131072, "original_max_position_embeddings": 4096, "rms_norm_eps": 1e-05,
  "rope_theta": 10000.0, "partial_rotary_factor": 0.75, "sliding_window": 262144, "tie_word_embeddings": true,
  "bos_token_id": 199999, "eos_token_id": 199999})";

constexpr std::string_view kPhi2 = R"({
  "architectures": ["PhiForCausalLM"], "model_type": "phi", "hidden_act": "gelu_new",
  "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 32, "num_attention_heads": 32,
  "num_key_value_heads": 32, "vocab_size": 51200, "max_position_embeddings": 2048, "layer_norm_eps": 1e-05,
  "rope_theta": 10000.0, "rope_scaling": null, "partial_rotary_factor": 0.4, "qk_layernorm": false,
  "tie_word_embeddings": false, "bos_token_id": 50256, "eos_token_id": 50256})";

constexpr std::string_view kGemma2B = R"({
  "architectures": ["GemmaForCausalLM"], "model_type": "gemma", "hidden_act": "gelu_pytorch_tanh", "attention_bias": false,
  "hidden_size": 2048, "intermediate_size": 16384, "num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 1,
  "head_dim": 256, "vocab_size": 256000, "max_position_embeddings": 8192, "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
  "tie_word_embeddings": true, "bos_token_id": 2, "eos_token_id": 1})";

constexpr std::string_view kGemma2_2B = R"({
  "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "hidden_act": "gelu_pytorch_tanh",
  "hidden_activation": "gelu_pytorch_tanh", "attention_bias": false, "hidden_size": 2304, "intermediate_size": 9216,
  "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 256000,
  "max_position_embeddings": 8192, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096,
  "query_pre_attn_scalar": 256, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
  "tie_word_embeddings": true, "bos_token_id": 2, "eos_token_id": 1})";

constexpr std::string_view kGemma3_1B = R"({
  "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh",
  "attention_bias": false, "hidden_size": 1152, "intermediate_size": 6912, "num_hidden_layers": 26, "num_attention_heads": 4,
  "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 262144, "max_position_embeddings": 32768, "rms_norm_eps": 1e-06,
  "rope_theta": 1000000, "rope_local_base_freq": 10000, "rope_scaling": null, "sliding_window": 512,
  "sliding_window_pattern": 6, "query_pre_attn_scalar": 256, "attn_logit_softcapping": null, "final_logit_softcapping": null,
  "tie_word_embeddings": true, "bos_token_id": 2, "eos_token_id": [1, 106]})";

constexpr std::string_view kQwen3_06B = R"({
  "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_act": "silu", "attention_bias": false,
  "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
  "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 40960, "max_window_layers": 28, "rms_norm_eps": 1e-06,
  "rope_theta": 1000000, "rope_scaling": null, "sliding_window": null, "use_sliding_window": false,
  "tie_word_embeddings": true, "bos_token_id": 151643, "eos_token_id": 151645})";

constexpr std::string_view kQwen15B = R"({
  "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
  "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
  "vocab_size": 151936, "max_position_embeddings": 131072, "max_window_layers": 28, "rms_norm_eps": 1e-06,
  "rope_theta": 1000000.0, "sliding_window": 131072, "use_sliding_window": false, "tie_word_embeddings": true,
  "bos_token_id": 151643, "eos_token_id": 151643})";

// Small, and awkward on purpose: an intermediate size that no block size divides. Token ids: synth/tiny_tokenizer.cc.
constexpr std::string_view kTiny = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
  "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
  "head_dim": 16, "vocab_size": 288, "max_position_embeddings": 512, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
  "tie_word_embeddings": true, "bos_token_id": 286, "eos_token_id": 287})";

// One of every other family, small enough to be computed by hand: tests/golden/logits_*.json. Windows and the longrope
// switch lie inside of 48 tokens, soft caps near the size of what they cap.
constexpr std::string_view kTinyMistral = R"({
  "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu", "hidden_size": 64,
  "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 288,
  "max_position_embeddings": 128, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 16,
  "tie_word_embeddings": false, "bos_token_id": 286, "eos_token_id": 287})";

constexpr std::string_view kTinyQwen2 = R"({
  "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "hidden_size": 64,
  "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 288,
  "max_position_embeddings": 128, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "use_sliding_window": false,
  "tie_word_embeddings": true, "bos_token_id": 286, "eos_token_id": 287})";

constexpr std::string_view kTinyQwen3 = R"({
  "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_act": "silu", "attention_bias": false,
  "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
  "head_dim": 32, "vocab_size": 288, "max_position_embeddings": 128, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
  "use_sliding_window": false, "tie_word_embeddings": true, "bos_token_id": 286, "eos_token_id": 287})";

constexpr std::string_view kTinyPhi = R"({
  "architectures": ["PhiForCausalLM"], "model_type": "phi", "hidden_act": "gelu_new", "hidden_size": 96,
  "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 3, "vocab_size": 288,
  "max_position_embeddings": 128, "layer_norm_eps": 1e-05, "rope_theta": 10000.0, "partial_rotary_factor": 0.4,
  "qk_layernorm": false, "tie_word_embeddings": false, "bos_token_id": 286, "eos_token_id": 287})";

constexpr std::string_view kTinyPhi3 = R"({
  "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_act": "silu", "attention_bias": false, "hidden_size": 64,
  "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 288,
  "max_position_embeddings": 128, "original_max_position_embeddings": 32, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
  "partial_rotary_factor": 0.75,
  "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.02, 1.05, 1.1, 1.3, 1.5],
                   "long_factor": [1.1, 1.5, 2.4, 3.6, 4.0, 4.2]},
  "sliding_window": null, "tie_word_embeddings": true, "bos_token_id": 286, "eos_token_id": 287})";

constexpr std::string_view kTinyGemma = R"({
  "architectures": ["GemmaForCausalLM"], "model_type": "gemma", "hidden_act": "gelu_pytorch_tanh", "hidden_size": 80,
  "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 32,
  "vocab_size": 288, "max_position_embeddings": 128, "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
  "tie_word_embeddings": true, "bos_token_id": 286, "eos_token_id": 287})";

constexpr std::string_view kTinyGemma2 = R"({
  "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 80,
  "intermediate_size": 112, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
  "vocab_size": 288, "max_position_embeddings": 128, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 16,
  "query_pre_attn_scalar": 32, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 0.5,
  "tie_word_embeddings": true, "bos_token_id": 286, "eos_token_id": 287})";

constexpr std::string_view kTinyGemma3 = R"({
  "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh",
  "hidden_size": 80, "intermediate_size": 112, "num_hidden_layers": 7, "num_attention_heads": 4, "num_key_value_heads": 1,
  "head_dim": 32, "vocab_size": 288, "max_position_embeddings": 128, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
  "rope_local_base_freq": 10000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "sliding_window": 16,
  "sliding_window_pattern": 6, "query_pre_attn_scalar": 32, "tie_word_embeddings": true, "bos_token_id": 286,
  "eos_token_id": 287})";

}  // namespace

std::vector<SynthShape> synth_shapes() {
  return {
      {"llama-3.2-1b", kLlama1B},
      {"llama-3.2-3b", kLlama3B},
      {"llama-3-8b", kLlama8B},
      {"llama-2-7b", kLlama7B},
      {"mistral-7b", kMistral7B},
      {"phi-4-mini", kPhi4Mini},
      {"phi-2", kPhi2},
      {"gemma-2b", kGemma2B},
      {"gemma-2-2b", kGemma2_2B},
      {"gemma-3-1b", kGemma3_1B},
      {"qwen2.5-1.5b", kQwen15B},
      {"qwen3-0.6b", kQwen3_06B},
      {"tiny", kTiny, true},
      {"tiny-mistral", kTinyMistral, true},
      {"tiny-qwen2", kTinyQwen2, true},
      {"tiny-qwen3", kTinyQwen3, true},
      {"tiny-phi", kTinyPhi, true},
      {"tiny-phi3", kTinyPhi3, true},
      {"tiny-gemma", kTinyGemma, true},
      {"tiny-gemma2", kTinyGemma2, true},
      {"tiny-gemma3", kTinyGemma3, true},
  };
}

}  // namespace halftone
