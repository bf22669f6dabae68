#include "chat/tool_arguments.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

namespace tetrad {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr int kMaxValueDepth = 127;  // parse_json's, less one

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string quoted_json(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  return out += '"';
}

// A decimal number taken apart: sign, digits before and after the point, exponent with its sign.
struct Decimal {
  bool negative = false, has_exponent = false, is_json = false;
  std::string whole, fraction, exponent;

  std::string text() const {
    return (negative ? "-" : "") + whole + (fraction.empty() ? "" : "." + fraction) +
           (has_exponent ? "e" + exponent : "");
  }
};

std::string take_digits(std::string_view& text) {
  const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string digits(text.substr(0, count));
  text.remove_prefix(count);
  return digits;
}

std::optional<Decimal> read_decimal(std::string_view text) {
  Decimal number;
  const bool plus = text.starts_with('+');
  number.negative = text.starts_with('-');
  if (plus || number.negative) text.remove_prefix(1);
  number.whole = take_digits(text);
  number.is_json = !plus && (number.whole == "0" || (!number.whole.empty() && number.whole[0] != '0'));
  const bool has_digits_before = !number.whole.empty();
  number.whole.erase(0, std::min(number.whole.find_first_not_of('0'), number.whole.size()));
  if (number.whole.empty()) number.whole = "0";
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    number.fraction = take_digits(text);
    number.is_json = number.is_json && !number.fraction.empty();
  }
  if (!has_digits_before && number.fraction.empty()) return std::nullopt;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    number.has_exponent = true;
    if (text.starts_with('-')) number.exponent = "-";
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    const std::string digits = take_digits(text);
    if (digits.empty()) return std::nullopt;
    number.exponent += digits;
  }
  if (!text.empty()) return std::nullopt;
  return number;
}

// JSON's numbers have no bounds, but those who read them have doubles: beyond, Python and JavaScript see infinity and
// other parsers refuse the document.
bool is_finite(const std::string& number) { return std::isfinite(std::strtod(number.c_str(), nullptr)); }

// The exact integer that `number` is ("3.0", "2e3"), if it is one that a double can reach.
std::optional<std::string> whole_number(const Decimal& number) {
  std::string digits = number.whole + number.fraction;
  const std::size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return "0";
  digits.erase(0, first);
  int exponent = 0;
  const char* const end = number.exponent.data() + number.exponent.size();
  if (number.has_exponent && std::from_chars(number.exponent.data(), end, exponent).ec != std::errc())
    return std::nullopt;
  long shift = long{exponent} - static_cast<long>(number.fraction.size());
  for (; shift < 0; ++shift, digits.pop_back())
    if (digits.empty() || digits.back() != '0') return std::nullopt;
  if (shift > 310) return std::nullopt;
  digits.append(static_cast<std::size_t>(shift), '0');
  return (number.negative ? "-" : "") + digits;
}

std::optional<std::string> number_json(std::string_view text, JsonTypes types, bool lenient) {
  const auto number = read_decimal(text);
  if (!number || (!number->is_json && !lenient)) return std::nullopt;
  const bool plain = number->fraction.empty() && !number->has_exponent;
  std::optional<std::string> result;
  if (plain || (types & kJsonNumber) != 0)
    result = number->is_json ? std::string(text) : number->text();
  else if (lenient)
    result = whole_number(*number);
  return result && is_finite(*result) ? result : std::nullopt;
}

std::optional<std::string> boolean_json(std::string_view text, bool lenient) {
  const std::string word = lower(text);
  if (word == "true" || (lenient && word == "1")) return "true";
  if (word == "false" || (lenient && word == "0")) return "false";
  return std::nullopt;
}

