// SPDX-License-Identifier: Apache-2.0
// Expressions.
#include <algorithm>
#include <cmath>

#include "models/templates/machine.h"

namespace halftone::jinja {
namespace {

using Type = Expression::Kind;

// Bytes of the characters [begin, end) of a text, for indices of Python's kind that are already inside of it.
std::string characters(std::string_view text, int64_t begin, int64_t end) {
  size_t at = 0;
  int64_t index = 0;
  std::string out;
  while (at < text.size() && index < end) {
    size_t next = at + 1;
    while (next < text.size() && (static_cast<uint8_t>(text[next]) & 0xC0) == 0x80) ++next;
    if (index >= begin) out += text.substr(at, next - at);
    at = next;
    ++index;
  }
  return out;
}

bool floor_divide(int64_t a, int64_t b, int64_t& quotient, int64_t& rest) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return false;
  quotient = a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
  rest = a - quotient * b;
  return true;
}

}  // namespace

Result<Value> Machine::evaluate(const Expression& expression) {
  if (++depth_ > kMaxRunDepth) return fail(expression.line, "expected at most {} nested steps", kMaxRunDepth);
  HALFTONE_TRY(pay(expression.line, 0));
  Result<Value> value = evaluate_compound(expression);
  --depth_;
  return value;
}

Result<Value> Machine::evaluate_compound(const Expression& expression) {
  switch (expression.kind) {
    case Type::literal:
      return expression.value;
    case Type::name:
      return name_value(expression);
    case Type::list:
    case Type::tuple:
      return list_value(expression);
    case Type::dict:
      return dict_value(expression);
    case Type::attribute: {
      HALFTONE_ASSIGN(const Value object, evaluate(*expression.parts[0]));
      return attribute(expression.line, object, expression.text);
    }
    case Type::subscript: {
      HALFTONE_ASSIGN(const Value object, evaluate(*expression.parts[0]));
      HALFTONE_ASSIGN(const Value key, evaluate(*expression.parts[1]));
      return item(expression.line, object, key);
    }
    case Type::slice:
      return slice_value(expression);
    case Type::call:
      return called(expression, nullptr);
    case Type::filter:
      return filtered(expression, nullptr);
    case Type::test:
      return tested(expression);
    case Type::operation:
      return operation_value(expression);
    case Type::comparison:
      return comparison_value(expression);
    case Type::conditional: {
      HALFTONE_ASSIGN(const Value condition, evaluate(*expression.parts[1]));
      if (condition.truth()) return evaluate(*expression.parts[0]);
      if (!expression.parts[2]) return Value();
      return evaluate(*expression.parts[2]);
    }
    case Type::negative:
    case Type::positive:
    case Type::inverse:
      return sign_value(expression);
  }
  return Value();
}

Result<Value> Machine::sign_value(const Expression& expression) {
  HALFTONE_ASSIGN(const Value value, evaluate(*expression.parts[0]));
  if (expression.kind == Type::inverse) return Value(value.truth() == expression.negated);
  if (!value.is_number()) return fail(expression.line, "expected a number behind a sign, got {}", value.kind());
  if (expression.kind == Type::positive) return value;
  if (value.is<double>()) return Value(-value.number());
  return arithmetic(expression.line, "-", int64_t{0}, value);
}

Result<Value> Machine::list_value(const Expression& list) {
  Items all;
  for (const ExpressionPtr& part : list.parts) {
    HALFTONE_ASSIGN(Value value, evaluate(*part));
    all.push_back(std::move(value));
  }
  return list.kind == Type::tuple ? arena.tuple(std::move(all)) : arena.list(std::move(all));
}

Result<Value> Machine::dict_value(const Expression& dict) {
  Dict made;
  for (size_t i = 0; i < dict.parts.size(); i += 2) {
    HALFTONE_ASSIGN(const Value key, evaluate(*dict.parts[i]));
    HALFTONE_ASSIGN(Value value, evaluate(*dict.parts[i + 1]));
    if (!key.is<Text>()) return fail(dict.line, "expected strings as keys of a dict, got {}", key.kind());
    HALFTONE_TRY(pay(dict.line, made.entries.size()));
    made.set(key.text(), std::move(value));
  }
  return arena.dict(std::move(made));
}

