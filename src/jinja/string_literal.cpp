#include "jinja/string_literal.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace tetrad::jinja {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

char simple_escape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case '\\':
    case '\'':
    case '"':
      return c;
    default:
      return '\0';
  }
}

// The code point of exactly `count` hexadecimal digits at `at`; -1 when they are not there.
long hex_value(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return -1;
  long value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int digit = hex_digit(text[at + i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

}  // namespace

std::string unescape(std::string_view literal, std::string& out) {
  for (std::size_t i = 0; i < literal.size();) {
    if (literal[i] != '\\' || i + 1 >= literal.size()) {
      out += literal[i++];
      continue;
    }
    const char c = literal[i + 1];
    i += 2;
    if (const char plain = simple_escape(c); plain != '\0') {
      out += plain;
    } else if (c == '\n') {
      // a line continuation: nothing
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const std::size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      const long value = hex_value(literal, i, count);
      if (value < 0) return fmt::format("truncated \\{} escape in a string", c);
      if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return "a string escape is not a character";
      utf8_append(out, static_cast<char32_t>(value));
      i += count;
    } else if (c >= '0' && c <= '7') {
      unsigned value = static_cast<unsigned>(c - '0');
      for (int k = 0; k < 2 && i < literal.size() && literal[i] >= '0' && literal[i] <= '7'; ++k)
        value = value * 8 + static_cast<unsigned>(literal[i++] - '0');
      utf8_append(out, value);
    } else if (c == 'N') {
      return "\\N escapes are not supported";
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      // Jinja2 rewrites other characters as escapes first, so that the backslash here takes the escape's one away.
      std::size_t at = i - 1;
      const auto value = static_cast<unsigned>(utf8_next(literal, at));
      out += value < 0x100     ? fmt::format("\\x{:02x}", value)
             : value < 0x10000 ? fmt::format("\\u{:04x}", value)
                               : fmt::format("\\U{:08x}", value);
      i = at;
    } else {
      out += '\\';
      out += c;
    }
  }
  return {};
}

}  // namespace tetrad::jinja
