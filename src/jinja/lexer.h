// Cuts a template into tokens, with Jinja2's rules for whitespace (trim_blocks and lstrip_blocks on, `-` and `+`
// marks), raw blocks and comments. Used by the parser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jinja/value.h"

namespace tetrad::jinja {

enum class TokenKind {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // data, the name, the string's value or the operator
  Int integer = 0;
  double real = 0;
  int line = 1;
};

// Throws Fault. The last token is kEnd.
std::vector<Token> tokenize(std::string_view source);

}  // namespace tetrad::jinja
