// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "formats/safetensors/header_sax.h"

namespace halftone {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// Payload bytes of a shape; false when they do not fit 63 bits.
bool payload_bytes(DType type, const std::vector<int64_t>& shape, uint64_t& bytes) {
  uint64_t product = static_cast<uint64_t>(bytes_of(type));
  for (const int64_t dimension : shape) {
    if (dimension < 0) return false;
    if (dimension == 0) {
      bytes = 0;
      return true;
    }
    if (product > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / static_cast<uint64_t>(dimension))
      return false;
    product *= static_cast<uint64_t>(dimension);
  }
  bytes = product;
  return true;
}

std::string shape_text(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Result<uint64_t> header_length(std::span<const std::byte> file, std::string_view name) {
  if (file.size() < kLengthBytes)
    return invalid_input(
        "[safetensors] {}: expected at least {} bytes, got {}; the file is truncated, download it again", name,
        kLengthBytes, file.size());
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= static_cast<uint64_t>(file[i]) << (8 * i);
  if (length > kMaxHeaderBytes)
    return invalid_input(
        "[safetensors] {}: expected a header of at most {} bytes, got a length of {}; this is no safetensors "
        "file, or its first bytes are damaged",
        name, kMaxHeaderBytes, length);
  if (length > file.size() - kLengthBytes)
    return invalid_input(
        "[safetensors] {}: expected a header of {} bytes, got {} bytes after its length; the file is truncated, "
        "download it again",
        name, length, file.size() - kLengthBytes);
  return length;
}

// Turns what the header says into an entry of the file, or says what contradicts what.
Result<SafetensorsEntry> checked_entry(const RawSafetensorsEntry& raw, uint64_t data_begin, uint64_t data_bytes,
                                       std::string_view name) {
  const auto type = dtype_from_safetensors(raw.type);
  if (!type)
    return unsupported("[safetensors] {}: tensor '{}': expected an element type such as F32, F16 or BF16, got '{}'",
                       name, raw.name, raw.type);
  uint64_t bytes = 0;
  if (!payload_bytes(*type, raw.shape, bytes))
    return invalid_input("[safetensors] {}: tensor '{}': expected a shape whose size fits 63 bits, got {}", name,
                         raw.name, shape_text(raw.shape));
  if (raw.begin > raw.end)
    return invalid_input("[safetensors] {}: tensor '{}': expected data_offsets in ascending order, got [{}, {}]", name,
                         raw.name, raw.begin, raw.end);
  if (raw.end > data_bytes)
    return invalid_input(
        "[safetensors] {}: tensor '{}': expected its data inside the file's {} payload bytes, got data_offsets "
        "[{}, {}]; the file is truncated, download it again",
        name, raw.name, data_bytes, raw.begin, raw.end);
  if (raw.end - raw.begin != bytes)
    return invalid_input("[safetensors] {}: tensor '{}': expected {} bytes for {} {}, got data_offsets of {} bytes",
                         name, raw.name, bytes, raw.type, shape_text(raw.shape), raw.end - raw.begin);
  return SafetensorsEntry{raw.name, *type, raw.shape, data_begin + raw.begin, data_begin + raw.end};
}

// REQUIRES: entries sorted by begin. Payloads cover [begin, end) without overlap or hole.
Status check_cover(const std::vector<SafetensorsEntry>& entries, uint64_t begin, uint64_t end, std::string_view name) {
  uint64_t at = begin;
  const std::string* previous = nullptr;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin < at)
      return invalid_input(
          "[safetensors] {}: expected payloads that do not overlap, got '{}' and '{}' sharing bytes at {}", name,
          *previous, entry.name, entry.begin);
    if (entry.begin > at)
      return invalid_input("[safetensors] {}: expected payloads without holes, got {} unused bytes before '{}' at {}",
                           name, entry.begin - at, entry.name, at);
    at = entry.end;
    previous = &entry.name;
  }
  if (at != end)
    return invalid_input(
        "[safetensors] {}: expected the last payload to end the file at {}, got {} unused bytes after {}", name, end,
        end - at, at);
  return {};
}

