// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "models/templates/parser.h"

namespace halftone::jinja {
namespace {

using Type = Expression::Kind;

// Operators by precedence, those that bind least first.
constexpr std::array<std::array<std::string_view, 4>, 4> kLevels = {{{"+", "-"}, {"~"}, {"*", "/", "//", "%"}, {"**"}}};

}  // namespace

Expression Parser::made(Type kind, std::string text) const { return {kind, now().line, std::move(text)}; }

Result<ExpressionPtr> Parser::finish(Expression made) {
  for (const ExpressionPtr& part : made.parts) {
    if (part) made.height = std::max(made.height, part->height + 1);
  }
  for (const auto& [name, part] : made.named) made.height = std::max(made.height, part->height + 1);
  if (made.height > kMaxHeight)
    return fail(made.line, "expected expressions of at most {} steps in a row, got more", kMaxHeight);
  return std::make_unique<Expression>(std::move(made));
}

Result<ExpressionPtr> Parser::tuple(bool conditions) {
  Expression list = made(Type::tuple);
  HALFTONE_ASSIGN(ExpressionPtr first, expression(conditions));
  if (!at_symbol(",")) return first;
  list.parts.push_back(std::move(first));
  while (take_symbol(",")) {
    if (now().kind == Kind::block_end || now().kind == Kind::print_end || at_symbol(")")) break;
    HALFTONE_ASSIGN(ExpressionPtr part, expression(conditions));
    list.parts.push_back(std::move(part));
  }
  return finish(std::move(list));
}

Result<ExpressionPtr> Parser::expression(bool conditions) {
  if (++depth_ > kMaxDepth) return fail(now().line, "expected at most {} nested constructs", kMaxDepth);
  HALFTONE_ASSIGN(ExpressionPtr value, any_of());
  while (conditions && at_name("if")) {
    Expression choice = made(Type::conditional);
    ++at_;
    HALFTONE_ASSIGN(ExpressionPtr condition, any_of());
    ExpressionPtr otherwise;
    if (take_name("else")) {
      HALFTONE_ASSIGN(otherwise, expression());
    }
    choice.parts.push_back(std::move(value));
    choice.parts.push_back(std::move(condition));
    choice.parts.push_back(std::move(otherwise));
    HALFTONE_ASSIGN(value, finish(std::move(choice)));
  }
  --depth_;
  return value;
}

Result<ExpressionPtr> Parser::any_of() {
  HALFTONE_ASSIGN(ExpressionPtr value, all_of());
  while (at_name("or")) {
    Expression either = made(Type::operation, "or");
    ++at_;
    HALFTONE_ASSIGN(ExpressionPtr right, all_of());
    either.parts.push_back(std::move(value));
    either.parts.push_back(std::move(right));
    HALFTONE_ASSIGN(value, finish(std::move(either)));
  }
  return value;
}

Result<ExpressionPtr> Parser::all_of() {
  HALFTONE_ASSIGN(ExpressionPtr value, inverse());
  while (at_name("and")) {
    Expression both = made(Type::operation, "and");
    ++at_;
    HALFTONE_ASSIGN(ExpressionPtr right, inverse());
    both.parts.push_back(std::move(value));
    both.parts.push_back(std::move(right));
    HALFTONE_ASSIGN(value, finish(std::move(both)));
  }
  return value;
}

Result<ExpressionPtr> Parser::inverse() {
  int count = 0;
  Expression inverted = made(Type::inverse);
  while (take_name("not")) ++count;
  HALFTONE_ASSIGN(ExpressionPtr value, comparison());
  if (count == 0) return value;
  inverted.negated = count % 2 == 0;  // not not x: the truth of x
  inverted.parts.push_back(std::move(value));
  return finish(std::move(inverted));
}

Result<ExpressionPtr> Parser::comparison() {
  Expression compared = made(Type::comparison);
  HALFTONE_ASSIGN(ExpressionPtr value, operation(0));
  while (true) {
    std::string name;
    static constexpr std::array<std::string_view, 6> kSymbols = {"==", "!=", "<=", ">=", "<", ">"};
    for (const std::string_view symbol : kSymbols) {
      if (at_symbol(symbol)) name = symbol;
    }
    if (at_name("in")) name = "in";
    if (at_name("not") && next().kind == Kind::name && next().text == "in") {
      name = "not in";
      ++at_;
    }
    if (name.empty()) break;
    ++at_;
    if (compared.parts.empty()) compared.parts.push_back(std::move(value));
    HALFTONE_ASSIGN(ExpressionPtr right, operation(0));
    compared.parts.push_back(std::move(right));
    compared.operators.push_back(std::move(name));
  }
  if (compared.parts.empty()) return value;
  return finish(std::move(compared));
}

Result<ExpressionPtr> Parser::operation(size_t level) {
  if (level == kLevels.size()) return unary(true);
  HALFTONE_ASSIGN(ExpressionPtr value, operation(level + 1));
  while (true) {
    std::string_view found;
    for (const std::string_view symbol : kLevels[level]) {
      if (!symbol.empty() && at_symbol(symbol)) found = symbol;
    }
    if (found.empty()) return value;
    Expression combined = made(Type::operation, std::string(found));
    ++at_;
    HALFTONE_ASSIGN(ExpressionPtr right, operation(level + 1));
    combined.parts.push_back(std::move(value));
    combined.parts.push_back(std::move(right));
    HALFTONE_ASSIGN(value, finish(std::move(combined)));
  }
}

Result<ExpressionPtr> Parser::unary(bool with_filters) {
  if (!at_symbol("-") && !at_symbol("+")) {
    HALFTONE_ASSIGN(ExpressionPtr value, primary());
    HALFTONE_ASSIGN(value, postfix(std::move(value)));
    if (!with_filters) return value;
    return filters(std::move(value));
  }
  if (++depth_ > kMaxDepth) return fail(now().line, "expected at most {} nested constructs", kMaxDepth);
  Expression signed_value = made(at_symbol("-") ? Type::negative : Type::positive);
  ++at_;
  HALFTONE_ASSIGN(ExpressionPtr value, unary(false));
  --depth_;
  signed_value.parts.push_back(std::move(value));
  HALFTONE_ASSIGN(value, finish(std::move(signed_value)));
  if (!with_filters) return value;
  return filters(std::move(value));
}

Result<ExpressionPtr> Parser::primary() {
  Expression literal = made(Type::literal);
  const Token& token = now();
  switch (token.kind) {
    case Kind::integer:
      literal.value = token.integer;
      ++at_;
      return finish(std::move(literal));
    case Kind::real:
      literal.value = token.real;
      ++at_;
      return finish(std::move(literal));
    case Kind::string: {
      std::string text;
      for (; now().kind == Kind::string; ++at_) text += now().text;
      literal.value = std::move(text);
      return finish(std::move(literal));
    }
    case Kind::name: {
      const std::string& name = token.text;
      if (name == "true" || name == "True" || name == "false" || name == "False") {
        literal.value = name == "true" || name == "True";
      } else if (name == "none" || name == "None") {
        literal.value = None{};
      } else {
        literal.kind = Type::name;
        literal.text = name;
      }
      ++at_;
      return finish(std::move(literal));
    }
    default:
      return bracketed();
  }
}

// ( ), [ ] or { }
Result<ExpressionPtr> Parser::bracketed() {
  if (at_symbol("{")) return dict_literal();
  Expression list = made(Type::list);
  if (take_symbol("(")) {
    list.kind = Type::tuple;
    if (take_symbol(")")) return finish(std::move(list));
    HALFTONE_ASSIGN(ExpressionPtr inner, tuple(true));
    HALFTONE_TRY(expect_symbol(")", "parentheses"));
    return inner;
  }
  if (!take_symbol("[")) return fail(now().line, "expected an expression, got {}", seen());
  while (!at_symbol("]")) {
    HALFTONE_ASSIGN(ExpressionPtr part, expression());
    list.parts.push_back(std::move(part));
    if (!take_symbol(",")) break;
  }
  HALFTONE_TRY(expect_symbol("]", "a list"));
  return finish(std::move(list));
}

Result<ExpressionPtr> Parser::dict_literal() {
  Expression dict = made(Type::dict);
  ++at_;
  while (!at_symbol("}")) {
    HALFTONE_ASSIGN(ExpressionPtr key, expression());
    HALFTONE_TRY(expect_symbol(":", "a dict"));
    HALFTONE_ASSIGN(ExpressionPtr value, expression());
    dict.parts.push_back(std::move(key));
    dict.parts.push_back(std::move(value));
    if (!take_symbol(",")) break;
  }
  HALFTONE_TRY(expect_symbol("}", "a dict"));
  return finish(std::move(dict));
}

Result<ExpressionPtr> Parser::postfix(ExpressionPtr value) {
  while (true) {
    if (at_symbol("[")) {
      HALFTONE_ASSIGN(value, subscript(std::move(value)));
    } else if (at_symbol("(")) {
      Expression call = made(Type::call);
      call.parts.push_back(std::move(value));
      HALFTONE_TRY(arguments(call));
      HALFTONE_ASSIGN(value, finish(std::move(call)));
    } else if (at_symbol(".")) {
      Expression attribute = made(Type::attribute);
      ++at_;
      if (now().kind == Kind::integer) {
        attribute.kind = Type::subscript;
        Expression index = made(Type::literal);
        index.value = now().integer;
        attribute.parts.push_back(std::move(value));
        attribute.parts.push_back(std::make_unique<Expression>(std::move(index)));
        ++at_;
      } else {
        HALFTONE_ASSIGN(attribute.text, expect_name("an attribute"));
        attribute.parts.push_back(std::move(value));
      }
      HALFTONE_ASSIGN(value, finish(std::move(attribute)));
    } else {
      return value;
    }
  }
}

Result<ExpressionPtr> Parser::subscript(ExpressionPtr value) {
  Expression item = made(Type::subscript);
  ++at_;
  item.parts.push_back(std::move(value));
  item.parts.resize(4);
  size_t part = 1;
  for (; part < 4; ++part) {
    if (!at_symbol(":") && !at_symbol("]")) {
      HALFTONE_ASSIGN(item.parts[part], expression());
    }
    if (at_symbol(":")) item.kind = Type::slice;
    if (part == 3 || !take_symbol(":")) break;
  }
  HALFTONE_TRY(expect_symbol("]", "a subscript"));
  if (item.kind == Type::subscript) {
    item.parts.resize(2);
    if (!item.parts[1]) return fail(item.line, "expected a subscript, got none");
  }
  return finish(std::move(item));
}

Result<ExpressionPtr> Parser::filters(ExpressionPtr value) {
  while (true) {
    if (at_symbol("|")) {
      ++at_;
      HALFTONE_ASSIGN(value, one_filter(std::move(value)));
    } else if (at_name("is")) {
      HALFTONE_ASSIGN(value, one_test(std::move(value)));
    } else if (at_symbol("(")) {
      HALFTONE_ASSIGN(value, postfix(std::move(value)));
    } else {
      return value;
    }
  }
}

Result<ExpressionPtr> Parser::one_filter(ExpressionPtr value) {
  Expression filter = made(Type::filter);
  HALFTONE_ASSIGN(filter.text, expect_name("a filter"));
  if (!known_filter(filter.text)) return fail(filter.line, "expected a known filter, got \"| {}\"", filter.text);
  filter.parts.push_back(std::move(value));
  if (at_symbol("(")) HALFTONE_TRY(arguments(filter));
  return finish(std::move(filter));
}

Result<ExpressionPtr> Parser::one_test(ExpressionPtr value) {
  Expression test = made(Type::test);
  ++at_;
  test.negated = take_name("not");
  HALFTONE_ASSIGN(test.text, expect_name("a test"));
  if (!known_test(test.text)) return fail(test.line, "expected a known test, got \"is {}\"", test.text);
  test.parts.push_back(std::move(value));
  const bool operand = now().kind == Kind::string || now().kind == Kind::integer || now().kind == Kind::real ||
                       at_symbol("[") || at_symbol("{") ||
                       (now().kind == Kind::name && !at_name("else") && !at_name("or") && !at_name("and") &&
                        !at_name("if") && !at_name("is") && !at_name("in") && !at_name("not"));
  if (at_symbol("(")) {
    HALFTONE_TRY(arguments(test));
  } else if (operand) {
    HALFTONE_ASSIGN(ExpressionPtr argument, primary());
    HALFTONE_ASSIGN(argument, postfix(std::move(argument)));
    test.parts.push_back(std::move(argument));
  }
  return finish(std::move(test));
}

// At "(".
Status Parser::arguments(Expression& call) {
  ++at_;
  while (!at_symbol(")")) {
    if (at_symbol("*") || at_symbol("**")) return fail(now().line, "expected plain arguments, got {}", seen());
    const bool named = now().kind == Kind::name && next().kind == Kind::symbol && next().text == "=";
    const std::string name = named ? now().text : std::string();
    if (named) at_ += 2;
    HALFTONE_ASSIGN(ExpressionPtr value, expression());
    if (named) {
      call.named.emplace_back(name, std::move(value));
    } else if (!call.named.empty()) {
      return fail(now().line, "expected arguments with names behind those without, got one without a name");
    } else {
      call.parts.push_back(std::move(value));
    }
    if (!take_symbol(",")) break;
  }
  return expect_symbol(")", "arguments");
}

}  // namespace halftone::jinja