Result<Value> Machine::attribute(int line, const Value& value, const std::string& name) {
  HALFTONE_TRY(pay(line, 0));
  if (value.is<Undefined>()) {
    const Text& missing = value.as<Undefined>().name;
    return fail(line, "expected a value with \"{}\", got {}, which is undefined", name,
                missing ? "\"" + *missing + "\"" : "something");
  }
  if (value.is<Loop*>()) {
    const Loop& loop = *value.as<Loop*>();
    const auto index = static_cast<int64_t>(loop.index), count = static_cast<int64_t>(loop.items->size());
    if (name == "index") return Value(index + 1);
    if (name == "index0") return Value(index);
    if (name == "revindex") return Value(count - index);
    if (name == "revindex0") return Value(count - index - 1);
    if (name == "first") return Value(index == 0);
    if (name == "last") return Value(index + 1 == count);
    if (name == "length") return Value(count);
    if (name == "previtem") return index == 0 ? Value::missing(name) : (*loop.items)[loop.index - 1];
    if (name == "nextitem") return index + 1 == count ? Value::missing(name) : (*loop.items)[loop.index + 1];
    if (name != "cycle")
      return fail(line,
                  "expected index, first, last, length, previtem, nextitem or another known part of loop, got \"{}\"",
                  name);
  }
  const bool plain = value.is<Dict*>() && value.as<Dict*>()->is_namespace;
  if (!plain && has_method(value, name)) return arena.function({Function::Kind::method, name, value, nullptr, 0});
  if (value.is<Dict*>()) {
    HALFTONE_TRY(pay(line, value.as<Dict*>()->entries.size() * 8));
    if (const Value* found = value.as<Dict*>()->find(name)) return *found;
  }
  return Value::missing(name);
}

Result<Value> Machine::item(int line, const Value& value, const Value& key) {
  if (key.is<Text>() && !value.is<Dict*>()) return attribute(line, value, key.text());
  if (value.is<Dict*>() && key.is<Text>()) {
    HALFTONE_TRY(pay(line, value.as<Dict*>()->entries.size() * 8));
    const Value* found = value.as<Dict*>()->find(key.text());
    if (found != nullptr) return *found;
    return attribute(line, value, key.text());
  }
  if (value.is<Undefined>()) return attribute(line, value, "[]");
  if (!key.is_whole()) return Value();
  int64_t index = key.whole();
  if (value.is<List*>()) {
    const Items& all = *value.as<List*>();
    if (index < 0) index += static_cast<int64_t>(all.size());
    if (index < 0 || index >= static_cast<int64_t>(all.size())) return Value::missing("list item");
    return all[static_cast<size_t>(index)];
  }
  if (!value.is<Text>()) return Value();
  HALFTONE_TRY(pay(line, value.text().size()));
  if (index < 0) index += static_cast<int64_t>(count_characters(value.text()));
  const std::string found = index < 0 ? std::string() : characters(value.text(), index, index + 1);
  return found.empty() ? Value::missing("character") : Value(found);
}

Result<Value> Machine::slice_value(const Expression& slice) {
  HALFTONE_ASSIGN(const Value value, evaluate(*slice.parts[0]));
  Value bounds[3] = {None{}, None{}, None{}};
  for (size_t i = 0; i < 3; ++i) {
    if (!slice.parts[i + 1]) continue;
    HALFTONE_ASSIGN(bounds[i], evaluate(*slice.parts[i + 1]));
    if (!bounds[i].is_whole() && !bounds[i].is<None>())
      return fail(slice.line, "expected integers in a slice, got {}", bounds[i].kind());
  }
  if (!value.is<Text>() && !value.is<List*>()) {
    if (value.is<Undefined>()) return attribute(slice.line, value, "[:]");
    return fail(slice.line, "expected a list or string to slice, got {}", value.kind());
  }
  HALFTONE_ASSIGN(Items all, items(slice.line, value));
  const auto count = static_cast<int64_t>(all.size());
  const int64_t step = bounds[2].is<None>() ? 1 : bounds[2].whole();
  if (step == 0) return fail(slice.line, "expected a step in a slice, got 0");
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
  const auto place = [&](const Value& bound, int64_t fallback) {
    if (bound.is<None>()) return fallback;
    const int64_t index = bound.whole();
    return std::clamp(index < 0 ? index + count : index, low, high);
  };
  const int64_t begin = place(bounds[0], step > 0 ? low : high), end = place(bounds[1], step > 0 ? high : low);
  Items kept;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    kept.push_back(all[static_cast<size_t>(i)]);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  if (value.is<List*>()) return arena.list(std::move(kept));
  std::string text;
  for (const Value& character : kept) text += character.text();
  return Value(std::move(text));
}

