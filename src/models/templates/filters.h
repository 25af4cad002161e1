// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "models/templates/machine.h"

namespace halftone::jinja {

struct FilterCall {
  Machine& machine;
  int line;
  std::string_view name;
  const Value& value;
  const Arguments& arguments;

  Result<std::string> text() const { return machine.text(line, value); }
  Result<Items> items() const { return machine.items(line, value); }
  template <class... Args>
  Status fail(fmt::format_string<Args...> format, Args&&... args) const {
    return machine.fail(line, "| {}: {}", name, fmt::format(format, std::forward<Args>(args)...));
  }
};

struct FilterRow {
  std::string_view name;
  Result<Value> (*apply)(const FilterCall& call);
};

std::span<const FilterRow> list_filters();  // list_filters.cc: those that take a list

}  // namespace halftone::jinja
