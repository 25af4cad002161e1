// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <utility>

#include "halftone/status.h"

namespace halftone {

// Builders of Status values: invalid_input("[safetensors] {}: expected ..., got ...", path, ...).
template <class... Args>
Status invalid_input(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::invalid_input, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status not_found(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::not_found, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status io_error(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::io, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status unsupported(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::unsupported, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Status exhausted(fmt::format_string<Args...> format, Args&&... args) {
  return {StatusCode::exhausted, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace halftone

// A broken invariant of ours (never of input): stops the program with the place.
#define HALFTONE_CHECK(condition) ((condition) ? void(0) : ::halftone::check_failed(__FILE__, __LINE__, #condition))

namespace halftone {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}  // namespace halftone
