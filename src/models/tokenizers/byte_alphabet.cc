// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/byte_alphabet.h"

#include <array>

#include "base/utf8.h"

namespace halftone {
namespace {

constexpr int32_t kFirstMoved = 0x100;
constexpr int kMovedBytes = 68;

bool visible(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
}

struct Tables {
  std::array<std::string, 256> characters;
  std::array<int, kFirstMoved + kMovedBytes> bytes;

  Tables() {
    bytes.fill(-1);
    int32_t moved = kFirstMoved;
    for (int byte = 0; byte < 256; ++byte) {
      const int32_t code_point = visible(byte) ? byte : moved++;
      append_utf8(characters[static_cast<size_t>(byte)], code_point);
      bytes[static_cast<size_t>(code_point)] = byte;
    }
  }
};

const Tables& tables() {
  static const Tables kTables;
  return kTables;
}

}  // namespace

std::string_view alphabet_character(uint8_t byte) { return tables().characters[byte]; }

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 4);
  for (const char byte : bytes) text += alphabet_character(static_cast<uint8_t>(byte));
  return text;
}

bool from_byte_alphabet(std::string_view text, std::string& bytes) {
  const size_t before = bytes.size();
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    const bool known = step.code_point >= 0 && static_cast<size_t>(step.code_point) < tables().bytes.size();
    const int byte = known ? tables().bytes[static_cast<size_t>(step.code_point)] : -1;
    if (byte < 0) {
      bytes.resize(before);
      return false;
    }
    bytes += static_cast<char>(byte);
    at += step.length;
  }
  return true;
}

}  // namespace halftone
