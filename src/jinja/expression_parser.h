// The expressions of a template. Used by the statement parser.
#pragma once

#include "jinja/ast.h"
#include "jinja/token_stream.h"

namespace tetrad::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& stream) : stream_(stream) {}

  ExprPtr expression() { return conditional(); }
  ExprPtr without_conditional() { return logical_or(); }
  // Expressions separated by commas are a tuple; ends at the tag's end or ")".
  ExprPtr tuple(bool with_conditional = true, bool explicit_parentheses = false);
  // What can be assigned to: a name, a tuple of them, or with `with_namespace` name.attribute.
  ExprPtr target(bool with_namespace = false);
  ExprPtr filter_chain(ExprPtr value, bool start_inline);  // for `filter` and `set` blocks, value may be null
  std::string target_name();

 private:
  ExprPtr conditional();
  ExprPtr logical_or();
  ExprPtr logical_and();
  ExprPtr logical_not();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concatenation();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filter = true);
  ExprPtr primary();
  ExprPtr literal();
  ExprPtr list();
  ExprPtr dict();
  ExprPtr postfix(ExprPtr value);
  ExprPtr filters(ExprPtr value);
  ExprPtr subscript(ExprPtr value);
  ExprPtr subscript_item(ExprPtr value);
  ExprPtr call(ExprPtr value);
  ExprPtr test(ExprPtr value);
  std::unique_ptr<CallArgs> arguments();
  void argument(CallArgs& args, int line);
  bool tuple_end() const;

  TokenStream& stream_;
  int depth_ = 0;
};

}  // namespace tetrad::jinja
