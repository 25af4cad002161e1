// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/samples.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/json_text.h"

namespace halftone {
namespace {

using Json = nlohmann::json;

struct Magic {
  std::string_view bytes, what;
};
constexpr Magic kMagics[] = {{"\x89PNG", "a PNG picture"},    {"\xFF\xD8\xFF", "a JPEG picture"},
                             {"GIF8", "a GIF picture"},       {"RIFF", "a WAV, AVI or WebP file"},
                             {"PK\x03\x04", "a ZIP archive"}, {"\x1F\x8B", "a gzip archive"},
                             {"GGUF", "a GGUF model"},        {"%PDF", "a PDF document"},
                             {"PAR1", "a Parquet table"}};

int64_t line_at(std::string_view text, size_t offset) {
  return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
}

std::string keys_of(const Json& object) {
  std::string keys;
  for (const auto& [key, value] : object.items()) {
    if (keys.size() > 60) return keys + ", ...";
    keys += (keys.empty() ? "" : ", ") + key;
  }
  return keys.empty() ? "none" : keys;
}

Status read_tokens(const Json& list, const std::string& place, std::vector<int32_t>& tokens) {
  if (!list.is_array() || list.empty()) {
    return invalid_input("[calibration] {}: tokens: expected a list of token ids, got {}", place,
                         list.is_array() ? "an empty one" : list.type_name());
  }
  for (const Json& id : list) {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    if (!id.is_number_integer() || id < 0 || id > kMost) {
      return invalid_input(
          "[calibration] {}: tokens: expected whole numbers from 0, got {}", place,
          id.is_primitive() ? id.dump(-1, ' ', false, Json::error_handler_t::replace) : id.type_name());
    }
    tokens.push_back(id.get<int32_t>());
  }
  return {};
}

Result<CalibrationSample> read_sample(const Json& row, const std::string& place) {
  if (!row.is_object()) {
    return invalid_input("[calibration] {}: expected an object like {{\"text\": \"...\"}}, got {}", place,
                         row.type_name());
  }
  CalibrationSample sample;
  const auto text = row.find("text"), tokens = row.find("tokens");
  if ((text == row.end()) == (tokens == row.end())) {
    return invalid_input("[calibration] {}: expected one of the keys \"text\" and \"tokens\", got {}", place,
                         text == row.end() ? keys_of(row) : "both");
  }
  if (tokens != row.end()) {
    sample.has_tokens = true;
    HALFTONE_TRY(read_tokens(*tokens, place, sample.tokens));
    return sample;
  }
  if (!text->is_string() || text->get_ref<const std::string&>().empty()) {
    return invalid_input("[calibration] {}: text: expected text, got {}", place,
                         text->is_string() ? "none" : text->type_name());
  }
  sample.text = text->get<std::string>();
  return sample;
}

}  // namespace

Status check_calibration_text(std::string_view bytes, std::string_view name) {
  for (const Magic& magic : kMagics) {
    if (!bytes.starts_with(magic.bytes)) continue;
    return invalid_input("[calibration] {}: expected text or JSON lines for a language model, got {}", name,
                         magic.what);
  }
  if (const size_t zero = bytes.find('\0'); zero != std::string_view::npos) {
    return invalid_input("[calibration] {}: expected text or JSON lines, got a zero byte at {}; this is a binary file",
                         name, zero);
  }
  if (const auto bad = first_invalid_utf8(bytes)) {
    return invalid_input("[calibration] {}:{}: expected UTF-8, got byte 0x{:02x}; convert the file", name,
                         line_at(bytes, *bad), static_cast<unsigned char>(bytes[*bad]));
  }
  return {};
}

Result<std::vector<CalibrationSample>> parse_calibration_lines(std::string_view text, std::string_view name) {
  HALFTONE_TRY(check_calibration_text(text, name));
  std::vector<CalibrationSample> samples;
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = fmt::format("{}:{}", name, number);
    HALFTONE_ASSIGN(const Json row, parse_json(line, place));
    HALFTONE_ASSIGN(CalibrationSample sample, read_sample(row, place));
    sample.line = number;
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace halftone
