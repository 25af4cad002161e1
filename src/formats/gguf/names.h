// SPDX-License-Identifier: Apache-2.0
// Tensor names of decoders in both conventions, by architecture, and where GGUF's rows lie in a Hugging Face matrix.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace halftone {

// How the two conventions differ for one value of "general.architecture".
struct GgufArchitecture {
  std::string_view name;     // "llama", "phi3"
  uint32_t dialect;          // which of the tensor names it uses (names.cc)
  bool neighbours;           // query and key heads rotate neighbouring rows: half_split_row
  bool norms_hold_one_more;  // every vector named ..norm.weight is stored + 1 (Gemma)
};
// The architectures of llama.cpp that halftone knows.
std::span<const GgufArchitecture> gguf_architectures();
const GgufArchitecture* find_gguf_architecture(std::string_view name);  // null when it is none of them

// "model.layers.3.self_attn.q_proj.weight" and "blk.3.attn_q.weight". Empty when the name is none of the
// architecture's.
std::string gguf_tensor_name(std::string_view hugging_face, const GgufArchitecture& architecture);
std::string hugging_face_tensor_name(std::string_view gguf, const GgufArchitecture& architecture);

// GGUF's "llama" rotates neighbouring rows of a query or key head; Hugging Face rotates row i with row i + head_dim
// / 2. Which row of the Hugging Face matrix is row `row` of the GGUF one. REQUIRES: head_dim is even.
int64_t half_split_row(int64_t row, int64_t head_dim);
// The other way round: which row of the GGUF matrix is row `row` of the Hugging Face one.
int64_t neighbour_row(int64_t row, int64_t head_dim);

}  // namespace halftone