Result<Value> Machine::operation_value(const Expression& operation) {
  HALFTONE_ASSIGN(const Value left, evaluate(*operation.parts[0]));
  if (operation.text == "and" || operation.text == "or") {
    if (left.truth() == (operation.text == "or")) return left;
    return evaluate(*operation.parts[1]);
  }
  HALFTONE_ASSIGN(const Value right, evaluate(*operation.parts[1]));
  return arithmetic(operation.line, operation.text, left, right);
}

Result<Value> Machine::arithmetic(int line, std::string_view name, const Value& a, const Value& b) {
  if (name == "~") {
    HALFTONE_ASSIGN(std::string joined, text(line, a));
    HALFTONE_ASSIGN(const std::string right, text(line, b));
    return made_text(line, joined += right);
  }
  if (name == "+" && a.is<Text>() && b.is<Text>()) return made_text(line, a.text() + b.text());
  if (name == "+" && a.is<List*>() && b.is<List*>()) {
    Items all = *a.as<List*>();
    all.insert(all.end(), b.as<List*>()->begin(), b.as<List*>()->end());
    HALFTONE_TRY(pay(line, 64 * all.size()));
    return arena.list(std::move(all));
  }
  if (name == "*" && ((a.is<Text>() && b.is_whole()) || (b.is<Text>() && a.is_whole()))) {
    const std::string& unit = a.is<Text>() ? a.text() : b.text();
    const int64_t times = a.is<Text>() ? b.whole() : a.whole();
    if (times > 0 && static_cast<uint64_t>(times) > limits_.bytes / std::max<size_t>(unit.size(), 1))
      return fail(line, "expected at most {} bytes of text", limits_.bytes);
    std::string repeated;
    for (int64_t i = 0; i < times; ++i) repeated += unit;
    return made_text(line, std::move(repeated));
  }
  const auto shown = [](const Value& value) {
    return value.is<Undefined>() && value.as<Undefined>().name ? "undefined \"" + *value.as<Undefined>().name + "\""
                                                               : std::string(value.kind());
  };
  if (!a.is_number() || !b.is_number())
    return fail(line, "expected numbers for \"{}\", got {} and {}", name, shown(a), shown(b));
  if (name == "/" || a.is<double>() || b.is<double>() || (name == "**" && b.whole() < 0)) {
    const double x = a.number(), y = b.number();
    if (y == 0 && (name == "/" || name == "//" || name == "%")) return fail(line, "expected a divisor, got 0");
    if (name == "//") return Value(std::floor(x / y));
    if (name == "%") return Value(x - y * std::floor(x / y));
    if (name == "**") return Value(std::pow(x, y));
    return Value(name == "+" ? x + y : name == "-" ? x - y : name == "*" ? x * y : x / y);
  }
  const int64_t x = a.whole(), y = b.whole();
  int64_t result = 0, rest = 0;
  bool fits = true;
  if (name == "+") fits = !__builtin_add_overflow(x, y, &result);
  if (name == "-") fits = !__builtin_sub_overflow(x, y, &result);
  if (name == "*") fits = !__builtin_mul_overflow(x, y, &result);
  if (name == "//" || name == "%") {
    if (y == 0) return fail(line, "expected a divisor, got 0");
    fits = floor_divide(x, y, result, rest);
    if (name == "%") result = rest;
  }
  if (name == "**") {
    result = 1;
    for (int64_t i = 0; i < y && fits && (x < -1 || x > 1 || i < 2); ++i)
      fits = !__builtin_mul_overflow(result, x, &result);
    if (x == -1) result = y % 2 == 0 ? 1 : -1;
  }
  if (!fits) return fail(line, "expected a number below 2^63 from {} {} {}", x, name, y);
  return Value(result);
}

Result<bool> Machine::same(int line, const Value& a, const Value& b) {
  const bool equals = equal(a, b, limits_.steps);
  HALFTONE_TRY(pay(line, 0));
  return equals;
}

Result<Order> Machine::compare(int line, const Value& a, const Value& b) {
  const Order found = order(a, b, limits_.steps);
  HALFTONE_TRY(pay(line, 0));
  return found;
}

