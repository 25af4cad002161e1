// SPDX-License-Identifier: Apache-2.0
// A model as the file of another runtime, read back and compared with its source before the file appears.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "formats/fidelity.h"
#include "formats/gguf/types.h"
#include "halftone/status.h"
#include "models/language_model.h"

namespace halftone {

// Of models without one, or whose own llama.cpp has no kind for. stand_in: bytes and unused ids, so that programs that
// want a tokenizer open the file; its text means nothing.
enum class ExportTokenizer : uint8_t { own, none, stand_in };

struct ExportOptions {
  const GgmlType* type = nullptr;  // of all matrices; null: as stored (an int4 layout becomes q4_0, int8 q8_0)
  bool allow_requantize = false;   // else a tensor that would be re-quantized is an error
  bool allow_float = false;        // matrices whose rows fit no block are f16 instead of an error
  ExportTokenizer tokenizer = ExportTokenizer::own;
  bool replace = false;
};

struct ExportedTensor {
  std::string name, stored_name;  // Hugging Face's, the file's
  std::string layout, type;       // of the source ("computed" where it has none), of the file
  std::vector<int64_t> shape;
  int64_t elements = 0, bytes = 0;
  Fidelity fidelity = Fidelity::bit_exact;
  double relative_rms_error = 0;  // sqrt(sum (w' - w)^2 / sum w^2)
  double max_abs_error = 0;
};

struct ExportReport {
  std::filesystem::path path;
  std::string container = "gguf", architecture;
  std::vector<ExportedTensor> tensors;  // in file order
  std::vector<std::string> notes;       // what the other runtime will do differently, and what the user allowed
  int64_t file_bytes = 0;
  double seconds = 0, verify_seconds = 0;
  nlohmann::ordered_json to_json() const;
};

// Writes a GGUF file for the families of export/architecture.cc. Streams; the file appears whole and verified
// or not at all. Errors name the tensor: rows that fit no block, a layout that no type of GGUF holds, weights that
// overflow f16, a tokenizer that llama.cpp has no kind for.
Result<ExportReport> export_gguf(const LanguageModel& model, const std::filesystem::path& target,
                                 const ExportOptions& options, ThreadPool& pool, Progress& progress = no_progress());

}  // namespace halftone
