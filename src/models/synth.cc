// SPDX-License-Identifier: Apache-2.0
#include "models/synth.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "formats/safetensors/safetensors.h"
#include "models/synth/tensors.h"
#include "models/synth/tiny_tokenizer.h"

namespace halftone {
namespace {

constexpr size_t kTableSize = 1 << 16;
constexpr int64_t kChunkElements = 1 << 24;  // of one write
constexpr int64_t kPartElements = 1 << 18;   // of one thread at a time; a multiple of 4

// 65,536 draws, encoded; a 64-bit hash picks four of them. Ten times faster than computing each number.
template <class Bits>
std::vector<Bits> table_of(const std::vector<float>& draws, float mean, float deviation, Bits (*encode)(float)) {
  std::vector<Bits> table(kTableSize);
  for (size_t i = 0; i < kTableSize; ++i) table[i] = encode(mean + deviation * draws[i]);
  return table;
}

uint32_t f32_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

uint64_t mixed(uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  return value ^ value >> 31;
}

// Writes the payloads of all tensors. The bytes are a function of seed, tensor and element alone.
template <class Bits>
class Filler {
 public:
  Filler(uint64_t seed, Bits (*encode)(float), int threads)
      : encode_(encode), seed_(seed), pool_(threads > 0 ? threads : available_cores()) {
    Rng rng(seed);
    for (size_t i = 0; i < kTableSize; ++i) draws_.push_back(static_cast<float>(rng.normal()));
  }

  Status write(const SynthTensor& tensor, size_t index, SafetensorsWriter& writer, Progress& progress) {
    const auto key = std::pair(tensor.mean, tensor.deviation);
    if (!tables_.contains(key)) tables_[key] = table_of(draws_, tensor.mean, tensor.deviation, encode_);
    const std::vector<Bits>& table = tables_[key];
    const uint64_t stream = mixed(seed_ * 0x9E3779B97F4A7C15 + index + 1);
    for (int64_t begin = 0; begin < tensor.elements(); begin += kChunkElements) {
      const int64_t count = std::min(kChunkElements, tensor.elements() - begin);
      buffer_.resize(static_cast<size_t>(std::max<int64_t>(count, static_cast<int64_t>(buffer_.size()))));
      pool_.parallel_for(count, kPartElements,
                         [&](int64_t from, int64_t to, int) { fill(table, stream, begin, from, to); });
      const int64_t bytes = count * static_cast<int64_t>(sizeof(Bits));
      HALFTONE_TRY(writer.write(std::as_bytes(std::span(buffer_)).first(static_cast<size_t>(bytes))));
      progress.advance(bytes);
    }
    return {};
  }

 private:
  // Elements [from, to) of the chunk that begins at `begin`. REQUIRES: begin and from are multiples of 4.
  void fill(const std::vector<Bits>& table, uint64_t stream, int64_t begin, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i += 4) {
      const uint64_t bits = mixed(stream + static_cast<uint64_t>(begin + i) / 4 * 0x9E3779B97F4A7C15);
      for (int64_t lane = 0; lane < std::min<int64_t>(4, to - i); ++lane) {
        buffer_[static_cast<size_t>(i + lane)] = table[bits >> (16 * lane) & 0xFFFF];
      }
    }
  }

