// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/decoder.h"

#include <array>

#include "base/error.h"
#include "models/tokenizers/byte_alphabet.h"

namespace halftone {
namespace {

constexpr int kMaxDecoders = 8;

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

int byte_of_name(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  const int high = hex_digit(piece[3]), low = hex_digit(piece[4]);
  return high < 0 || low < 0 ? -1 : 16 * high + low;
}

std::string name_of_byte(uint8_t byte) { return fmt::format("<0x{:02X}>", byte); }

Result<PieceDecoder> PieceDecoder::read(JsonReader& tokenizer) {
  PieceDecoder decoder;
  if (!tokenizer.has("decoder")) {
    return unsupported("{}: expected a decoder, got none; without one nobody knows where spaces belong",
                       tokenizer.place("decoder"));
  }
  JsonReader reader = tokenizer.object("decoder");
  HALFTONE_TRY(decoder.read_step(reader, 0));
  return decoder;
}

Status PieceDecoder::read_step(JsonReader& reader, int depth) {
  const std::string type = reader.text("type", "");
  HALFTONE_TRY(reader.status());
  if (depth > kMaxDecoders)
    return invalid_input("{}: expected at most {} nested sequences", reader.place(""), kMaxDecoders);
  if (type == "Sequence") {
    reader.only({"type", "decoders"});
    for (JsonReader& inner : reader.objects("decoders")) HALFTONE_TRY(read_step(inner, depth + 1));
  } else if (type == "ByteLevel") {
    reader.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    byte_level_ = true;
  } else if (type == "ByteFallback") {
    reader.only({"type"});
    byte_fallback_ = true;
  } else if (type == "Fuse") {
    reader.only({"type"});
  } else if (type == "Metaspace") {
    reader.only({"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"});
    replacements_.emplace_back(reader.text("replacement", "\xE2\x96\x81"), " ");
    const bool add_prefix = reader.boolean("add_prefix_space", true);
    if (reader.text("prepend_scheme", add_prefix ? "always" : "never") != "never") leading_ = " ";
  } else if (type == "Replace") {
    reader.only({"type", "pattern", "content"});
    JsonReader pattern = reader.object("pattern");
    pattern.only({"String"});
    replacements_.emplace_back(pattern.text("String", ""), reader.text("content", ""));
    reader.absorb(pattern);
  } else if (type == "WordPiece") {
    reader.only({"type", "prefix", "cleanup"});
    word_pieces_ = true;
    inside_ = reader.text("prefix", "##");
    clean_ = reader.boolean("cleanup", true);
    leading_ = " ";
  } else if (type == "Strip") {
    return read_strip(reader);
  } else {
    return unsupported(
        "{}: expected ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, WordPiece or Sequence, got \"{}\"",
        reader.place("type"), type);
  }
  if (reader.status().ok() && !replacements_.empty() && replacements_.back().first.empty()) {
    return invalid_input("{}: expected a string of at least one character to replace", reader.place(""));
  }
  return reader.status();
}

Status PieceDecoder::read_strip(JsonReader& reader) {
  reader.only({"type", "content", "start", "stop"});
  const std::string content = reader.text("content", " ");
  const int64_t start = reader.integer("start", 0, 16, 0), stop = reader.integer("stop", 0, 16, 0);
  HALFTONE_TRY(reader.status());
  if (stop != 0) {
    return unsupported("{}: expected 0 (a stream of text has no known end), got {}", reader.place("stop"), stop);
  }
  for (int64_t i = 0; i < start; ++i) leading_ += content;
  return {};
}

// A space before every word; with `clean_` none before signs and short forms.
std::string PieceDecoder::word_piece(std::string_view piece) const {
  if (!inside_.empty() && piece.starts_with(inside_)) return std::string(piece.substr(inside_.size()));
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kClean = {{{" .", "."},
                                                                                            {" ?", "?"},
                                                                                            {" !", "!"},
                                                                                            {" ,", ","},
                                                                                            {" ' ", "'"},
                                                                                            {" n't", "n't"},
                                                                                            {" 'm", "'m"},
                                                                                            {" do not", " don't"},
                                                                                            {" 's", "'s"},
                                                                                            {" 've", "'ve"},
                                                                                            {" 're", "'re"}}};
  std::string text = " " + std::string(piece);
  for (const auto& [from, to] : kClean) {
    for (size_t at = clean_ ? text.find(from) : std::string::npos; at != std::string::npos;
         at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  }
  return text;
}

std::string PieceDecoder::bytes_of(std::string_view piece) const {
  if (byte_fallback_) {
    const int byte = byte_of_name(piece);
    if (byte >= 0) return std::string(1, static_cast<char>(byte));
  }
  std::string text = word_pieces_ ? word_piece(piece) : std::string(piece);
  for (const auto& [from, to] : replacements_) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
  }
  if (!byte_level_) return text;
  std::string bytes;
  return from_byte_alphabet(text, bytes) ? bytes : text;
}

}  // namespace halftone
