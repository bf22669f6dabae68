// The parser's view of the tokens: one current token and what may be asked of it.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/lexer.h"

namespace tetrad::jinja {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take() {
    Token token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  int line() const { return current().line; }
  std::size_t position() const { return at_; }
  // Whether the variable `name` is read between two positions (a name that does not follow a dot).
  bool reads(std::string_view name, std::size_t begin, std::size_t end) const;

  bool is(TokenKind kind) const { return current().kind == kind; }
  bool is_operator(std::string_view text) const { return is(TokenKind::kOperator) && current().text == text; }
  bool is_name(std::string_view text) const { return is(TokenKind::kName) && current().text == text; }
  bool is_name_in(std::initializer_list<std::string_view> names) const;
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_operator(std::string_view text);
  void expect_name(std::string_view text);
  void expect(TokenKind kind);
  std::string expect_identifier();
  [[noreturn]] void fail_here(std::string reason) const;

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

std::string describe(const Token& token);

}  // namespace tetrad::jinja