  Bits (*encode_)(float);
  uint64_t seed_;
  ThreadPool pool_;
  std::vector<float> draws_;
  std::map<std::pair<float, float>, std::vector<Bits>> tables_;
  std::vector<Bits> buffer_;
};

template <class Bits>
Status write_payloads(const std::vector<SynthTensor>& tensors, Bits (*encode)(float), const SynthOptions& options,
                      SafetensorsWriter& writer, Progress& progress) {
  Filler<Bits> filler(options.seed, encode, options.threads);
  for (size_t i = 0; i < tensors.size(); ++i) HALFTONE_TRY(filler.write(tensors[i], i, writer, progress));
  return {};
}

Status write_weights(const std::vector<SynthTensor>& tensors, const std::filesystem::path& path,
                     const SynthOptions& options, SynthReport& report, Progress& progress) {
  SafetensorsPlan plan;
  plan.metadata["format"] = "pt";
  for (const SynthTensor& tensor : tensors) {
    const int64_t bytes = tensor.elements() * bytes_of(options.type);
    plan.tensors.push_back({tensor.name, options.type, tensor.shape, bytes});
    report.parameters += tensor.elements();
    report.bytes += bytes;
  }
  report.tensors = static_cast<int64_t>(tensors.size());
  HALFTONE_ASSIGN(SafetensorsWriter writer, SafetensorsWriter::create(path, std::move(plan)));
  progress.begin("random weights", report.bytes, "bytes");
  Status written = options.type == DType::f32   ? write_payloads(tensors, f32_bits, options, writer, progress)
                   : options.type == DType::f16 ? write_payloads(tensors, f32_to_f16, options, writer, progress)
                                                : write_payloads(tensors, f32_to_bf16, options, writer, progress);
  progress.end();
  HALFTONE_TRY(std::move(written));
  return writer.finish();
}

std::string_view torch_name(DType type) {
  return type == DType::f32 ? "float32" : type == DType::f16 ? "float16" : "bfloat16";
}

struct Note {
  std::string_view shape;
  bool tokenizer;
};

Result<SynthReport> write_folder(nlohmann::ordered_json config, const Note& note, const std::filesystem::path& out,
                                 const SynthOptions& options, Progress& progress) {
  if (options.type != DType::bf16 && options.type != DType::f16 && options.type != DType::f32) {
    return invalid_input("[synth] expected element type bf16, f16 or f32, got {}", name_of(options.type));
  }
  HALFTONE_ASSIGN(std::vector<SynthTensor> tensors, synth_tensors(nlohmann::json(config)));
  std::sort(tensors.begin(), tensors.end(), [](const SynthTensor& a, const SynthTensor& b) { return a.name < b.name; });
  config["torch_dtype"] = torch_name(options.type);
  config["halftone_synth"] = {{"shape", note.shape},
                              {"weights", "random"},
                              {"seed", options.seed},
                              {"tokenizer", note.tokenizer ? "tokenizer.json" : "none"}};
  HALFTONE_ASSIGN(AtomicFolder folder, AtomicFolder::create(out, options.replace));
  SynthReport report;
  report.path = out;
  HALFTONE_TRY(write_file_atomic(folder.path() / "config.json", config.dump(2) + "\n"));
  if (note.tokenizer) HALFTONE_TRY(write_file_atomic(folder.path() / "tokenizer.json", tiny_tokenizer_json()));
  HALFTONE_TRY(write_weights(tensors, folder.path() / "model.safetensors", options, report, progress));
  HALFTONE_TRY(folder.commit());
  return report;
}

}  // namespace

Result<SynthReport> synth(std::string_view shape, const std::filesystem::path& out, const SynthOptions& options,
                          Progress& progress) {
  if (options.layers < 0)
    return invalid_input("[synth] expected 1 layer or more (0: the shape's own), got {}", options.layers);
  std::vector<std::string_view> known;
  for (const SynthShape& row : synth_shapes()) {
    if (row.name == shape) {
      auto config = nlohmann::ordered_json::parse(row.config);
      if (options.layers > 0) config["num_hidden_layers"] = options.layers;
      return write_folder(std::move(config), {row.name, row.tokenizer}, out, options, progress);
    }
    known.push_back(row.name);
  }
  return invalid_input("[synth] expected a shape ({}), got \"{}\"", fmt::join(known, ", "), shape);
}

Result<SynthReport> synth_from_config(const nlohmann::json& config, const std::filesystem::path& out,
                                      const SynthOptions& options, Progress& progress) {
  return write_folder(nlohmann::ordered_json(config), {"custom", false}, out, options, progress);
}

}  // namespace halftone
