// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/characters_map.h"

#include <utf8proc.h>

#include "base/error.h"
#include "base/utf8.h"

namespace halftone {
namespace {

constexpr size_t kMaxCluster = 6;  // bytes; clusters that are this long or longer are looked at by character

// Units of the trie (Yata's double array): a label, where the children are, and whether a value ends here.
uint32_t label_of(uint32_t unit) { return unit & 0x800000FF; }
uint32_t children_of(uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }
bool has_value(uint32_t unit) { return (unit >> 8 & 1) != 0; }

uint32_t unit_at(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  return value;
}

}  // namespace

Result<CharactersMap> CharactersMap::read(std::string_view blob, std::string_view place) {
  CharactersMap map;
  if (blob.empty()) return map;
  const size_t trie = blob.size() < 4 ? 0 : unit_at(blob, 0);
  if (blob.size() < 4 || trie % 4 != 0 || trie == 0 || trie > blob.size() - 4) {
    return invalid_input("{}: expected a character map (a length, a trie and texts), got {} bytes that are none", place,
                         blob.size());
  }
  for (size_t at = 4; at < 4 + trie; at += 4) map.units_.push_back(unit_at(blob, at));
  map.targets_ = blob.substr(4 + trie);
  if (!map.targets_.empty() && map.targets_.back() != '\0')
    return invalid_input("{}: expected the texts of the character map to end with a zero byte", place);
  for (size_t at = 0; at < map.targets_.size(); at += map.target(static_cast<uint32_t>(at)).size() + 1) {
    if (first_invalid_utf8(map.target(static_cast<uint32_t>(at))))
      return invalid_input("{}: expected texts in UTF-8 in the character map", place);
  }
  return map;
}

std::optional<CharactersMap::Found> CharactersMap::find(std::string_view text, bool longest) const {
  std::optional<Found> found;
  size_t node = children_of(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (node >= units_.size() || label_of(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= children_of(unit);
    if (!has_value(unit)) continue;
    if (node >= units_.size()) break;
    const uint32_t value = units_[node] & 0x7FFFFFFF;
    // A target inside of a character, or beyond the texts, is damage; such an entry is none.
    const bool whole = value < targets_.size() && (static_cast<uint8_t>(targets_[value]) & 0xC0) != 0x80;
    if (whole) found = Found{i + 1, value};
    if (found && !longest) break;
  }
  return found;
}

std::string CharactersMap::apply(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    // Longer than any entry of a real map; it keeps a damaged one linear.
    constexpr size_t kLongest = 256;
    const std::optional<Found> found = find(text.substr(at, kLongest), true);
    const size_t character = utf8_length(text[at]);
    const bool ends_well =
        found && (at + found->length == text.size() || (static_cast<uint8_t>(text[at + found->length]) & 0xC0) != 0x80);
    if (ends_well) {
      out += target(found->target);
      at += found->length;
    } else {
      out += text.substr(at, character);
      at += character;
    }
  }
  return out;
}

std::string CharactersMap::apply_clusters(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    utf8proc_int32_t state = 0;
    for (int32_t previous = -1; end < text.size();) {
      const Utf8Step step = utf8_step(text, end);
      if (previous >= 0 && utf8proc_grapheme_break_stateful(previous, step.code_point, &state)) break;
      previous = step.code_point;
      end += step.length;
    }
    const std::string_view cluster = text.substr(at, end - at);
    const std::optional<Found> whole = cluster.size() < kMaxCluster ? find(cluster, false) : std::nullopt;
    if (whole) {
      out += target(whole->target);
    } else {
      for (size_t i = 0; i < cluster.size();) {
        const std::string_view character = cluster.substr(i, utf8_length(cluster[i]));
        const std::optional<Found> found = find(character, false);
        out += found ? target(found->target) : character;
        i += character.size();
      }
    }
    at = end;
  }
  return out;
}

}  // namespace halftone
