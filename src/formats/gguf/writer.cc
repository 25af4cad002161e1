// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <limits>

#include "base/error.h"
#include "formats/gguf/gguf.h"

namespace halftone {
namespace {

constexpr uint32_t kVersion = 3;

template <class T>
void append_little(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i)
    out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff));
}

void append_gguf_text(std::string& out, std::string_view text) {
  append_little<uint64_t>(out, text.size());
  out += text;
}

uint64_t aligned(uint64_t bytes) { return (bytes + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment; }

Status check_gguf_tensor(const GgufPlan::Tensor& tensor, std::string_view name) {
  if (tensor.name.empty() || tensor.name.size() > kMaxGgufNameBytes)
    return unsupported("[gguf] {}: tensor '{}': expected a name of 1 to {} bytes, got {}", name, tensor.name,
                       kMaxGgufNameBytes, tensor.name.size());
  const bool positive = std::all_of(tensor.shape.begin(), tensor.shape.end(), [](int64_t size) { return size > 0; });
  if (tensor.shape.empty() || tensor.shape.size() > kMaxGgufDimensions || !positive)
    return unsupported("[gguf] {}: tensor '{}': expected 1 to {} dimensions that are not empty, got {}", name,
                       tensor.name, kMaxGgufDimensions, tensor.shape.size());
  if (tensor.shape.back() % tensor.type->block != 0)
    return unsupported("[gguf] {}: tensor '{}': expected rows of a multiple of {} numbers for {}, got {}", name,
                       tensor.name, tensor.type->block, tensor.type->name, tensor.shape.back());
  return {};
}

}  // namespace

void GgufMetadata::begin(std::string_view key, GgufValueType type) {
  HALFTONE_CHECK(!key.empty() && key.size() <= 65535);
  HALFTONE_CHECK(keys_.emplace(key).second);
  append_gguf_text(bytes_, key);
  append_little(bytes_, static_cast<uint32_t>(type));
}

void GgufMetadata::begin_array(std::string_view key, GgufValueType element, size_t count) {
  begin(key, GgufValueType::array);
  append_little(bytes_, static_cast<uint32_t>(element));
  append_little<uint64_t>(bytes_, count);
}

void GgufMetadata::text(std::string_view key, std::string_view value) {
  begin(key, GgufValueType::text);
  append_gguf_text(bytes_, value);
}

void GgufMetadata::u32(std::string_view key, int64_t value) {
  HALFTONE_CHECK(value >= 0 && value <= std::numeric_limits<uint32_t>::max());
  begin(key, GgufValueType::u32);
  append_little(bytes_, static_cast<uint32_t>(value));
}

void GgufMetadata::f32(std::string_view key, double value) {
  begin(key, GgufValueType::f32);
  append_little(bytes_, std::bit_cast<uint32_t>(static_cast<float>(value)));
}

void GgufMetadata::boolean(std::string_view key, bool value) {
  begin(key, GgufValueType::boolean);
  bytes_.push_back(value ? '\1' : '\0');
}

void GgufMetadata::texts(std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufValueType::text, values.size());
  for (const std::string& value : values) append_gguf_text(bytes_, value);
}

void GgufMetadata::f32s(std::string_view key, std::span<const float> values) {
  begin_array(key, GgufValueType::f32, values.size());
  for (const float value : values) append_little(bytes_, std::bit_cast<uint32_t>(value));
}

void GgufMetadata::i32s(std::string_view key, std::span<const int32_t> values) {
  begin_array(key, GgufValueType::i32, values.size());
  for (const int32_t value : values) append_little(bytes_, static_cast<uint32_t>(value));
}

void GgufMetadata::copy(const GgufEntry& entry) {
  begin(entry.key, entry.type);
  const auto width = static_cast<size_t>(bytes_of(entry.type));
  const auto number = [&](uint64_t bits) {
    for (size_t i = 0; i < width; ++i) bytes_.push_back(static_cast<char>(bits >> (8 * i) & 0xff));
  };
  if (const auto* natural = std::get_if<uint64_t>(&entry.value)) return number(*natural);
  if (const auto* whole = std::get_if<int64_t>(&entry.value)) return number(static_cast<uint64_t>(*whole));
  if (const auto* flag = std::get_if<bool>(&entry.value)) return number(*flag ? 1 : 0);
  if (const auto* text = std::get_if<std::string_view>(&entry.value)) return append_gguf_text(bytes_, *text);
  if (const auto* real = std::get_if<double>(&entry.value))
    return number(width == 8 ? std::bit_cast<uint64_t>(*real) : std::bit_cast<uint32_t>(static_cast<float>(*real)));
  const GgufArray& array = std::get<GgufArray>(entry.value);
  append_little(bytes_, static_cast<uint32_t>(array.element));
  append_little(bytes_, array.count);
  for (const std::string_view text : array.texts) append_gguf_text(bytes_, text);
  bytes_.append(reinterpret_cast<const char*>(array.numbers.data()), array.numbers.size());
}

int64_t GgufPlan::Tensor::bytes() const {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows * type->row_bytes(shape.back());
}

Result<std::string> gguf_head(const GgufPlan& plan, std::string_view name) {
  std::set<std::string_view> names;
  std::string head = "GGUF";
  append_little(head, kVersion);
  append_little<uint64_t>(head, plan.tensors.size());
  append_little(head, plan.metadata.count());
  head += plan.metadata.bytes();
  uint64_t offset = 0;
  for (const GgufPlan::Tensor& tensor : plan.tensors) {
    HALFTONE_TRY(check_gguf_tensor(tensor, name));
    if (!names.insert(tensor.name).second)
      return invalid_input("[gguf] {}: expected every tensor once, got '{}' twice", name, tensor.name);
    append_gguf_text(head, tensor.name);
    append_little(head, static_cast<uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size)
      append_little(head, static_cast<uint64_t>(*size));
    append_little(head, tensor.type->id);
    append_little(head, offset);
    offset += aligned(static_cast<uint64_t>(tensor.bytes()));
  }
  head.resize(static_cast<size_t>(aligned(head.size())), '\0');
  return head;
}

Result<GgufWriter> GgufWriter::create(const std::filesystem::path& path, GgufPlan plan) {
  HALFTONE_ASSIGN(const std::string head, gguf_head(plan, path.string()));
  HALFTONE_ASSIGN(FileWriter file, FileWriter::create(path));
  HALFTONE_TRY(file.write(head));
  return GgufWriter(std::move(file), std::move(plan));
}

Status GgufWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    HALFTONE_CHECK(tensor_ < plan_.tensors.size());
    const int64_t missing = plan_.tensors[tensor_].bytes() - written_;
    const auto part = bytes.first(std::min(bytes.size(), static_cast<size_t>(missing)));
    HALFTONE_TRY(file_.write(part));
    written_ += static_cast<int64_t>(part.size());
    bytes = bytes.subspan(part.size());
    if (static_cast<int64_t>(part.size()) < missing) continue;
    HALFTONE_TRY(file_.pad_to(static_cast<int64_t>(kGgufAlignment)));
    ++tensor_;
    written_ = 0;
  }
  return {};
}

Status GgufWriter::finish() {
  HALFTONE_CHECK(tensor_ == plan_.tensors.size());
  return file_.close();
}

}  // namespace halftone
