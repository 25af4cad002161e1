// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "halftone/status.h"

namespace halftone {

// Decimal units everywhere: 1 MB = 1,000,000 bytes. Files hold plain integers; these are for people.
std::string format_bytes(int64_t bytes);     // "1.24 GB"
std::string format_count(int64_t count);     // "1,235,814"
std::string format_seconds(double seconds);  // "35 ms", "1.2 s", "2 min 5 s"
Result<int64_t> parse_bytes(
    std::string_view text);  // "1.2GB", "600 MB", "512MiB"; a bare number is an error that asks for a unit
Result<double> parse_rate(std::string_view text);      // "30tok/s"
Result<double> parse_duration(std::string_view text);  // "80ms", "2s"

}  // namespace halftone
