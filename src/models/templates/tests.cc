// SPDX-License-Identifier: Apache-2.0
// What may stand behind "is".
#include <algorithm>
#include <array>

#include "models/templates/machine.h"

namespace halftone::jinja {
namespace {

constexpr std::array<std::string_view, 29> kTests = {
    "defined", "undefined", "none",  "string",   "mapping", "iterable", "sequence",    "number", "integer", "float",
    "boolean", "true",      "false", "callable", "odd",     "even",     "divisibleby", "eq",     "equalto", "==",
    "ne",      "lt",        "le",    "gt",       "ge",      "in",       "sameas",      "lower",  "upper"};

bool compares(std::string_view name) { return name == "lt" || name == "le" || name == "gt" || name == "ge"; }

}  // namespace

bool known_test(std::string_view name) { return std::find(kTests.begin(), kTests.end(), name) != kTests.end(); }

Result<bool> Machine::test(int line, std::string_view name, const Value& value, const Arguments& arguments) {
  if (name == "defined" || name == "undefined") return value.is<Undefined>() == (name == "undefined");
  if (name == "none") return value.is<None>();
  if (name == "string") return value.is<Text>();
  if (name == "mapping") return value.is<Dict*>();
  if (name == "sequence" || name == "iterable")
    return value.is<Text>() || value.is<List*>() || value.is<Dict*>() || value.is<Undefined>();
  if (name == "number") return value.is_number();
  if (name == "integer") return value.is<int64_t>();
  if (name == "float") return value.is<double>();
  if (name == "boolean") return value.is<bool>();
  if (name == "true" || name == "false") return value.is<bool>() && value.as<bool>() == (name == "true");
  if (name == "callable") return value.is<Function*>();
  if (name == "lower" || name == "upper") {
    HALFTONE_ASSIGN(const std::string shown, text(line, value));
    const std::string lower = with_letters(shown, Letters::lower), upper = with_letters(shown, Letters::upper);
    return lower != upper && shown == (name == "lower" ? lower : upper);
  }
  if (name == "odd" || name == "even") {
    if (!value.is_whole()) return fail(line, "expected an integer for \"is {}\", got {}", name, value.kind());
    return (value.whole() % 2 != 0) == (name == "odd");
  }
  const Value* other = arguments.find(0, "");
  if (other == nullptr) return fail(line, "expected a value behind \"is {}\", got none", name);
  if (name == "divisibleby") {
    if (!value.is_whole() || !other->is_whole() || other->whole() == 0)
      return fail(line, "expected integers for \"is divisibleby\", got {} and {}", value.kind(), other->kind());
    return other->whole() == -1 || value.whole() % other->whole() == 0;
  }
  if (name == "in") return contains(line, value, *other);
  if (compares(name)) {
    HALFTONE_ASSIGN(const Order found, compare(line, value, *other));
    if (found == Order::none) return fail(line, "expected values with an order for \"is {}\"", name);
    return (found == Order::less && name[0] == 'l') || (found == Order::greater && name[0] == 'g') ||
           (found == Order::equal && name[1] == 'e');
  }
  HALFTONE_ASSIGN(const bool equals, same(line, value, *other));
  return equals == (name != "ne");
}

}  // namespace halftone::jinja
