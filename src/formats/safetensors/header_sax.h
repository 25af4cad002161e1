// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

// The JSON header as written, its numbers not yet compared with anything.
struct RawSafetensorsEntry {
  std::string name, type;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;
};
struct RawSafetensorsHeader {
  std::vector<RawSafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
};

// Reads the header event by event: a hostile header costs no tree of it. Only the form {name: {dtype, shape,
// data_offsets}} and
// "__metadata__": {string: string} is accepted, every key once. `name` stands for the file in messages.
Result<RawSafetensorsHeader> parse_safetensors_json(std::string_view text, std::string_view name);

}  // namespace halftone
