#include "grammar/schema_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"

namespace tetrad {
namespace {

class Pattern {
 public:
  Pattern(const std::string& text, const std::string& place) : text_(text), place_(place) {}

  Result<std::string> prepare() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '[')
        TETRAD_TRY(characters());
      else if (c == '(')
        TETRAD_TRY(group());
      else if (needs_escape(unit()))
        return refuse("a quote, backslash or control character");
      if (unknown_) return refuse(std::string("\\") + unknown_);
    }
    return std::move(out_);
  }

 private:
  Unexpected refuse(const std::string& what) const {
    return invalid_input("unsupported JSON schema", place_, "\"pattern\" with " + what + " is not supported");
  }

  // As JSON writes it inside of a text.
  static bool needs_escape(char32_t c) { return c < 0x20 || c == '"' || c == '\\'; }

  Status group() {
    const std::string_view rest = std::string_view(text_).substr(at_);
    const bool named = rest.starts_with("(?<") && !rest.starts_with("(?<=") && !rest.starts_with("(?<!");
    if (rest.starts_with("(?") && !rest.starts_with("(?:") && !named) return refuse("look-around or flags");
    out_ += '(';
    ++at_;
    return {};
  }

  // [...]: one that holds nothing but what JSON escapes would leave nothing to choose.
  Status characters() {
    out_ += '[';
    ++at_;
    const bool negated = at_ < text_.size() && text_[at_] == '^';
    if (negated) out_ += text_[at_++];
    bool any = negated;
    while (at_ < text_.size() && text_[at_] != ']') any = !needs_escape(unit()) || any;
    if (unknown_ == 'b') unknown_ = 0;   // in a class it is a backspace
    if (at_ == text_.size()) return {};  // never closed: xgrammar says so
    out_ += text_[at_++];
    if (any) return {};
    return refuse("a class of quotes, backslashes or control characters only");
  }

  // Takes one character, as it is or escaped. Classes (\d) count as a letter.
  char32_t unit() {
    if (text_[at_] == '\\') return escape();
    const char32_t code = utf8_next(text_, at_);
    if (code < 0x80)
      out_ += static_cast<char>(code);
    else
      out_ += fmt::format("\\u{{{:x}}}", static_cast<unsigned>(code));
    return code;
  }

  char32_t escape() {
    const std::size_t begin = at_;
    const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    at_ = std::min(at_ + 2, text_.size());
    char32_t code = 'a';
    if (std::string_view("nrtfv0cb\"\\").find(kind) != std::string_view::npos && kind != 'b') code = '\n';
    if (std::string_view("bBpPk123456789").find(kind) != std::string_view::npos) unknown_ = kind;
    if (kind == 'x' || kind == 'u') code = hexadecimal(kind == 'x' ? 2 : 4);
    out_ += text_.substr(begin, at_ - begin);
    return code;
  }

  char32_t hexadecimal(std::size_t digits) {
    const bool braces = at_ < text_.size() && text_[at_] == '{';
    const std::size_t end = braces ? text_.find('}', at_) : std::min(at_ + digits, text_.size());
    if (end == std::string::npos) return 'a';
    const std::string number = text_.substr(at_ + (braces ? 1 : 0), end - at_ - (braces ? 1 : 0));
    at_ = end + (braces ? 1 : 0);
    return static_cast<char32_t>(std::strtoul(number.c_str(), nullptr, 16));
  }

  const std::string& text_;
  const std::string& place_;
  std::string out_;
  std::size_t at_ = 0;
  char unknown_ = 0;  // of an escape that stands for no character
};

}  // namespace

Result<std::string> prepare_pattern(const std::string& pattern, const std::string& place) {
  return Pattern(pattern, place).prepare();
}

}  // namespace tetrad
