// SPDX-License-Identifier: Apache-2.0
// A template as a tree.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/templates/lexer.h"
#include "models/templates/value.h"

namespace halftone::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  enum class Kind {
    literal,      // value
    name,         // text
    list,         // parts
    tuple,        // parts
    dict,         // parts: key, value, key, value ...
    attribute,    // parts[0].text
    subscript,    // parts[0][parts[1]]
    slice,        // parts[0][parts[1]:parts[2]:parts[3]], where missing ones are null
    call,         // parts[0](parts[1..], named)
    filter,       // parts[0] | text(parts[1..], named); parts[0] is null at the head of a filter block
    test,         // parts[0] is text(parts[1..]); negated: is not
    operation,    // text: + - * / // % ** ~ and or
    negative,     // -parts[0]
    positive,     // +parts[0]
    inverse,      // not parts[0]
    comparison,   // parts[0] operators[0] parts[1] operators[1] parts[2] ...
    conditional,  // parts[0] if parts[1] else parts[2]; parts[2] may be null
  };
  Kind kind;
  int line;
  std::string text{};
  Value value{};
  bool negated = false;
  int height = 1;
  std::vector<ExpressionPtr> parts{};
  std::vector<std::pair<std::string, ExpressionPtr>> named{};
  std::vector<std::string> operators{};
};

struct Statement;
using Body = std::vector<Statement>;

// Parameters and body of a macro; the caller's body of a call block is one too.
struct Macro {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  Body body;
};

struct Statement {
  enum class Kind {
    text,       // text
    print,      // expression
    branch,     // if: conditions and bodies; a body more than conditions is the else
    loop,       // for names in expression if conditions[0]: bodies[0], else bodies[1]
    set,        // names = expression, or names[0].attribute = expression
    set_block,  // names[0] = the text of bodies[0], through expression (filters) when it is there
    macro,      // macro
    call,       // expression is a call; macro is what it may call as `caller`
    filter,     // the text of bodies[0] through expression
    scope,      // bodies[0] with names of its own: with, whose conditions are the values of names
    leave,      // break
    proceed,    // continue
    passage,    // bodies[0] as it stands: generation
  };
  Kind kind;
  int line;
  std::string text{}, attribute{};
  std::vector<std::string> names{};
  ExpressionPtr expression{};
  std::vector<ExpressionPtr> conditions{};
  std::vector<Body> bodies{};
  std::unique_ptr<Macro> macro{};
};

// Errors name the template, the line and the construct. Bounds on the tree: statements in statements, and parts of
// expressions in parts.
inline constexpr int kMaxDepth = 60, kMaxHeight = 200;
Result<Body> parse_template(std::string_view source, std::string_view name);

// The names that parse_template knows (filters.cc, tests.cc).
bool known_filter(std::string_view name);
bool known_test(std::string_view name);

}  // namespace halftone::jinja