Result<bool> Machine::contains(int line, const Value& item, const Value& container) {
  if (container.is<Text>()) {
    if (!item.is<Text>()) return fail(line, "expected a string to look for in a string, got {}", item.kind());
    HALFTONE_TRY(pay(line, container.text().size() + item.text().size()));
    return container.text().find(item.text()) != std::string::npos;
  }
  HALFTONE_ASSIGN(const Items all, items(line, container));
  for (const Value& candidate : all) {
    HALFTONE_ASSIGN(const bool found, same(line, item, candidate));
    if (found) return true;
  }
  return false;
}

Result<Value> Machine::comparison_value(const Expression& comparison) {
  const int line = comparison.line;
  HALFTONE_ASSIGN(Value left, evaluate(*comparison.parts[0]));
  for (size_t i = 0; i < comparison.operators.size(); ++i) {
    HALFTONE_ASSIGN(Value right, evaluate(*comparison.parts[i + 1]));
    const std::string& name = comparison.operators[i];
    bool holds = false;
    if (name == "in" || name == "not in") {
      HALFTONE_ASSIGN(const bool inside, contains(line, left, right));
      holds = inside == (name == "in");
    } else if (name == "==" || name == "!=") {
      HALFTONE_ASSIGN(const bool equals, same(line, left, right));
      holds = equals == (name == "==");
    } else {
      HALFTONE_ASSIGN(const Order found, compare(line, left, right));
      const bool nan = left.is_number() && right.is_number();
      if (found == Order::none && !nan)
        return fail(line, "expected values with an order for \"{}\", got {} and {}", name, left.kind(), right.kind());
      holds = (found == Order::less && name[0] == '<') || (found == Order::greater && name[0] == '>') ||
              (found == Order::equal && name.size() == 2);
    }
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Status Machine::arguments_of(const Expression& call, Arguments& arguments) {
  for (size_t i = 1; i < call.parts.size(); ++i) {
    HALFTONE_ASSIGN(Value value, evaluate(*call.parts[i]));
    arguments.positional.push_back(std::move(value));
  }
  for (const auto& [name, part] : call.named) {
    HALFTONE_ASSIGN(Value value, evaluate(*part));
    arguments.named.emplace_back(name, std::move(value));
  }
  return {};
}

Result<Value> Machine::called(const Expression& expression, const Value* caller) {
  const Expression& callee = *expression.parts[0];
  Arguments arguments;
  // A method that is called at once needs no place in the arena.
  if (callee.kind == Type::attribute) {
    HALFTONE_ASSIGN(const Value object, evaluate(*callee.parts[0]));
    const bool plain = object.is<Dict*>() && object.as<Dict*>()->is_namespace;
    if (!plain && has_method(object, callee.text)) {
      HALFTONE_TRY(arguments_of(expression, arguments));
      HALFTONE_TRY(pay(expression.line, 0));
      return call_method(*this, expression.line, {Function::Kind::method, callee.text, object, nullptr, 0}, arguments);
    }
    HALFTONE_ASSIGN(const Value function, attribute(callee.line, object, callee.text));
    if (function.is<Undefined>())
      return fail(expression.line, "expected a known method of a {}, got \".{}()\"", object.kind(), callee.text);
    HALFTONE_TRY(arguments_of(expression, arguments));
    if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
    return call(expression.line, function, arguments);
  }
  HALFTONE_ASSIGN(const Value function, evaluate(callee));
  HALFTONE_TRY(arguments_of(expression, arguments));
  if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
  return call(expression.line, function, arguments);
}

Result<Value> Machine::filtered(const Expression& expression, const Value* head) {
  Value value = head != nullptr ? *head : Value();
  const Expression* inner = expression.parts[0].get();
  if (inner != nullptr && head != nullptr && inner->kind == Type::filter) {
    HALFTONE_ASSIGN(value, filtered(*inner, head));
  } else if (inner != nullptr) {
    HALFTONE_ASSIGN(value, evaluate(*inner));
  }
  Arguments arguments;
  HALFTONE_TRY(arguments_of(expression, arguments));
  HALFTONE_TRY(pay(expression.line, 0));
  return filter(expression.line, expression.text, value, arguments);
}

Result<Value> Machine::tested(const Expression& expression) {
  HALFTONE_ASSIGN(const Value value, evaluate(*expression.parts[0]));
  Arguments arguments;
  HALFTONE_TRY(arguments_of(expression, arguments));
  HALFTONE_ASSIGN(const bool holds, test(expression.line, expression.text, value, arguments));
  return Value(holds != expression.negated);
}

}  // namespace halftone::jinja
