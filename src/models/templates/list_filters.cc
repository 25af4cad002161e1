// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "models/templates/filters.h"

namespace halftone::jinja {
namespace {

using Call = FilterCall;

// value.a.b.0; what a filter's `attribute` means.
Result<Value> path_of(const Call& call, const Value& value, const Value& attribute) {
  if (!attribute.is<Text>()) return call.machine.item(call.line, value, attribute);
  Value found = value;
  const std::string& path = attribute.text();
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('.', at), path.size());
    const std::string part = path.substr(at, end - at);
    const bool number = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos;
    if (found.is<Undefined>()) return found;
    HALFTONE_ASSIGN(found,
                    call.machine.item(call.line, found, number ? Value(int64_t{std::stoll(part)}) : Value(part)));
    at = end + 1;
  }
  return found;
}

// The item, or its part where the filter has an `attribute`.
Result<Value> key_of(const Call& call, const Value& item, size_t place) {
  const Value* attribute = call.arguments.find(place, "attribute");
  if (attribute == nullptr || attribute->is<None>()) return item;
  return path_of(call, item, *attribute);
}

// Capital letters count as small ones where sorting and comparing do not ask for more.
Value folded(const Value& value, const Value* case_sensitive) {
  if (!value.is<Text>() || (case_sensitive != nullptr && case_sensitive->truth())) return value;
  return with_letters(value.text(), Letters::lower);
}

Result<Value> join(const Call& call) {
  HALFTONE_ASSIGN(const Items all, call.items());
  const Value* between = call.arguments.find(0, "d");
  std::string joined, separator;
  if (between != nullptr) {
    HALFTONE_ASSIGN(separator, call.machine.text(call.line, *between));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    HALFTONE_ASSIGN(const Value part, key_of(call, all[i], 1));
    HALFTONE_ASSIGN(const std::string shown, call.machine.text(call.line, part));
    if (i > 0) joined += separator;
    joined += shown;
    HALFTONE_TRY(call.machine.pay(call.line, separator.size()));
    if (joined.size() > call.machine.limits().bytes) break;
  }
  return call.machine.made_text(call.line, std::move(joined));
}

Result<Value> entries(const Call& call) {
  if (call.value.is<Undefined>()) return call.machine.arena.list({});
  if (!call.value.is<Dict*>()) return call.fail("expected a dict, got {}", call.value.kind());
  Arguments none;
  return call_method(call.machine, call.line, {Function::Kind::method, "items", call.value, nullptr, 0}, none);
}

Result<Value> as_list(const Call& call) {
  HALFTONE_ASSIGN(Items all, call.items());
  return call.machine.arena.list(std::move(all));
}

Result<Value> at_end(const Call& call) {
  HALFTONE_ASSIGN(const Items all, call.items());
  if (all.empty()) return Value::missing("item of an empty list");
  return call.name == "first" ? all.front() : all.back();
}

Result<Value> reversed(const Call& call) {
  HALFTONE_ASSIGN(Items all, call.items());
  std::reverse(all.begin(), all.end());
  if (!call.value.is<Text>()) return call.machine.arena.list(std::move(all));
  std::string text;
  for (const Value& character : all) text += character.text();
  return Value(std::move(text));
}

// select, reject: items that a test holds for; selectattr, rejectattr: whose attribute it holds for.
Result<Value> selected(const Call& call) {
  HALFTONE_ASSIGN(const Items all, call.items());
  const bool by_attribute = call.name.ends_with("attr"), wanted = call.name.starts_with("select");
  const size_t skipped = by_attribute ? 2 : 1;
  Arguments rest = call.arguments;
  const Items given = std::exchange(rest.positional, {});
  if (by_attribute && given.empty()) return call.fail("expected an attribute, got none");
  for (size_t i = skipped; i < given.size(); ++i) rest.positional.push_back(given[i]);
  std::string test_name;
  if (given.size() >= skipped) {
    HALFTONE_ASSIGN(test_name, call.machine.text(call.line, given[skipped - 1]));
    if (!known_test(test_name)) return call.fail("expected a known test, got \"{}\"", test_name);
  }
  Items kept;
  for (const Value& item : all) {
    Value key = item;
    if (by_attribute) {
      HALFTONE_ASSIGN(key, path_of(call, item, given[0]));
    }
    bool holds = key.truth();
    if (!test_name.empty()) {
      HALFTONE_ASSIGN(holds, call.machine.test(call.line, test_name, key, rest));
    }
    if (holds == wanted) kept.push_back(item);
  }
  return call.machine.arena.list(std::move(kept));
}

// map(attribute=...) or map("filter", ...).
Result<Value> mapped(const Call& call) {
  HALFTONE_ASSIGN(const Items all, call.items());
  Items made;
  const auto named = std::find_if(call.arguments.named.begin(), call.arguments.named.end(),
                                  [](const auto& argument) { return argument.first == "attribute"; });
  const Value* missing = call.arguments.find(~size_t{0}, "default");
  Arguments rest = call.arguments;
  std::string filter;
  if (named == call.arguments.named.end()) {
    if (rest.positional.empty()) return call.fail("expected a filter or an attribute, got none");
    HALFTONE_ASSIGN(filter, call.machine.text(call.line, rest.positional.front()));
    if (!known_filter(filter)) return call.fail("expected a known filter, got \"{}\"", filter);
    rest.positional.erase(rest.positional.begin());
  }
  for (const Value& item : all) {
    Value value;
    if (filter.empty()) {
      HALFTONE_ASSIGN(value, path_of(call, item, named->second));
      if (value.is<Undefined>() && missing != nullptr) value = *missing;
    } else {
      HALFTONE_ASSIGN(value, call.machine.filter(call.line, filter, item, rest));
    }
    made.push_back(std::move(value));
  }
  return call.machine.arena.list(std::move(made));
}

