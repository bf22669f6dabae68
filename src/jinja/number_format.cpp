#include "jinja/number_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "jinja/print.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {
namespace {

constexpr int kMaxPrecision = 1000;

std::string repeated(Runtime& runtime, const std::string& fill, std::size_t count) {
  runtime.expect_bytes(count, fill.size());
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += fill;
  return out;
}

// Puts sign and digits into the width; "=" fills between the two.
std::string place(Runtime& runtime, const std::string& sign, const std::string& digits, const FormatSpec& spec,
                  char align) {
  const std::size_t length = utf8_count(sign) + utf8_count(digits);
  if (length >= spec.width) return sign + digits;
  const std::size_t missing = spec.width - length;
  switch (align) {
    case '<':
      return sign + digits + repeated(runtime, spec.fill, missing);
    case '^':
      return repeated(runtime, spec.fill, missing / 2) + sign + digits +
             repeated(runtime, spec.fill, missing - missing / 2);
    case '=':
      return sign + repeated(runtime, spec.fill, missing) + digits;
    default:
      return repeated(runtime, spec.fill, missing) + sign + digits;
  }
}

std::string in_base(Int magnitude, int base, bool upper) {
  if (magnitude == 0) return "0";
  const std::string_view symbols = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string digits;
  for (; magnitude > 0; magnitude /= base) digits += symbols[static_cast<std::size_t>(magnitude % base)];
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string grouped(const std::string& digits, char comma) {
  if (comma == '\0') return digits;
  const std::size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  std::string out;
  for (std::size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % 3 == 0) out += comma;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

std::string float_digits(double magnitude, const FormatSpec& spec) {
  if (std::isnan(magnitude) || std::isinf(magnitude)) {
    const bool upper = spec.type == 'E' || spec.type == 'F' || spec.type == 'G';
    return std::isnan(magnitude) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
  }
  const int precision = spec.precision < 0 ? 6 : spec.precision;
  if (spec.type == '%') return fmt::format("{:.{}f}%", magnitude * 100, precision);
  const std::string alternate = spec.alternate ? "#" : "";
  const char type = spec.type == 'n' ? 'g' : spec.type;
  return fmt::format(fmt::runtime("{:" + alternate + ".{}" + type + "}"), magnitude, precision);
}

// format(1e20, '.3'): like g, but with ".0" and exponent rules of repr.
std::string general_digits(double magnitude, int precision) {
  if (precision < 0) return float_text(magnitude);
  FormatSpec spec;
  spec.type = 'g';
  spec.precision = std::max(precision, 1);
  std::string digits = float_digits(magnitude, spec);
  if (digits.find_first_of(".en") == std::string::npos) {
    // repr-like: 'g' with one digit less goes to the exponent form when the whole part fills the precision
    if (static_cast<int>(digits.size()) >= spec.precision && spec.precision < 17)
      return fmt::format("{:.{}e}", magnitude, std::max(0, spec.precision - 1));
    digits += ".0";
  }
  return digits;
}

}  // namespace

std::string format_text(Runtime& runtime, const std::string& text, const FormatSpec& spec, char default_align) {
  std::string shown = text;
  if (spec.precision >= 0) shown = text.substr(0, byte_offset(text, static_cast<std::size_t>(spec.precision)));
  return place(runtime, {}, shown, spec, spec.align == '\0' ? default_align : spec.align);
}

std::string format_number(Runtime& runtime, const Value& value, const FormatSpec& spec) {
  if (spec.precision > kMaxPrecision) fail("a precision above 1000 is not supported");
  const bool float_type = std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos && spec.type != '\0';
  const bool as_float = value.is_float() || float_type;
  std::string digits;
  bool is_negative = false;
  if (as_float) {
    const double real = value.real();
    is_negative = std::signbit(real) && !std::isnan(real);
    const double magnitude = std::fabs(real);
    digits = float_type || spec.type == 'n' ? float_digits(magnitude, spec) : general_digits(magnitude, spec.precision);
  } else {
    const Int integer = value.integer();
    is_negative = integer < 0;
    const Int magnitude = is_negative ? -integer : integer;
    const char type = spec.type;
    if (type == 'x' || type == 'X')
      digits = (spec.alternate ? (type == 'x' ? "0x" : "0X") : "") + in_base(magnitude, 16, type == 'X');
    else if (type == 'o')
      digits = (spec.alternate ? "0o" : "") + in_base(magnitude, 8, false);
    else if (type == 'b')
      digits = (spec.alternate ? "0b" : "") + in_base(magnitude, 2, false);
    else
      digits = int_text(magnitude);
  }
  const std::string sign = is_negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  return place(runtime, sign, grouped(digits, spec.comma), spec, spec.align == '\0' ? '>' : spec.align);
}

namespace {

std::size_t read_width(const std::string& text, std::size_t& at) {
  std::size_t width = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    width = width * 10 + static_cast<std::size_t>(text[at] - '0');
    if (width > 100'000'000) fail("a width above 100000000 is not supported");
  }
  return width;
}

FormatSpec parse_spec(const std::string& text, bool number) {
  FormatSpec spec;
  std::size_t at = 0;
  auto is_align = [&](std::size_t i) {
    return i < text.size() && std::string_view("<>^=").find(text[i]) != std::string_view::npos;
  };
  const std::size_t first = text.empty() ? 0 : utf8_sequence_length(text);
  if (first > 0 && is_align(first))
    spec.fill = text.substr(0, first), spec.align = text[first], at = first + 1;
  else if (is_align(0))
    spec.align = text[0], at = 1;
  if (at < text.size() && (text[at] == '+' || text[at] == '-' || text[at] == ' ')) spec.sign = text[at++];
  if (at < text.size() && text[at] == '#') spec.alternate = true, ++at;
  if (at < text.size() && text[at] == '0') {
    if (spec.align == '\0') spec.fill = "0", spec.align = number ? '=' : '<';
    ++at;
  }
  spec.width = read_width(text, at);
  if (at < text.size() && (text[at] == ',' || text[at] == '_')) spec.comma = text[at++];
  if (at < text.size() && text[at] == '.') {
    const std::size_t begin = ++at;
    spec.precision = static_cast<int>(read_width(text, at));
    if (at == begin) fail("Format specifier missing precision");
  }
  if (at < text.size()) spec.type = text[at++];
  if (at < text.size()) fail("Invalid format specifier");
  return spec;
}

}  // namespace

std::string format_value(Runtime& runtime, const Value& value, const std::string& text) {
  if (text.empty()) return str(value);
  const bool number = value.is_number();
  const FormatSpec spec = parse_spec(text, number);
  if (!number) {
    if (!value.is_string() && !value.is_undefined())
      fail("unsupported format string passed to " + type_name(value) + ".__format__");
    if (value.is_undefined()) fail("unsupported format string passed to Undefined.__format__");
    if ((spec.type != '\0' && spec.type != 's') || spec.align == '=' || spec.sign != '-' || spec.comma != '\0')
      fail("Unknown format code for object of type 'str'");
    return format_text(runtime, value.text(), spec, '<');
  }
  const std::string_view allowed = value.is_float() ? "eEfFgGn%" : "bcdoxXneEfFgG%";
  if (spec.type != '\0' && allowed.find(spec.type) == std::string_view::npos)
    fail(std::string("Unknown format code '") + spec.type + "' for object of type '" + type_name(value) + "'");
  const bool float_type = value.is_float() || std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (spec.precision >= 0 && !float_type) fail("Precision not allowed in integer format specifier");
  if (spec.type == 'c') {
    std::string character;
    if (value.integer() < 0 || value.integer() > 0x10FFFF || (value.integer() >= 0xD800 && value.integer() < 0xE000))
      fail("%c arg not in range(0x110000)");
    utf8_append(character, static_cast<char32_t>(value.integer()));
    return place(runtime, {}, character, spec, spec.align == '\0' ? '<' : spec.align);
  }
  if (value.is_bool() && spec.type == '\0') {
    // format(True, '5') formats the int
    return format_number(runtime, Value(value.integer()), spec);
  }
  return format_number(runtime, value, spec);
}

}  // namespace tetrad::jinja
