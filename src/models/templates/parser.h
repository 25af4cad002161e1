// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "models/templates/syntax.h"

namespace halftone::jinja {

// Recursive descent over the tokens of a template, with Jinja's precedence.
class Parser {
 public:
  Parser(std::vector<Token> tokens, std::string_view name) : tokens_(std::move(tokens)), name_(name) {}
  Result<Body> run();

 private:
  using Kind = Token::Kind;
  const Token& now() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool at_symbol(std::string_view symbol) const { return now().kind == Kind::symbol && now().text == symbol; }
  bool at_name(std::string_view name) const { return now().kind == Kind::name && now().text == name; }
  bool take_symbol(std::string_view symbol) { return at_symbol(symbol) && ++at_ > 0; }
  bool take_name(std::string_view name) { return at_name(name) && ++at_ > 0; }
  Status expect_symbol(std::string_view symbol, std::string_view where);
  Status expect_end();
  Result<std::string> expect_name(std::string_view where);
  template <class... Args>
  Status fail(int line, fmt::format_string<Args...> format, Args&&... args) const {
    return unsupported("[template] {}: line {}: {}", name_, line, fmt::format(format, std::forward<Args>(args)...));
  }
  std::string seen() const;  // the token at hand, for messages

  // Statements up to one of `ends`, which is left to be read.
  Result<Body> body(std::initializer_list<std::string_view> ends);
  Result<Body> closed_body(std::string_view end);  // and its end tag
  bool at_tag(std::initializer_list<std::string_view> names) const;
  Result<Statement> print();
  Result<Statement> statement();
  Result<Statement> branch(int line);
  Result<Statement> loop(int line);
  Result<Statement> set(int line);
  Result<Statement> scope(int line);
  Result<Statement> macro(int line);
  Result<Statement> call(int line);
  Result<Statement> filter(int line);
  Status parameters(Macro& macro);

  Result<ExpressionPtr> tuple(bool conditions);  // an expression, or several with commas
  Result<ExpressionPtr> expression(bool conditions = true);
  Result<ExpressionPtr> any_of();
  Result<ExpressionPtr> all_of();
  Result<ExpressionPtr> inverse();
  Result<ExpressionPtr> comparison();
  Result<ExpressionPtr> operation(size_t level);
  Result<ExpressionPtr> unary(bool filters);
  Result<ExpressionPtr> primary();
  Result<ExpressionPtr> bracketed();
  Result<ExpressionPtr> dict_literal();
  Result<ExpressionPtr> postfix(ExpressionPtr value);
  Result<ExpressionPtr> subscript(ExpressionPtr value);
  Result<ExpressionPtr> filters(ExpressionPtr value);
  Result<ExpressionPtr> one_filter(ExpressionPtr value);
  Result<ExpressionPtr> one_test(ExpressionPtr value);
  Status arguments(Expression& call);
  Result<ExpressionPtr> finish(Expression made);  // checks the height
  Expression made(Expression::Kind kind, std::string text = {}) const;

  std::vector<Token> tokens_;
  std::string_view name_;
  size_t at_ = 0;
  int depth_ = 0, loops_ = 0;
  bool nested_ = false;  // inside of a loop or macro, where macros would see names that we do not keep
};

}  // namespace halftone::jinja