Status check_plan(const std::filesystem::path& path, const SafetensorsPlan& plan) {
  std::set<std::string_view> names;
  for (const SafetensorsPlan::Tensor& tensor : plan.tensors) {
    uint64_t bytes = 0;
    if (!payload_bytes(tensor.type, tensor.shape, bytes) || tensor.bytes < 0 ||
        static_cast<uint64_t>(tensor.bytes) != bytes)
      return invalid_input("[safetensors] {}: tensor '{}': expected a payload of {} {}, got {} bytes", path.string(),
                           tensor.name, safetensors_name(tensor.type), shape_text(tensor.shape), tensor.bytes);
    if (!names.insert(tensor.name).second)
      return invalid_input("[safetensors] {}: expected every tensor once, got '{}' twice", path.string(), tensor.name);
  }
  return {};
}

std::string head_of(const SafetensorsPlan& plan) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!plan.metadata.empty()) header["__metadata__"] = plan.metadata;
  int64_t at = 0;
  for (const SafetensorsPlan::Tensor& tensor : plan.tensors) {
    header[tensor.name] = {{"dtype", std::string(safetensors_name(tensor.type))},
                           {"shape", tensor.shape},
                           {"data_offsets", {at, at + tensor.bytes}}};
    at += tensor.bytes;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  const auto alignment = static_cast<size_t>(plan.alignment);
  const size_t unpadded = kLengthBytes + text.size();
  text.append((alignment - unpadded % alignment) % alignment, ' ');
  std::string head;
  for (size_t i = 0; i < kLengthBytes; ++i) head.push_back(static_cast<char>(text.size() >> (8 * i) & 0xff));
  return head + text;
}

}  // namespace

Result<SafetensorsHeader> parse_safetensors(std::span<const std::byte> file, std::string_view name) {
  HALFTONE_ASSIGN(const uint64_t length, header_length(file, name));
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  HALFTONE_ASSIGN(RawSafetensorsHeader raw, parse_safetensors_json(text, name));
  SafetensorsHeader header;
  header.metadata = std::move(raw.metadata);
  const uint64_t data_begin = kLengthBytes + length;
  for (const RawSafetensorsEntry& entry : raw.entries) {
    HALFTONE_ASSIGN(SafetensorsEntry checked, checked_entry(entry, data_begin, file.size() - data_begin, name));
    header.entries.push_back(std::move(checked));
  }
  std::stable_sort(header.entries.begin(), header.entries.end(),
                   [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
                     return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
                   });
  HALFTONE_TRY(check_cover(header.entries, data_begin, file.size(), name));
  return header;
}

int64_t safetensors_head_bytes(const SafetensorsPlan& plan) { return static_cast<int64_t>(head_of(plan).size()); }

Result<SafetensorsWriter> SafetensorsWriter::create(const std::filesystem::path& path, SafetensorsPlan plan) {
  HALFTONE_CHECK(plan.alignment > 0);
  HALFTONE_TRY(check_plan(path, plan));
  HALFTONE_ASSIGN(FileWriter file, FileWriter::create(path));
  std::string head = head_of(plan);
  HALFTONE_TRY(file.write(std::string_view(head)));
  return SafetensorsWriter(std::move(file), std::move(plan), std::move(head));
}

Status SafetensorsWriter::write(std::span<const std::byte> bytes) {
  while (tensor_ < plan_.tensors.size() && plan_.tensors[tensor_].bytes == 0) ++tensor_;
  if (bytes.empty()) return {};
  const int64_t size = static_cast<int64_t>(bytes.size());
  if (tensor_ == plan_.tensors.size())
    return invalid_input("[safetensors] expected no more bytes after the last tensor, got {}", size);
  const SafetensorsPlan::Tensor& tensor = plan_.tensors[tensor_];
  if (size > tensor.bytes - written_)
    return invalid_input("[safetensors] tensor '{}': expected {} more bytes, got {}", tensor.name,
                         tensor.bytes - written_, size);
  HALFTONE_TRY(file_.write(bytes));
  written_ += size;
  if (written_ == tensor.bytes) {
    ++tensor_;
    written_ = 0;
  }
  return {};
}

Status SafetensorsWriter::finish() {
  while (tensor_ < plan_.tensors.size() && plan_.tensors[tensor_].bytes == 0) ++tensor_;
  if (tensor_ < plan_.tensors.size())
    return invalid_input("[safetensors] tensor '{}': expected {} bytes, got {}", plan_.tensors[tensor_].name,
                         plan_.tensors[tensor_].bytes, written_);
  return file_.close();
}

}  // namespace halftone
