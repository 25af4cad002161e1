// SPDX-License-Identifier: Apache-2.0
// One rendering of a template: names, output, and the bounds on both time and memory.
#pragma once

#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "models/templates/syntax.h"

namespace halftone::jinja {

class Machine {
 public:
  struct Limits {
    int64_t steps;  // about a tenth of a microsecond each
    size_t bytes;   // of any one text, the output too
    std::tm now;    // what strftime_now says
  };
  Machine(std::string_view name, const Limits& limits);

  void define(std::string name, Value value) { scopes_.front().names[std::move(name)] = std::move(value); }
  Result<std::string> render(const Body& body);

  // For filters, tests and methods. `line` is where the template asks.
  template <class... Args>
  Status fail(int line, fmt::format_string<Args...> format, Args&&... args) const {
    return unsupported("[template] {}: line {}: {}", name_, line, fmt::format(format, std::forward<Args>(args)...));
  }
  // Pays for work in proportion to bytes or items.
  Status pay(int line, size_t bytes);
  Result<std::string> text(int line, const Value& value);
  Result<Value> made_text(int line, std::string text);  // checks the size
  Result<Items> items(int line, const Value& value);    // what a loop sees
  Result<Value> attribute(int line, const Value& value, const std::string& name);
  Result<Value> item(int line, const Value& value, const Value& key);
  Result<Value> call(int line, const Value& callee, Arguments& arguments);
  Result<bool> test(int line, std::string_view name, const Value& value, const Arguments& arguments);
  Result<Value> filter(int line, std::string_view name, const Value& value, Arguments& arguments);
  Result<bool> contains(int line, const Value& item, const Value& container);
  Result<bool> same(int line, const Value& a, const Value& b);
  Result<Order> compare(int line, const Value& a, const Value& b);
  Result<Value> arithmetic(int line, std::string_view name, const Value& a, const Value& b);
  const Limits& limits() const { return limits_; }

  Arena arena;

 private:
  struct Scope {
    std::map<std::string, Value, std::less<>> names;
    size_t parent = 0;  // the root is its own parent
  };
  static constexpr int kMaxRunDepth = 400;  // of statements and expressions that wait for others
  enum class Flow { on, leave, proceed };
  class Depth;

  Result<Value> evaluate(const Expression& expression);
  Result<Value> evaluate_compound(const Expression& expression);
  Result<Value> name_value(const Expression& name);
  Result<Value> list_value(const Expression& list);
  Result<Value> dict_value(const Expression& dict);
  Result<Value> slice_value(const Expression& slice);
  Result<Value> operation_value(const Expression& operation);
  Result<Value> comparison_value(const Expression& comparison);
  Result<Value> sign_value(const Expression& expression);
  Result<Value> filtered(const Expression& filter, const Value* head);
  Result<Value> tested(const Expression& test);
  Result<Value> called(const Expression& call, const Value* caller);
  Status arguments_of(const Expression& call, Arguments& arguments);
  Result<Value> call_macro(int line, const Function& function, Arguments& arguments);
  Status bind(int line, const Macro& macro, Arguments& arguments);
  Result<Value> call_builtin(int line, const std::string& name, Arguments& arguments);
  Result<Value> range(int line, const Arguments& arguments);

  Status run(const Body& body);
  Status run(const Statement& statement);
  Status run_branch(const Statement& statement);
  Status run_loop(const Statement& statement);
  Status run_set(const Statement& statement);
  Status run_scope(const Statement& statement);
  Status run_call(const Statement& statement);
  Status assign(int line, const std::vector<std::string>& names, const Value& value);
  Result<std::string> captured(const Body& body);
  Status write(int line, std::string_view text);

  std::string_view name_;
  Limits limits_;
  std::vector<Scope> scopes_{1};
  std::string output_;
  Flow flow_ = Flow::on;
  int depth_ = 0;
};

// methods.cc
bool has_method(const Value& value, std::string_view name);
Result<Value> call_method(Machine& machine, int line, const Function& method, Arguments& arguments);

// characters.cc: texts by Unicode character.
size_t count_characters(std::string_view text);
std::string_view strip(std::string_view text, const std::string* characters, bool left, bool right);
// title: behind whatever is no letter (str.title); words: behind white space and opening signs (the filter).
enum class Letters { upper, lower, title, words, capital };
std::string with_letters(std::string_view text, Letters letters);
std::string replace_all(std::string_view text, std::string_view from, std::string_view to, int64_t count);
bool is_space_at(std::string_view text, size_t at);

}  // namespace halftone::jinja
