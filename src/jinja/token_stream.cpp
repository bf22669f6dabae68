#include "jinja/token_stream.h"

#include <algorithm>

#include "jinja/value.h"

namespace tetrad::jinja {
namespace {

std::string describe_kind(TokenKind kind) {
  switch (kind) {
    case TokenKind::kData:
      return "template data / text";
    case TokenKind::kVariableBegin:
      return "begin of print statement";
    case TokenKind::kVariableEnd:
      return "end of print statement";
    case TokenKind::kBlockBegin:
      return "begin of statement block";
    case TokenKind::kBlockEnd:
      return "end of statement block";
    case TokenKind::kName:
      return "name";
    case TokenKind::kString:
      return "string";
    case TokenKind::kInteger:
      return "integer";
    case TokenKind::kFloat:
      return "float";
    case TokenKind::kOperator:
      return "operator";
    case TokenKind::kEnd:
      return "end of template";
  }
  return {};
}

}  // namespace

std::string describe(const Token& token) {
  const bool literal = token.kind == TokenKind::kName || token.kind == TokenKind::kOperator;
  return literal ? token.text : describe_kind(token.kind);
}

void TokenStream::fail_here(std::string reason) const { throw Fault{std::move(reason), line()}; }

bool TokenStream::is_name_in(std::initializer_list<std::string_view> names) const {
  return is(TokenKind::kName) && std::find(names.begin(), names.end(), current().text) != names.end();
}

bool TokenStream::reads(std::string_view name, std::size_t begin, std::size_t end) const {
  for (std::size_t i = begin; i < end; ++i) {
    const bool attribute = i > 0 && tokens_[i - 1].kind == TokenKind::kOperator && tokens_[i - 1].text == ".";
    if (tokens_[i].kind == TokenKind::kName && tokens_[i].text == name && !attribute) return true;
  }
  return false;
}

bool TokenStream::skip_operator(std::string_view text) {
  const bool found = is_operator(text);
  if (found) take();
  return found;
}

bool TokenStream::skip_name(std::string_view text) {
  const bool found = is_name(text);
  if (found) take();
  return found;
}

void TokenStream::expect_operator(std::string_view text) {
  if (!skip_operator(text)) fail_here("expected token '" + std::string(text) + "', got '" + describe(current()) + "'");
}

void TokenStream::expect_name(std::string_view text) {
  if (!skip_name(text)) fail_here("expected token '" + std::string(text) + "', got '" + describe(current()) + "'");
}

void TokenStream::expect(TokenKind kind) {
  if (!is(kind)) fail_here("expected token '" + describe_kind(kind) + "', got '" + describe(current()) + "'");
  take();
}

std::string TokenStream::expect_identifier() {
  if (!is(TokenKind::kName)) fail_here("expected token 'name', got '" + describe(current()) + "'");
  return take().text;
}

}  // namespace tetrad::jinja
