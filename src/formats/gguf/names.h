// SPDX-License-Identifier: Apache-2.0
// Tensor names of decoders in both conventions, and where GGUF's rows lie in a Hugging Face matrix.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace halftone {

// "model.layers.3.self_attn.q_proj.weight" and "blk.3.attn_q.weight". Empty when the name is none of a decoder with
// two norms per layer (Llama, Mistral, Qwen 2 and 3).
std::string gguf_tensor_name(std::string_view hugging_face);
std::string hugging_face_tensor_name(std::string_view gguf);

// GGUF's "llama" rotates neighbouring rows of a query or key head; Hugging Face rotates row i with row i + head_dim
// / 2. Which row of the Hugging Face matrix is row `row` of the GGUF one. REQUIRES: head_dim is even.
int64_t half_split_row(int64_t row, int64_t head_dim);
// The other way round: which row of the GGUF matrix is row `row` of the Hugging Face one.
int64_t neighbour_row(int64_t row, int64_t head_dim);

}  // namespace halftone
