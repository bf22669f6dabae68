#include <algorithm>
#include <cmath>
#include <optional>

#include "base/utf8.h"
#include "jinja/number_format.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace tetrad::jinja {
namespace {

// What %s %r %a and !s !r !a make of a value.
std::string converted(char how, const Value& value) {
  return how == 's' ? str(value) : how == 'r' ? repr(value) : ascii_repr(value);
}

// "%..." of printf style, one conversion after the other.
class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Str& format, const Value& value)
      : runtime_(runtime), format_(format.text), markup_(format.markup), value_(value) {}

  std::string run() {
    while (at_ < format_.size()) {
      const std::size_t before = out_.size();
      const std::size_t percent = std::min(format_.find('%', at_), format_.size());
      out_.append(format_, at_, percent - at_);
      at_ = percent;
      if (at_ < format_.size()) conversion();
      runtime_.step(1 + (out_.size() - before) / 64);
      runtime_.expect_bytes(out_.size(), 2);
    }
    const bool single_left = !value_.is_tuple() && !value_.is_dict() && used_ == 0;
    if ((value_.is_tuple() && used_ < value_.list().items.size() && !by_name_) ||
        (single_left && !value_.is_sequence()))
      fail("not all arguments converted during string formatting");
    return std::move(out_);
  }

 private:
  char peek() const {
    if (at_ >= format_.size()) fail("incomplete format");
    return format_[at_];
  }

  Value next_value() {
    if (value_.is_tuple()) {
      if (used_ >= value_.list().items.size()) fail("not enough arguments for format string");
      return value_.list().items[used_++];
    }
    if (used_++ > 0) fail("not enough arguments for format string");
    return value_;
  }

  Value named_value() {
    const std::size_t begin = ++at_;
    for (int open = 1; open > 0; ++at_) {
      if (peek() == '(') ++open;
      if (peek() == ')') --open;
    }
    if (!value_.is_dict()) fail("format requires a mapping");
    by_name_ = true;
    const std::string name = format_.substr(begin, at_ - begin - 1);
    const Value* found = value_.dict().find(name);
    if (found == nullptr) fail("KeyError: " + text_repr(name));
    return *found;
  }

  std::size_t number() {
    if (peek() == '*') {
      ++at_;
      const Value given = next_value();
      if (!given.is_integral()) fail("* wants int");
      return static_cast<std::size_t>(std::clamp(given.integer(), Int{0}, Int{1} << 40));
    }
    std::size_t result = 0;
    while (peek() >= '0' && peek() <= '9') {
      result = result * 10 + static_cast<std::size_t>(format_[at_++] - '0');
      if (result > 100'000'000) fail("width too big");
    }
    return result;
  }

  void conversion() {
    ++at_;
    if (peek() == '%') {
      out_ += format_[at_++];
      return;
    }
    std::optional<Value> named;
    if (peek() == '(') named = named_value();
    FormatSpec spec;
    bool zero = false, left = false;
    for (;; ++at_) {
      const char c = peek();
      if (c == '-')
        left = true;
      else if (c == '0')
        zero = true;
      else if (c == '#')
        spec.alternate = true;
      else if (c == '+')
        spec.sign = '+';
      else if (c == ' ')
        spec.sign = spec.sign == '+' ? '+' : ' ';
      else
        break;
    }
    spec.width = number();
    if (peek() == '.') {
      ++at_;
      spec.precision = static_cast<int>(std::min<std::size_t>(number(), 100'000'000));
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    spec.type = format_[at_++];
    if (left)
      spec.align = '<';
    else if (zero)
      spec.align = '=', spec.fill = "0";
    convert(spec, named ? *named : next_value());
  }

  // A Markup escapes what is put into it.
  std::string shown(char type, const Value& value) const {
    std::string text = converted(type, value);
    runtime_.step(text.size() / 64);
    return markup_ && !(type == 's' && value.is_string() && value.str().markup) ? escape_html(text) : text;
  }

  void convert(FormatSpec& spec, const Value& value) {
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a':
        if (spec.align == '=') spec.align = '>', spec.fill = " ";
        out_ += format_text(runtime_, shown(spec.type, value), spec, '>');
        return;
      case 'c': {
        std::string character = value.is_string() ? value.text() : std::string();
        if (value.is_integral() && value.integer() >= 0 && value.integer() < 0xD800)
          utf8_append(character, static_cast<char32_t>(value.integer()));
        if (utf8_count(character) != 1) fail("%c requires int or char");
        out_ += format_text(runtime_, character, spec, '>');
        return;
      }
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        convert_int(spec, value);
        return;
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (value.is_undefined()) fail(value.undefined_message());
        if (!value.is_number()) fail("must be real number, not " + type_name(value));
        out_ += format_number(runtime_, value, spec);
        return;
      default:
        fail(std::string("unsupported format character '") + spec.type + "'");
    }
  }

  void convert_int(FormatSpec& spec, const Value& value) {
    const bool decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
    if (!value.is_number() || (value.is_float() && !decimal))
      fail(std::string("%") + spec.type + " format: " + (decimal ? "a real number" : "an integer") +
           " is required, not " + type_name(value));
    Value whole = value;
    if (value.is_float()) {
      if (!std::isfinite(value.real()) || std::fabs(value.real()) >= 0x1p126) fail("cannot convert float to integer");
      whole = Value(static_cast<Int>(value.real()));
    } else {
      whole = Value(value.integer());
    }
    const int precision = spec.precision;
    spec.precision = -1;
    if (decimal) spec.type = 'd';
    if (precision < 0) {
      out_ += format_number(runtime_, whole, spec);
      return;
    }
    if (precision > 1000) fail("a precision above 1000 is not supported");
    FormatSpec inner;
    inner.type = spec.type;
    inner.sign = spec.sign;
    inner.fill = "0";
    inner.align = '=';
    inner.width = static_cast<std::size_t>(precision) + (whole.integer() < 0 || spec.sign != '-' ? 1 : 0);
    spec.fill = " ";
    if (spec.align == '=') spec.align = '>';
    out_ += format_text(runtime_, format_number(runtime_, whole, inner), spec, '>');
  }

  Runtime& runtime_;
  const std::string& format_;
  bool markup_;
  const Value& value_;
  std::string out_;
  std::size_t at_ = 0;
  std::size_t used_ = 0;
  bool by_name_ = false;
};