// One separator style for the whole of the arguments, also inside of what the model wrote as JSON; numbers keep their
// digits, which is why the parsed tree isn't dumped. `text` is valid JSON. Nothing when it is nested so deeply that the
// arguments, one level more, would be refused when they come back in the history.
std::optional<std::string> respaced(std::string_view text) {
  std::string out;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      std::size_t end = i + 1;
      while (text[end] != '"') end += text[end] == '\\' ? 2u : 1u;
      const std::string_view token = text.substr(i, end - i + 1);
      if (token.find('\\') == std::string_view::npos)
        out += token;
      else
        out += quoted_json(Json::parse(token).get_ref<const std::string&>());
      i = end;
    } else if (text[i] == ',' || text[i] == ':') {
      out += text[i];
      out += ' ';
    } else if (kSpace.find(text[i]) == std::string_view::npos) {
      if (text[i] == '[' || text[i] == '{') ++depth;
      if (text[i] == ']' || text[i] == '}') --depth;
      if (depth > kMaxValueDepth) return std::nullopt;
      out += text[i];
    }
  }
  return out;
}

std::optional<std::string> container_json(std::string_view text, JsonTypes types) {
  const bool fits =
      (text.starts_with('{') && (types & kJsonObject) != 0) || (text.starts_with('[') && (types & kJsonArray) != 0);
  // The JSON library takes a zero byte for the end of the text.
  if (!fits || text.find('\0') != std::string_view::npos || !parse_json(text, "argument")) return std::nullopt;
  return respaced(text);
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (const auto byte = static_cast<unsigned char>(c); byte < 0x20) {
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 15];
        } else {
          out += c;
        }
    }
  }
}

std::string typed_json(std::string_view text, JsonTypes types) {
  const bool lenient = types != 0 && (types & kJsonString) == 0;
  const std::string_view token = lenient ? trimmed(text) : text;
  if ((types & kJsonNull) != 0 && (lenient ? lower(token) == "null" : token == "null")) return "null";
  if ((types & (kJsonInteger | kJsonNumber)) != 0)
    if (auto number = number_json(token, types, lenient)) return *number;
  if ((types & kJsonBoolean) != 0)
    if (auto boolean = boolean_json(token, lenient)) return *boolean;
  if ((types & (kJsonObject | kJsonArray)) != 0)
    if (auto container = container_json(trimmed(text), types)) return *container;
  return quoted_json(text);
}

void ArgumentsWriter::begin(const Json* parameters, std::string& out) {
  parameters_ = parameters;
  names_.clear();
  empty_ = true;
  out += '{';
}

void ArgumentsWriter::begin_parameter(std::string_view name, std::string& out) {
  name_ = name;
  held_.clear();
  if (!names_.insert(name_).second) {
    mode_ = Mode::kIgnored;
    return;
  }
  types_ = parameters_ == nullptr ? JsonTypes{0} : parameter_types(*parameters_, name);
  mode_ = Mode::kHeld;
  if (types_ == 0 || types_ == kJsonString) open_string(out);
}

void ArgumentsWriter::open_key(std::string& out) {
  if (!empty_) out += ", ";
  empty_ = false;
  out += quoted_json(name_) + ": ";
}

void ArgumentsWriter::open_string(std::string& out) {
  open_key(out);
  out += '"';
  mode_ = Mode::kStreamed;
}

void ArgumentsWriter::value(std::string_view text, std::string& out) {
  if (mode_ == Mode::kStreamed) return append_json_escaped(out, text);
  if (mode_ == Mode::kIgnored) return;
  held_ += text;
  // A text that may be null is a text once it can't become "null" any more.
  if (types_ == (kJsonString | kJsonNull) && !std::string_view("null").starts_with(held_)) {
    open_string(out);
    append_json_escaped(out, held_);
  }
}

void ArgumentsWriter::end_parameter(std::string& out) {
  if (mode_ == Mode::kStreamed) out += '"';
  if (mode_ == Mode::kHeld) {
    open_key(out);
    out += typed_json(held_, types_);
  }
  mode_ = Mode::kIgnored;
}

void ArgumentsWriter::cut_parameter(std::string& out) {
  if (mode_ == Mode::kStreamed) out += '"';
  mode_ = Mode::kIgnored;
}

void ArgumentsWriter::end(std::string& out) { out += '}'; }

}  // namespace tetrad