Result<Value> unique(const Call& call) {
  HALFTONE_ASSIGN(const Items all, call.items());
  Items kept, keys;
  for (const Value& item : all) {
    HALFTONE_ASSIGN(const Value part, key_of(call, item, 1));
    const Value key = folded(part, call.arguments.find(0, "case_sensitive"));
    bool seen = false;
    for (const Value& known : keys) {
      HALFTONE_ASSIGN(const bool equals, call.machine.same(call.line, known, key));
      seen = seen || equals;
    }
    if (seen) continue;
    keys.push_back(key);
    kept.push_back(item);
  }
  return call.machine.arena.list(std::move(kept));
}

// A stable sort by merging, since a comparison may fail.
Status sort_by(const Call& call, std::vector<std::pair<Value, Value>>& all, bool descending) {
  std::vector<std::pair<Value, Value>> merged(all.size());
  for (size_t width = 1; width < all.size(); width *= 2) {
    for (size_t begin = 0; begin < all.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, all.size()), end = std::min(begin + 2 * width, all.size());
      size_t left = begin, right = middle;
      for (size_t at = begin; at < end; ++at) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          HALFTONE_ASSIGN(const Order found, call.machine.compare(call.line, all[right].first, all[left].first));
          if (found == Order::none)
            return call.fail("expected values with an order, got {} and {}", all[left].first.kind(),
                             all[right].first.kind());
          take_right = found == (descending ? Order::greater : Order::less);
        }
        merged[at] = all[take_right ? right++ : left++];
      }
    }
    all.swap(merged);
  }
  return {};
}

Result<Value> sorted(const Call& call) {
  HALFTONE_ASSIGN(const Items all, call.items());
  const Value *reverse = call.arguments.find(0, "reverse"), *case_sensitive = call.arguments.find(1, "case_sensitive");
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : all) {
    HALFTONE_ASSIGN(const Value key, key_of(call, item, 2));
    keyed.emplace_back(folded(key, case_sensitive), item);
  }
  HALFTONE_TRY(sort_by(call, keyed, reverse != nullptr && reverse->truth()));
  Items items;
  for (auto& [key, item] : keyed) items.push_back(std::move(item));
  return call.machine.arena.list(std::move(items));
}

Result<Value> sorted_dict(const Call& call) {
  if (!call.value.is<Dict*>()) return call.fail("expected a dict, got {}", call.value.kind());
  const Value *case_sensitive = call.arguments.find(0, "case_sensitive"), *by = call.arguments.find(1, "by"),
              *reverse = call.arguments.find(2, "reverse");
  const bool by_value = by != nullptr && by->is<Text>() && by->text() == "value";
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, value] : call.value.as<Dict*>()->entries)
    keyed.emplace_back(folded(by_value ? value : Value(key), case_sensitive), call.machine.arena.tuple({key, value}));
  HALFTONE_TRY(sort_by(call, keyed, reverse != nullptr && reverse->truth()));
  Items items;
  for (auto& [key, item] : keyed) items.push_back(std::move(item));
  return call.machine.arena.list(std::move(items));
}

Result<Value> sum(const Call& call) {
  HALFTONE_ASSIGN(const Items all, call.items());
  const Value* start = call.arguments.find(1, "start");
  Value total = start != nullptr ? *start : Value(int64_t{0});
  for (const Value& item : all) {
    HALFTONE_ASSIGN(const Value part, key_of(call, item, 0));
    HALFTONE_ASSIGN(total, call.machine.arithmetic(call.line, "+", total, part));
  }
  return total;
}

Result<Value> extreme(const Call& call) {
  HALFTONE_ASSIGN(const Items all, call.items());
  if (all.empty()) return Value::missing("item of an empty list");
  const Value* case_sensitive = call.arguments.find(0, "case_sensitive");
  Value best = all.front();
  HALFTONE_ASSIGN(Value best_key, key_of(call, best, 1));
  best_key = folded(best_key, case_sensitive);
  for (const Value& item : all) {
    HALFTONE_ASSIGN(const Value part, key_of(call, item, 1));
    const Value key = folded(part, case_sensitive);
    HALFTONE_ASSIGN(const Order found, call.machine.compare(call.line, key, best_key));
    if (found == Order::none)
      return call.fail("expected values with an order, got {} and {}", key.kind(), best_key.kind());
    if (found != (call.name == "min" ? Order::less : Order::greater)) continue;
    best = item;
    best_key = key;
  }
  return best;
}

constexpr std::array<FilterRow, 17> kListFilters = {{
    {"join", join},
    {"items", entries},
    {"list", as_list},
    {"first", at_end},
    {"last", at_end},
    {"reverse", reversed},
    {"select", selected},
    {"reject", selected},
    {"selectattr", selected},
    {"rejectattr", selected},
    {"map", mapped},
    {"unique", unique},
    {"sort", sorted},
    {"dictsort", sorted_dict},
    {"sum", sum},
    {"min", extreme},
    {"max", extreme},
}};

}  // namespace

std::span<const FilterRow> list_filters() { return kListFilters; }

}  // namespace halftone::jinja