// "{...}" of str.format.
class BraceFormatter {
 public:
  BraceFormatter(Runtime& runtime, const Args& args, bool markup) : runtime_(runtime), args_(args), markup_(markup) {}

  std::string run(const std::string& format, int depth) {
    if (depth > 2) fail("Max string recursion exceeded");
    std::string out;
    for (std::size_t i = 0; i < format.size();) {
      const char c = format[i];
      const bool doubled = i + 1 < format.size() && format[i + 1] == c;
      if ((c == '{' || c == '}') && doubled) {
        out += c;
        i += 2;
      } else if (c == '{') {
        const std::size_t end = field_end(format, i + 1);
        const std::string text = field(format.substr(i + 1, end - i - 1), depth);
        runtime_.step(1 + text.size() / 64);
        runtime_.expect_bytes(out.size() + text.size(), 2);
        out += text;
        i = end + 1;
      } else if (c == '}') {
        fail("Single '}' encountered in format string");
      } else {
        out += c;
        ++i;
      }
    }
    return out;
  }

 private:
  static std::size_t field_end(const std::string& format, std::size_t at) {
    for (int open = 1; at < format.size(); ++at) {
      if (format[at] == '{') ++open;
      if (format[at] == '}' && --open == 0) return at;
    }
    fail("Single '{' encountered in format string");
  }

  std::string field(const std::string& text, int depth) {
    std::size_t name_end = 0;
    bool bracket = false;
    for (; name_end < text.size(); ++name_end) {
      if (text[name_end] == '[') bracket = true;
      if (text[name_end] == ']') bracket = false;
      if (!bracket && (text[name_end] == '!' || text[name_end] == ':')) break;
    }
    Value value = lookup(text.substr(0, name_end));
    std::size_t at = name_end;
    if (at < text.size() && text[at] == '!') {
      const char how = at + 1 < text.size() ? text[at + 1] : '\0';
      if (how != 's' && how != 'r' && how != 'a') fail("Unknown conversion specifier");
      value = runtime_.text(converted(how, value));
      at += 2;
      if (at < text.size() && text[at] != ':') fail("expected ':' after conversion specifier");
    }
    const std::string spec = at < text.size() ? run(text.substr(at + 1), depth + 1) : std::string();
    const std::string formatted = format_value(runtime_, value, spec);
    return markup_ && !(value.is_string() && value.str().markup) ? escape_html(formatted) : formatted;
  }

  Value lookup(const std::string& path) {
    const std::size_t end = std::min(path.find_first_of(".["), path.size());
    if (end == 0 && !path.empty()) fail("KeyError: ''");  // string.Formatter numbers only fields that are empty
    Value value = first(path.substr(0, end));
    for (std::size_t at = end; at < path.size();) {
      if (path[at] == '.') {
        const std::size_t next = std::min(path.find_first_of(".[", at + 1), path.size());
        value = get_attribute(runtime_, value, path.substr(at + 1, next - at - 1));
        at = next;
      } else {
        const std::size_t close = path.find(']', at);
        if (path[at] != '[' || close == std::string::npos) fail("Missing ']' in format string");
        const std::string key = path.substr(at + 1, close - at - 1);
        const bool digits = !key.empty() && key.find_first_not_of("0123456789") == std::string::npos;
        value = get_item(runtime_, value, digits ? Value(parse_int(key, 10).value_or(0)) : runtime_.text(key));
        at = close + 1;
      }
    }
    return value;
  }

  Value first(const std::string& name) {
    const bool digits = name.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) {
      for (const auto& [known, value] : args_.keyword)
        if (known == name) return value;
      fail("KeyError: " + text_repr(name));
    }
    if (name.empty() ? manual_ : automatic_)
      fail("cannot switch between manual field specification and automatic field numbering");
    (name.empty() ? automatic_ : manual_) = true;
    const std::size_t index = name.empty() ? next_++ : static_cast<std::size_t>(parse_int(name, 10).value_or(0));
    if (index >= args_.positional.size())
      fail("Replacement index " + std::to_string(index) + " out of range for positional args tuple");
    return args_.positional[index];
  }

  Runtime& runtime_;
  const Args& args_;
  bool markup_;
  std::size_t next_ = 0;
  bool automatic_ = false, manual_ = false;
};

}  // namespace

std::string percent_format(Runtime& runtime, const Str& format, const Value& value) {
  return PercentFormatter(runtime, format, value).run();
}

std::string brace_format(Runtime& runtime, const Str& format, const Args& args) {
  return BraceFormatter(runtime, args, format.markup).run(format.text, 0);
}

}  // namespace tetrad::jinja
