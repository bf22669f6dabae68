#include "jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/utf8.h"
#include "jinja/print.h"
#include "jinja/string_literal.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {
namespace {

constexpr std::size_t kMaxTokens = 4'000'000;

// "\r\n" and "\r" become "\n"; one newline at the end goes away (keep_trailing_newline is off).
std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_name_char(char32_t c) { return c == '_' || is_alnum(c); }
bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_newlines(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) lex_root();
    push(TokenKind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  // Text up to the next tag, then the tag.
  void lex_root() {
    std::size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos) {
        push_data(std::string_view(source_).substr(at_));
        move_to(source_.size());
        return;
      }
      const char next = tag + 1 < source_.size() ? source_[tag + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') break;
    }
    const char type = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    const bool signed_tag = sign == '-' || sign == '+';
    push_data(left_stripped(std::string_view(source_).substr(at_, tag - at_), signed_tag ? sign : '\0', type == '{'));
    const std::size_t begin = tag + (signed_tag ? 3 : 2);
    move_to(tag);
    if (type == '#') return lex_comment(begin);
    if (type == '%') {
      if (const auto end = raw_begin_end(begin)) {
        move_to(*end);
        line_starting_ = source_[*end - 1] == '\n';
        return lex_raw();
      }
    }
    push(type == '%' ? TokenKind::kBlockBegin : TokenKind::kVariableBegin, {});
    move_to(begin);
    line_starting_ = false;
    lex_tag(type == '%');
  }

  std::string_view left_stripped(std::string_view text, char sign, bool variable) const {
    if (sign == '-') return strip(text, false, true);
    if (sign == '+' || variable) return text;
    const std::size_t line = text.rfind('\n') + 1;  // npos + 1 = 0
    if (line == 0 && !line_starting_) return text;
    return strip(text.substr(line)).empty() ? text.substr(0, line) : text;
  }

  void lex_comment(std::size_t begin) {
    const std::size_t close = source_.find("#}", begin);
    if (close == std::string::npos && begin < source_.size()) throw Fault{"Missing end of comment tag", line_};
    if (close == std::string::npos) return move_to(begin);  // nothing behind it: Jinja2 sees no fault
    const char before = close > begin ? source_[close - 1] : '\0';
    finish_tag(close + 2, before, true);
  }

  // After a closing "x}": what trim_blocks or "-" takes away with it.
  void finish_tag(std::size_t end, char sign, bool trim) {
    if (sign == '-')
      end += spaces_at(end);
    else if (sign != '+' && trim && end < source_.size() && source_[end] == '\n')
      ++end;
    line_starting_ = source_[end - 1] == '\n';
    move_to(end);
  }

  std::size_t spaces_at(std::size_t from) const {
    const std::string_view rest = std::string_view(source_).substr(from);
    return rest.size() - strip(rest, true, false).size();
  }

  // "{% raw %}" at a block's begin: the offset behind it.
  std::optional<std::size_t> raw_begin_end(std::size_t at) const {
    at += spaces_at(at);
    if (source_.compare(at, 3, "raw") != 0) return std::nullopt;
    at += 3;
    at += spaces_at(at);
    if (source_.compare(at, 3, "-%}") == 0) return at + 3 + spaces_at(at + 3);
    if (source_.compare(at, 2, "%}") == 0) return at + 2;
    return std::nullopt;
  }

