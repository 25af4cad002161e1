// SPDX-License-Identifier: Apache-2.0
#include "formats/tflite/flat_table.h"

namespace halftone::tflite {
namespace {

constexpr flatbuffers::uoffset_t kMaxTables = 4'000'000;

flatbuffers::Verifier::Options options() {
  flatbuffers::Verifier::Options options;
  options.max_tables = kMaxTables;
  return options;
}

}  // namespace

FlatBuffer::FlatBuffer(std::span<const std::byte> bytes, std::string_view name)
    : bytes_(bytes), name_(name), verifier_(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), options()) {
  HALFTONE_CHECK(bytes.size() < FLATBUFFERS_MAX_BUFFER_SIZE);
}

bool FlatBuffer::has_identifier(const char* identifier) const {
  return bytes_.size() >= 8 && std::memcmp(bytes_.data() + 4, identifier, 4) == 0;
}

void FlatBuffer::damaged(std::string_view what, const uint8_t* at) {
  if (!status_.ok()) return;
  status_ = invalid_input(
      "{}: offset {}: expected {} inside the file's {} bytes, got one beyond; the file is truncated or damaged", name_,
      at - begin(), what, bytes_.size());
}

const uint8_t* FlatBuffer::follow(const uint8_t* at, std::string_view what) {
  const flatbuffers::uoffset_t offset = verifier_.VerifyOffset(static_cast<size_t>(at - begin()));
  if (offset != 0) return at + offset;
  damaged(what, at);
  return nullptr;
}

FlatTable FlatBuffer::root() {
  const uint8_t* at = follow(begin(), "the root table");
  return at == nullptr ? FlatTable() : FlatTable(this, at);
}

FlatTable::FlatTable(FlatBuffer* buffer, const uint8_t* at) : buffer_(buffer) {
  // Depth is the reader's own: it never follows a table into itself.
  const bool good = buffer->verifier_.VerifyTableStart(at);
  buffer->verifier_.EndTable();
  if (good)
    table_ = reinterpret_cast<const flatbuffers::Table*>(at);
  else
    buffer->damaged("a table", at);
}

const uint8_t* FlatTable::locate(int field) const {
  if (table_ == nullptr) return nullptr;
  constexpr int kFirst = 4;  // bytes of a table's index before its first field
  return table_->GetAddressOf(static_cast<flatbuffers::voffset_t>(kFirst + 2 * field));
}

std::span<const std::byte> FlatTable::vector(int field, size_t element) const {
  const uint8_t* at = locate(field);
  if (at == nullptr) return {};
  const uint8_t* list = buffer_->follow(at, "a list");
  if (list == nullptr) return {};
  if (!buffer_->verifier_.VerifyVectorOrString(list, element)) {
    buffer_->damaged("a list", list);
    return {};
  }
  const size_t count = flatbuffers::ReadScalar<flatbuffers::uoffset_t>(list);
  return {reinterpret_cast<const std::byte*>(list) + sizeof(flatbuffers::uoffset_t), count * element};
}

std::string_view FlatTable::text(int field) const {
  const std::span<const std::byte> raw = vector(field, 1);
  return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

FlatTable FlatTable::table(int field) const {
  const uint8_t* at = locate(field);
  if (at == nullptr) return {};
  const uint8_t* found = buffer_->follow(at, "a table");
  return found == nullptr ? FlatTable() : FlatTable(buffer_, found);
}

std::vector<FlatTable> FlatTable::tables(int field) const {
  const std::span<const std::byte> raw = vector(field, sizeof(flatbuffers::uoffset_t));
  std::vector<FlatTable> found;
  for (size_t at = 0; at < raw.size() && buffer_->status_.ok(); at += sizeof(flatbuffers::uoffset_t)) {
    const uint8_t* table = buffer_->follow(reinterpret_cast<const uint8_t*>(raw.data()) + at, "a table");
    if (table != nullptr) found.push_back(FlatTable(buffer_, table));
  }
  return found;
}

}  // namespace halftone::tflite
