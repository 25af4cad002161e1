// SPDX-License-Identifier: Apache-2.0
#include "models/templates/parser.h"

#include <algorithm>

namespace halftone::jinja {

std::string Parser::seen() const {
  switch (now().kind) {
    case Kind::name:
    case Kind::symbol:
    case Kind::string:
      return fmt::format("\"{}\"", now().text);
    case Kind::integer:
      return fmt::format("{}", now().integer);
    case Kind::real:
      return text_of(now().real);
    case Kind::end:
      return "the end of the template";
    default:
      return "the end of the tag";
  }
}

Status Parser::expect_symbol(std::string_view symbol, std::string_view where) {
  if (take_symbol(symbol)) return {};
  return fail(now().line, "expected \"{}\" in {}, got {}", symbol, where, seen());
}

Result<std::string> Parser::expect_name(std::string_view where) {
  if (now().kind != Kind::name) return fail(now().line, "expected the name of {}, got {}", where, seen());
  return tokens_[at_++].text;
}

Status Parser::expect_end() {
  if (now().kind != Kind::block_end) return fail(now().line, "expected %}} to close the tag, got {}", seen());
  ++at_;
  return {};
}

bool Parser::at_tag(std::initializer_list<std::string_view> names) const {
  return now().kind == Kind::block_begin && next().kind == Kind::name &&
         std::find(names.begin(), names.end(), next().text) != names.end();
}

Result<Body> Parser::run() {
  HALFTONE_ASSIGN(Body all, body({}));
  return all;
}

Result<Body> Parser::body(std::initializer_list<std::string_view> ends) {
  if (++depth_ > kMaxDepth) return fail(now().line, "expected at most {} nested constructs", kMaxDepth);
  Body statements;
  const int line = now().line;
  while (!at_tag(ends)) {
    if (now().kind == Kind::end) {
      if (ends.size() == 0) break;
      return fail(line, "expected {{% {} %}} for the block that begins here, got the end of the template",
                  *(ends.end() - 1));
    }
    if (now().kind == Kind::text) {
      statements.push_back({Statement::Kind::text, now().line, now().text});
      ++at_;
    } else if (now().kind == Kind::print_begin) {
      HALFTONE_ASSIGN(Statement made, print());
      statements.push_back(std::move(made));
    } else {
      HALFTONE_ASSIGN(Statement made, statement());
      statements.push_back(std::move(made));
    }
  }
  --depth_;
  return statements;
}

Result<Body> Parser::closed_body(std::string_view end) {
  HALFTONE_ASSIGN(Body inner, body({end}));
  at_ += 2;
  if (now().kind == Kind::name) ++at_;  // {% endmacro name %}
  HALFTONE_TRY(expect_end());
  return inner;
}

Result<Statement> Parser::print() {
  Statement made{Statement::Kind::print, now().line};
  ++at_;
  HALFTONE_ASSIGN(made.expression, tuple(true));
  if (now().kind != Kind::print_end) return fail(now().line, "expected }}}} behind an expression, got {}", seen());
  ++at_;
  return made;
}

Result<Statement> Parser::statement() {
  ++at_;
  const int line = now().line;
  HALFTONE_ASSIGN(const std::string tag, expect_name("a tag"));
  if (tag == "if") return branch(line);
  if (tag == "for") return loop(line);
  if (tag == "set") return set(line);
  if (tag == "with") return scope(line);
  if (tag == "macro") return macro(line);
  if (tag == "call") return call(line);
  if (tag == "filter") return filter(line);
  if (tag == "break" || tag == "continue") {
    if (loops_ == 0) return fail(line, "expected {{% {} %}} inside of a loop", tag);
    HALFTONE_TRY(expect_end());
    return Statement{tag == "break" ? Statement::Kind::leave : Statement::Kind::proceed, line};
  }
  if (tag == "generation") {
    HALFTONE_TRY(expect_end());
    Statement made{Statement::Kind::passage, line};
    HALFTONE_ASSIGN(Body inner, closed_body("endgeneration"));
    made.bodies.push_back(std::move(inner));
    return made;
  }
  return fail(line,
              "expected if, for, set, with, macro, call, filter, break, continue, generation or raw, got {{% {} %}}",
              tag);
}

Result<Statement> Parser::branch(int line) {
  Statement made{Statement::Kind::branch, line};
  while (true) {
    HALFTONE_ASSIGN(ExpressionPtr condition, tuple(true));
    made.conditions.push_back(std::move(condition));
    HALFTONE_TRY(expect_end());
    HALFTONE_ASSIGN(Body inner, body({"elif", "else", "endif"}));
    made.bodies.push_back(std::move(inner));
    ++at_;
    if (take_name("elif")) continue;
    if (take_name("else")) {
      HALFTONE_TRY(expect_end());
      HALFTONE_ASSIGN(Body otherwise, closed_body("endif"));
      made.bodies.push_back(std::move(otherwise));
      return made;
    }
    ++at_;
    HALFTONE_TRY(expect_end());
    return made;
  }
}

Result<Statement> Parser::loop(int line) {
  Statement made{Statement::Kind::loop, line};
  const bool parentheses = take_symbol("(");
  do {
    HALFTONE_ASSIGN(std::string name, expect_name("a loop's variable"));
    made.names.push_back(std::move(name));
  } while (take_symbol(","));
  if (parentheses) HALFTONE_TRY(expect_symbol(")", "a loop's variables"));
  if (!take_name("in")) return fail(now().line, "expected \"in\" in a loop, got {}", seen());
  HALFTONE_ASSIGN(made.expression, tuple(false));
  if (take_name("if")) {
    HALFTONE_ASSIGN(ExpressionPtr condition, expression());
    made.conditions.push_back(std::move(condition));
  }
  if (at_name("recursive")) return fail(now().line, "expected a plain loop, got \"recursive\"");
  HALFTONE_TRY(expect_end());
  const bool nested = std::exchange(nested_, true);
  ++loops_;
  HALFTONE_ASSIGN(Body inner, body({"else", "endfor"}));
  --loops_;
  nested_ = nested;
  made.bodies.push_back(std::move(inner));
  ++at_;
  if (take_name("else")) {
    HALFTONE_TRY(expect_end());
    HALFTONE_ASSIGN(Body otherwise, closed_body("endfor"));
    made.bodies.push_back(std::move(otherwise));
    return made;
  }
  ++at_;
  HALFTONE_TRY(expect_end());
  return made;
}

Result<Statement> Parser::set(int line) {
  Statement made{Statement::Kind::set, line};
  do {
    HALFTONE_ASSIGN(std::string name, expect_name("a variable"));
    made.names.push_back(std::move(name));
  } while (take_symbol(","));
  if (made.names.size() == 1 && take_symbol(".")) {
    HALFTONE_ASSIGN(made.attribute, expect_name("an attribute"));
  }
  if (take_symbol("=")) {
    HALFTONE_ASSIGN(made.expression, tuple(true));
    HALFTONE_TRY(expect_end());
    return made;
  }
  if (made.names.size() != 1 || !made.attribute.empty())
    return fail(line, "expected \"=\" in {{% set %}}, got {}", seen());
  made.kind = Statement::Kind::set_block;
  if (at_symbol("|")) {
    HALFTONE_ASSIGN(made.expression, filters(nullptr));
  }
  HALFTONE_TRY(expect_end());
  HALFTONE_ASSIGN(Body inner, closed_body("endset"));
  made.bodies.push_back(std::move(inner));
  return made;
}

Result<Statement> Parser::scope(int line) {
  Statement made{Statement::Kind::scope, line};
  while (now().kind == Kind::name) {
    HALFTONE_ASSIGN(std::string name, expect_name("a variable"));
    HALFTONE_TRY(expect_symbol("=", "{% with %}"));
    HALFTONE_ASSIGN(ExpressionPtr value, expression());
    made.names.push_back(std::move(name));
    made.conditions.push_back(std::move(value));
    if (!take_symbol(",")) break;
  }
  HALFTONE_TRY(expect_end());
  HALFTONE_ASSIGN(Body inner, closed_body("endwith"));
  made.bodies.push_back(std::move(inner));
  return made;
}

// "(a, b=1)"
Status Parser::parameters(Macro& macro) {
  HALFTONE_TRY(expect_symbol("(", "a macro's parameters"));
  while (!at_symbol(")")) {
    HALFTONE_ASSIGN(std::string name, expect_name("a parameter"));
    macro.parameters.push_back(std::move(name));
    if (take_symbol("=")) {
      HALFTONE_ASSIGN(ExpressionPtr value, expression());
      macro.defaults.push_back(std::move(value));
    } else if (!macro.defaults.empty()) {
      return fail(now().line, "expected parameters with defaults behind those without");
    }
    if (!take_symbol(",")) break;
  }
  return expect_symbol(")", "a macro's parameters");
}

Result<Statement> Parser::macro(int line) {
  if (nested_) return fail(line, "expected {{% macro %}} outside of loops and macros");
  Statement made{Statement::Kind::macro, line};
  made.macro = std::make_unique<Macro>();
  HALFTONE_ASSIGN(made.macro->name, expect_name("a macro"));
  HALFTONE_TRY(parameters(*made.macro));
  HALFTONE_TRY(expect_end());
  const int loops = std::exchange(loops_, 0);
  nested_ = true;
  HALFTONE_ASSIGN(made.macro->body, closed_body("endmacro"));
  nested_ = false;
  loops_ = loops;
  return made;
}

Result<Statement> Parser::call(int line) {
  Statement made{Statement::Kind::call, line};
  made.macro = std::make_unique<Macro>();
  made.macro->name = "caller";
  if (at_symbol("(")) HALFTONE_TRY(parameters(*made.macro));
  HALFTONE_ASSIGN(made.expression, expression());
  if (made.expression->kind != Expression::Kind::call) return fail(line, "expected {{% call %}} with a call");
  HALFTONE_TRY(expect_end());
  const int loops = std::exchange(loops_, 0);
  HALFTONE_ASSIGN(made.macro->body, closed_body("endcall"));
  loops_ = loops;
  return made;
}

Result<Statement> Parser::filter(int line) {
  Statement made{Statement::Kind::filter, line};
  HALFTONE_ASSIGN(made.expression, one_filter(nullptr));
  HALFTONE_ASSIGN(made.expression, filters(std::move(made.expression)));
  HALFTONE_TRY(expect_end());
  HALFTONE_ASSIGN(Body inner, closed_body("endfilter"));
  made.bodies.push_back(std::move(inner));
  return made;
}

Result<Body> parse_template(std::string_view source, std::string_view name) {
  HALFTONE_ASSIGN(std::vector<Token> tokens, lex(source, name));
  return Parser(std::move(tokens), name).run();
}

}  // namespace halftone::jinja