  void lex_raw() {
    for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos; tag = source_.find("{%", tag + 1)) {
      std::size_t i = tag + 2;
      const char sign = i < source_.size() && (source_[i] == '-' || source_[i] == '+') ? source_[i] : '\0';
      if (sign != '\0') ++i;
      i += spaces_at(i);
      if (source_.compare(i, 6, "endraw") != 0) continue;
      i += 6;
      i += spaces_at(i);
      char end_sign = '\0';
      if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) end_sign = source_[i++];
      if (source_.compare(i, 2, "%}") != 0) continue;
      push_data(left_stripped(std::string_view(source_).substr(at_, tag - at_), sign, false));
      finish_tag(i + 2, end_sign, true);
      return;
    }
    if (at_ < source_.size()) throw Fault{"Missing end of raw directive", line_};
  }

  void lex_tag(bool block) {
    std::vector<char> open;
    const char close = block ? '%' : '}';
    for (;;) {
      move_to(at_ + spaces_at(at_));
      if (at_ >= source_.size()) return;  // the parser says what is missing
      if (open.empty()) {
        const char c = source_[at_];
        const bool marked = (c == '-' || (c == '+' && block)) && source_.compare(at_ + 1, 2, {close, '}'}) == 0;
        if (marked || source_.compare(at_, 2, {close, '}'}) == 0) {
          push(block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, {});
          finish_tag(at_ + (marked ? 3 : 2), marked ? c : '\0', block);
          return;
        }
      }
      lex_expression_token(open);
    }
  }

  void lex_expression_token(std::vector<char>& open) {
    const char c = source_[at_];
    if (is_ascii_digit(c)) return lex_number();
    if (c == '\'' || c == '"') return lex_string(c);
    std::size_t next = at_;
    if (is_name_char(utf8_next(source_, next))) return lex_name();
    static constexpr std::array<std::string_view, 6> kPairs = {"//", "**", "==", "!=", ">=", "<="};
    static constexpr std::string_view kSingles = "+-/*%~[](){}><=.:|,;";
    const std::string_view two = std::string_view(source_).substr(at_, 2);
    std::size_t length = std::find(kPairs.begin(), kPairs.end(), two) != kPairs.end() ? 2 : 0;
    if (length == 0 && kSingles.find(c) != std::string_view::npos) length = 1;
    if (length == 0) throw Fault{"unexpected char " + text_repr(source_.substr(at_, next - at_)), line_};
    if (length == 1) balance(c, open);
    push(TokenKind::kOperator, source_.substr(at_, length));
    move_to(at_ + length);
  }

  void balance(char c, std::vector<char>& open) const {
    if (c == '{' || c == '(' || c == '[') open.push_back(c == '{' ? '}' : c == '(' ? ')' : ']');
    if (c != '}' && c != ')' && c != ']') return;
    if (open.empty()) throw Fault{fmt::format("unexpected '{}'", c), line_};
    const char expected = open.back();
    open.pop_back();
    if (expected != c) throw Fault{fmt::format("unexpected '{}', expected '{}'", c, expected), line_};
  }

  void lex_name() {
    std::size_t end = at_;
    while (end < source_.size()) {
      std::size_t next = end;
      if (!is_name_char(utf8_next(source_, next))) break;
      end = next;
    }
    push(TokenKind::kName, source_.substr(at_, end - at_));
    move_to(end);
  }

  // Digits with single underscores between them, from `at`; returns the offset behind them.
  std::size_t digits_end(std::size_t at) const {
    while (at < source_.size() &&
           (is_ascii_digit(source_[at]) || (source_[at] == '_' && at > 0 && is_ascii_digit(source_[at - 1]) &&
                                            at + 1 < source_.size() && is_ascii_digit(source_[at + 1]))))
      ++at;
    return at;
  }

  std::size_t float_end() const {
    if (at_ > 0 && source_[at_ - 1] == '.') return at_;
    const std::size_t whole = digits_end(at_);
    std::size_t end = whole;
    if (end + 1 < source_.size() && source_[end] == '.' && is_ascii_digit(source_[end + 1])) end = digits_end(end + 1);
    if (end < source_.size() && (source_[end] | 0x20) == 'e') {
      std::size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
      if (exponent < source_.size() && is_ascii_digit(source_[exponent])) end = digits_end(exponent);
    }
    return end == whole ? at_ : end;
  }

  std::size_t integer_end() const {
    if (source_[at_] != '0') return digits_end(at_);
    const char letter = at_ + 1 < source_.size() ? static_cast<char>(source_[at_ + 1] | 0x20) : '\0';
    const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    std::size_t end = at_ + (base != 0 ? 2 : 1);
    auto fits = [&](std::size_t i) {
      if (i >= source_.size()) return false;
      const char c = source_[i];
      if (base == 0) return c == '0';
      return base == 16 ? std::isxdigit(static_cast<unsigned char>(c)) != 0 : c >= '0' && c < '0' + base;
    };
    const std::size_t begin = end;
    while (fits(end) || (end < source_.size() && source_[end] == '_' && fits(end + 1))) ++end;
    return base != 0 && end == begin ? at_ + 1 : end;
  }

  void lex_number() {
    std::size_t end = float_end();
    const bool is_float = end > at_;
    if (!is_float) end = integer_end();
    const std::string text = source_.substr(at_, end - at_);
    push(is_float ? TokenKind::kFloat : TokenKind::kInteger, text);
    if (is_float)
      tokens_.back().real = parse_float(text).value_or(0);
    else
      tokens_.back().integer = parse_int(text, 0).value_or(0);
    move_to(end);
  }

  void lex_string(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2U : 1U;
    if (end >= source_.size()) throw Fault{fmt::format("unexpected char {}", text_repr({&quote, 1})), line_};
    std::string value;
    if (auto fault = unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1), value); !fault.empty())
      throw Fault{fault, line_};
    push(TokenKind::kString, std::move(value));
    move_to(end + 1);
  }

  void push_data(std::string_view text) {
    if (!text.empty()) push(TokenKind::kData, std::string(text));
  }
  void push(TokenKind kind, std::string text) {
    if (tokens_.size() >= kMaxTokens) throw Fault{"the template has too many tokens", line_};
    Token token;
    token.kind = kind;
    token.text = std::move(text);
    token.line = line_;
    tokens_.push_back(std::move(token));
  }
  void move_to(std::size_t position) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
    at_ = position;
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace tetrad::jinja
