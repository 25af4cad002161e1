// SPDX-License-Identifier: Apache-2.0
// Statements, names and calls.
#include "models/templates/machine.h"

#include <algorithm>

namespace halftone::jinja {
namespace {

constexpr size_t kBytesPerStep = 64;

}  // namespace

// Counts what waits on the stack; statements and expressions alike.
class Machine::Depth {
 public:
  explicit Depth(Machine& machine) : machine_(machine) { ++machine_.depth_; }
  ~Depth() { --machine_.depth_; }
  bool too_deep() const { return machine_.depth_ > kMaxRunDepth; }

 private:
  Machine& machine_;
};

Machine::Machine(std::string_view name, const Limits& limits) : name_(name), limits_(limits) {
  for (const char* builtin : {"range", "namespace", "dict", "raise_exception", "strftime_now"})
    define(builtin, arena.function({Function::Kind::builtin, builtin, {}, nullptr, 0}));
}

Status Machine::pay(int line, size_t bytes) {
  limits_.steps -= 1 + static_cast<int64_t>(bytes / kBytesPerStep);
  if (limits_.steps > 0) return {};
  return fail(line, "expected a template that ends soon, got one that takes too many steps");
}

Result<std::string> Machine::text(int line, const Value& value) {
  Result<std::string> text = to_text(value, limits_.bytes);
  if (!text.ok()) return fail(line, "{}", text.status().message());
  HALFTONE_TRY(pay(line, text->size()));
  return text;
}

Result<Value> Machine::made_text(int line, std::string text) {
  HALFTONE_TRY(pay(line, text.size()));
  if (text.size() > limits_.bytes) return fail(line, "expected at most {} bytes of text", limits_.bytes);
  return Value(std::move(text));
}

Status Machine::write(int line, std::string_view text) {
  HALFTONE_TRY(pay(line, text.size()));
  if (output_.size() + text.size() > limits_.bytes)
    return fail(line, "expected at most {} bytes of text", limits_.bytes);
  output_ += text;
  return {};
}

Result<std::string> Machine::render(const Body& body) {
  HALFTONE_TRY(run(body));
  return std::move(output_);
}

Result<std::string> Machine::captured(const Body& body) {
  std::string outside = std::exchange(output_, {});
  const Status status = run(body);
  outside.swap(output_);
  HALFTONE_TRY(status);
  return outside;
}

Status Machine::run(const Body& body) {
  for (const Statement& statement : body) {
    HALFTONE_TRY(run(statement));
    if (flow_ != Flow::on) break;
  }
  return {};
}

Status Machine::run(const Statement& statement) {
  const Depth depth(*this);
  if (depth.too_deep()) return fail(statement.line, "expected at most {} nested steps", kMaxRunDepth);
  HALFTONE_TRY(pay(statement.line, 0));
  switch (statement.kind) {
    case Statement::Kind::text:
      return write(statement.line, statement.text);
    case Statement::Kind::print: {
      HALFTONE_ASSIGN(const Value value, evaluate(*statement.expression));
      HALFTONE_ASSIGN(const std::string shown, text(statement.line, value));
      return write(statement.line, shown);
    }
    case Statement::Kind::branch:
      return run_branch(statement);
    case Statement::Kind::loop:
      return run_loop(statement);
    case Statement::Kind::set:
    case Statement::Kind::set_block:
      return run_set(statement);
    case Statement::Kind::macro:
      scopes_.back().names[statement.macro->name] =
          arena.function({Function::Kind::macro, statement.macro->name, {}, statement.macro.get(), 0});
      return {};
    case Statement::Kind::call:
      return run_call(statement);
    case Statement::Kind::filter: {
      HALFTONE_ASSIGN(std::string inner, captured(statement.bodies[0]));
      const Value head(std::move(inner));
      HALFTONE_ASSIGN(const Value value, filtered(*statement.expression, &head));
      HALFTONE_ASSIGN(const std::string shown, text(statement.line, value));
      return write(statement.line, shown);
    }
    case Statement::Kind::scope:
      return run_scope(statement);
    case Statement::Kind::leave:
      flow_ = Flow::leave;
      return {};
    case Statement::Kind::proceed:
      flow_ = Flow::proceed;
      return {};
    case Statement::Kind::passage:
      return run(statement.bodies[0]);
  }
  return {};
}

Status Machine::run_branch(const Statement& statement) {
  for (size_t i = 0; i < statement.conditions.size(); ++i) {
    HALFTONE_ASSIGN(const Value condition, evaluate(*statement.conditions[i]));
    if (condition.truth()) return run(statement.bodies[i]);
  }
  return statement.bodies.size() > statement.conditions.size() ? run(statement.bodies.back()) : Status();
}

Status Machine::assign(int line, const std::vector<std::string>& names, const Value& value) {
  if (names.size() == 1) {
    scopes_.back().names[names[0]] = value;
    return {};
  }
  HALFTONE_ASSIGN(const Items parts, items(line, value));
  if (parts.size() != names.size())
    return fail(line, "expected {} values for {} names, got {}", names.size(), names.size(), parts.size());
  for (size_t i = 0; i < names.size(); ++i) scopes_.back().names[names[i]] = parts[i];
  return {};
}

Status Machine::run_loop(const Statement& statement) {
  HALFTONE_ASSIGN(const Value source, evaluate(*statement.expression));
  HALFTONE_ASSIGN(Items all, items(statement.line, source));
  const size_t parent = scopes_.size() - 1;
  if (!statement.conditions.empty()) {
    Items kept;
    for (const Value& value : all) {
      scopes_.push_back({{}, parent});
      HALFTONE_TRY(assign(statement.line, statement.names, value));
      HALFTONE_ASSIGN(const Value condition, evaluate(*statement.conditions[0]));
      scopes_.pop_back();
      if (condition.truth()) kept.push_back(value);
    }
    all = std::move(kept);
  }
  if (all.empty()) return statement.bodies.size() > 1 ? run(statement.bodies[1]) : Status();
  Loop& loop = arena.loops.emplace_back();
  loop.items = arena.list(std::move(all)).as<List*>();
  for (loop.index = 0; loop.index < loop.items->size(); ++loop.index) {
    HALFTONE_TRY(pay(statement.line, 0));
    scopes_.push_back({{}, parent});
    scopes_.back().names["loop"] = &loop;
    HALFTONE_TRY(assign(statement.line, statement.names, (*loop.items)[loop.index]));
    HALFTONE_TRY(run(statement.bodies[0]));
    scopes_.pop_back();
    const Flow flow = std::exchange(flow_, Flow::on);
    if (flow == Flow::leave) break;
  }
  return {};
}

Status Machine::run_set(const Statement& statement) {
  Value value;
  if (statement.kind == Statement::Kind::set_block) {
    scopes_.push_back({{}, scopes_.size() - 1});
    HALFTONE_ASSIGN(std::string inner, captured(statement.bodies[0]));
    scopes_.pop_back();
    value = Value(std::move(inner));
    if (statement.expression) {
      HALFTONE_ASSIGN(value, filtered(*statement.expression, &value));
    }
  } else {
    HALFTONE_ASSIGN(value, evaluate(*statement.expression));
  }
  if (statement.attribute.empty()) return assign(statement.line, statement.names, value);
  Expression name{Expression::Kind::name, statement.line, statement.names[0]};
  HALFTONE_ASSIGN(const Value object, name_value(name));
  if (!object.is<Dict*>() || !object.as<Dict*>()->is_namespace) {
    return fail(statement.line, "expected a namespace for {{% set {}.{} %}}, got {}", name.text, statement.attribute,
                object.kind());
  }
  object.as<Dict*>()->set(statement.attribute, value);
  return {};
}

Status Machine::run_scope(const Statement& statement) {
  Scope inner{{}, scopes_.size() - 1};
  for (size_t i = 0; i < statement.names.size(); ++i) {
    HALFTONE_ASSIGN(inner.names[statement.names[i]], evaluate(*statement.conditions[i]));
  }
  scopes_.push_back(std::move(inner));
  HALFTONE_TRY(run(statement.bodies[0]));
  scopes_.pop_back();
  return {};
}

Status Machine::run_call(const Statement& statement) {
  const Value caller = arena.function({Function::Kind::macro, "caller", {}, statement.macro.get(), scopes_.size() - 1});
  HALFTONE_ASSIGN(const Value value, called(*statement.expression, &caller));
  HALFTONE_ASSIGN(const std::string shown, text(statement.line, value));
  return write(statement.line, shown);
}

Result<Value> Machine::name_value(const Expression& name) {
  for (size_t scope = scopes_.size() - 1;; scope = scopes_[scope].parent) {
    const auto at = scopes_[scope].names.find(name.text);
    if (at != scopes_[scope].names.end()) return at->second;
    if (scope == 0) return Value::missing(name.text);
  }
}

Status Machine::bind(int line, const Macro& macro, Arguments& arguments) {
  const size_t count = macro.parameters.size();
  if (arguments.positional.size() > count)
    return fail(line, "expected at most {} arguments of {}, got {}", count, macro.name, arguments.positional.size());
  for (auto& [name, value] : arguments.named) {
    const bool known = std::find(macro.parameters.begin(), macro.parameters.end(), name) != macro.parameters.end();
    if (!known && name != "caller") return fail(line, "expected a parameter of {}, got \"{}\"", macro.name, name);
    scopes_.back().names[name] = value;
  }
  for (size_t i = 0; i < count; ++i) {
    const std::string& parameter = macro.parameters[i];
    if (i < arguments.positional.size()) {
      scopes_.back().names[parameter] = arguments.positional[i];
    } else if (!scopes_.back().names.contains(parameter)) {
      const size_t first_default = count - macro.defaults.size();
      Value value = Value::missing(parameter);
      if (i >= first_default) {
        HALFTONE_ASSIGN(value, evaluate(*macro.defaults[i - first_default]));
      }
      scopes_.back().names[parameter] = value;
    }
  }
  return {};
}

Result<Value> Machine::call_macro(int line, const Function& function, Arguments& arguments) {
  const Depth depth(*this);
  if (depth.too_deep()) return fail(line, "expected at most {} nested steps", kMaxRunDepth);
  scopes_.push_back({{}, std::min(function.scope, scopes_.size() - 1)});
  HALFTONE_TRY(bind(line, *function.macro, arguments));
  const Flow flow = std::exchange(flow_, Flow::on);
  HALFTONE_ASSIGN(std::string shown, captured(function.macro->body));
  flow_ = flow;
  scopes_.pop_back();
  return Value(std::move(shown));
}

Result<Value> Machine::call(int line, const Value& callee, Arguments& arguments) {
  HALFTONE_TRY(pay(line, 0));
  if (!callee.is<Function*>()) {
    if (callee.is<Undefined>() && callee.as<Undefined>().name)
      return fail(line, "expected a function, got \"{}\", which is undefined", *callee.as<Undefined>().name);
    return fail(line, "expected a function, got {}", callee.kind());
  }
  const Function& function = *callee.as<Function*>();
  if (function.kind == Function::Kind::macro) return call_macro(line, function, arguments);
  if (function.kind == Function::Kind::method) return call_method(*this, line, function, arguments);
  return call_builtin(line, function.name, arguments);
}

Result<Value> Machine::call_builtin(int line, const std::string& name, Arguments& arguments) {
  if (name == "range") return range(line, arguments);
  if (name == "namespace" || name == "dict") {
    Dict dict;
    if (!arguments.positional.empty()) {
      if (!arguments.positional[0].is<Dict*>())
        return fail(line, "expected a dict for {}, got {}", name, arguments.positional[0].kind());
      dict = *arguments.positional[0].as<Dict*>();
    }
    dict.is_namespace = name == "namespace";
    for (auto& [key, value] : arguments.named) dict.set(key, value);
    return arena.dict(std::move(dict));
  }
  const Value* given = arguments.find(0, name == "raise_exception" ? "message" : "format");
  if (given == nullptr) return fail(line, "expected an argument of {}, got none", name);
  HALFTONE_ASSIGN(const std::string argument, text(line, *given));
  if (name == "raise_exception") return fail(line, "the template refuses: {}", argument);
  char date[256];
  const size_t length = std::strftime(date, sizeof(date), argument.c_str(), &limits_.now);
  std::string shown(date, length);
  for (char& c : shown) c = static_cast<unsigned char>(c) < 0x80 ? c : '?';  // names of months are English here
  return Value(std::move(shown));
}

Result<Value> Machine::range(int line, const Arguments& arguments) {
  int64_t values[3] = {0, 0, 1};
  const size_t count = arguments.positional.size();
  if (count < 1 || count > 3 || !arguments.named.empty()) return fail(line, "expected 1 to 3 arguments of range");
  for (size_t i = 0; i < count; ++i) {
    if (!arguments.positional[i].is_whole())
      return fail(line, "expected integers in range, got {}", arguments.positional[i].kind());
    values[count == 1 ? 1 : i] = arguments.positional[i].whole();
  }
  const auto [begin, end, step] = values;
  constexpr int64_t kMaxRange = 100'000;
  if (step == 0) return fail(line, "expected a step in range, got 0");
  Items all;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    all.push_back(i);
    if (static_cast<int64_t>(all.size()) > kMaxRange)
      return fail(line, "expected at most {} numbers of range", kMaxRange);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  HALFTONE_TRY(pay(line, all.size() * kBytesPerStep));
  return arena.list(std::move(all));
}

Result<Items> Machine::items(int line, const Value& value) {
  Items all;
  if (value.is<List*>()) {
    all = *value.as<List*>();
  } else if (value.is<Dict*>()) {
    for (const auto& [key, entry] : value.as<Dict*>()->entries) all.push_back(key);
  } else if (value.is<Text>()) {
    const std::string& text = value.text();
    HALFTONE_TRY(pay(line, text.size() * kBytesPerStep));
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at++;
      while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) ++at;
      all.push_back(text.substr(begin, at - begin));
    }
  } else if (!value.is<Undefined>()) {
    return fail(line, "expected something to loop over, got {}", value.kind());
  }
  HALFTONE_TRY(pay(line, all.size() * 8));
  return all;
}

}  // namespace halftone::jinja
