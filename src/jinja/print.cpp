#include "jinja/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "jinja/objects.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {
namespace {

constexpr std::size_t kMaxReprBytes = std::size_t{64} << 20;

class ReprWriter {
 public:
  std::string out;

  void write(const Value& value, int depth) {
    if (depth > 220) fail("values are nested too deeply to print");
    if (out.size() > kMaxReprBytes) fail("a printed value is longer than 64 MiB");
    if (value.is_undefined())
      out += "Undefined";
    else if (value.is_none())
      out += "None";
    else if (value.is_bool())
      out += value.boolean() ? "True" : "False";
    else if (value.is_int())
      out += int_text(value.integer());
    else if (value.is_float())
      out += float_text(value.real());
    else if (value.is_string()) {
      value.str().charge.work(value.text().size() / 64);
      out += value.str().markup ? "Markup(" + text_repr(value.text()) + ")" : text_repr(value.text());
    } else if (value.is_sequence())
      write_items(value.list(), depth);
    else if (value.is_dict())
      write_dict(value.dict(), depth);
    else
      write_object(value.object(), depth);
  }

 private:
  void write_items(const List& list, int depth) {
    list.charge.work(1 + list.items.size());
    out += list.tuple ? "(" : "[";
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out += ", ";
      write(list.items[i], depth + 1);
    }
    if (list.tuple && list.items.size() == 1) out += ",";
    out += list.tuple ? ")" : "]";
  }

  void write_dict(const Dict& dict, int depth) {
    out += "{";
    for (std::size_t i = 0; i < dict.items.size(); ++i) {
      if (i > 0) out += ", ";
      write(dict.items[i].first, depth + 1);
      out += ": ";
      write(dict.items[i].second, depth + 1);
    }
    out += "}";
  }

  void write_object(Object& object, int depth) {
    switch (object.kind()) {
      case ObjectKind::kNamespace:
        write_namespace(static_cast<const Namespace&>(object), depth);
        return;
      case ObjectKind::kRange: {
        const auto& range = static_cast<const Range&>(object);
        out += "range(" + int_text(range.start()) + ", " + int_text(range.stop());
        out += range.step() == 1 ? ")" : ", " + int_text(range.step()) + ")";
        return;
      }
      case ObjectKind::kView:
        write_view(static_cast<const DictView&>(object), depth);
        return;
      default:
        out += object.description();
    }
  }

  void write_namespace(const Namespace& object, int depth) {
    if (std::find(open_.begin(), open_.end(), &object) != open_.end()) {
      out += "<Namespace {...}>";
      return;
    }
    open_.push_back(&object);
    out += "<Namespace ";
    write_dict(object.attributes(), depth);
    out += ">";
    open_.pop_back();
  }

  void write_view(const DictView& view, int depth) {
    out += view.type_name() + "([";
    for (std::size_t i = 0; i < *view.length(); ++i) {
      if (i > 0) out += ", ";
      const auto& [key, value] = view.pair(i);
      if (view.part() == DictView::Part::kItems) out += "(";
      if (view.part() != DictView::Part::kValues) write(key, depth + 1);
      if (view.part() == DictView::Part::kItems) out += ", ";
      if (view.part() != DictView::Part::kKeys) write(value, depth + 1);
      if (view.part() == DictView::Part::kItems) out += ")";
    }
    out += "])";
  }

  std::vector<const Namespace*> open_;  // being written: only these can contain themselves
};

}  // namespace

std::string int_text(Int value) {
  if (value == 0) return "0";
  std::string digits;
  const bool negative = value < 0;
  while (value != 0) {
    const int digit = static_cast<int>(value % 10);
    digits += static_cast<char>('0' + (digit < 0 ? -digit : digit));
    value /= 10;
  }
  if (negative) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view shortest(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = shortest.find('e');
  int exponent = 0;
  const char* exponent_begin = shortest.data() + e + (shortest[e + 1] == '+' ? 2 : 1);
  std::from_chars(exponent_begin, end, exponent);
  std::string digits;
  for (const char c : shortest.substr(0, e))
    if (c != '.' && c != '-') digits += c;
  const std::string sign = shortest[0] == '-' ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    std::string text = sign + digits[0];
    if (digits.size() > 1) text += "." + digits.substr(1);
    return text + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

namespace {
std::string escaped_character(char32_t c) {
  const auto code = static_cast<unsigned>(c);
  if (c < 0x100) return fmt::format("\\x{:02x}", code);
  return c < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
}
}  // namespace

std::string text_repr(std::string_view text) {
  const bool single = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = single ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    const char32_t c = utf8_next(text, i);
    if (c == static_cast<unsigned char>(quote) || c == '\\')
      out += '\\', out += static_cast<char>(c);
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (is_printable(c))
      out += text.substr(begin, i - begin);
    else
      out += escaped_character(c);
  }
  return out + quote;
}

std::string repr(const Value& value) {
  ReprWriter writer;
  writer.write(value, 0);
  return std::move(writer.out);
}

std::string ascii_repr(const Value& value) {
  const std::string text = repr(value);
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = utf8_next(text, i);
    if (c < 0x80)
      out += static_cast<char>(c);
    else
      out += escaped_character(c);
  }
  return out;
}

std::string str(const Value& value) {
  if (value.is_undefined()) return {};
  return value.is_string() ? value.text() : repr(value);
}

namespace {

// Removes the underscores Python allows between digits; nothing when one stands elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const bool between = i > 0 && i + 1 < text.size() && std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0 &&
                         std::isalnum(static_cast<unsigned char>(text[i + 1])) != 0;
    if (!between) return std::nullopt;
  }
  return out;
}

}  // namespace

std::optional<Int> parse_int(std::string_view text, int base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  const auto cleaned = without_underscores(ascii_digits(strip(text)));
  if (!cleaned) return std::nullopt;
  std::string_view digits = *cleaned;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  auto prefixed = [&](char letter) { return digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) == letter; };
  for (const auto& [letter, prefix_base] : {std::pair{'x', 16}, {'o', 8}, {'b', 2}}) {
    if ((base == prefix_base || base == 0) && prefixed(letter)) {
      digits.remove_prefix(2);
      base = prefix_base;
      break;
    }
  }
  if (base == 0) base = 10;
  if (digits.empty()) return std::nullopt;
  Int value = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'                     ? c - '0'
                      : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10
                                                               : 99;
    if (digit >= base) return std::nullopt;
    if (__builtin_mul_overflow(value, Int{base}, &value) || __builtin_add_overflow(value, Int{digit}, &value))
      fail("integers beyond 127 bits are not supported");
  }
  return negative ? -value : value;
}

std::optional<double> parse_float(std::string_view text) {
  const auto cleaned = without_underscores(ascii_digits(strip(text)));
  if (!cleaned || cleaned->empty()) return std::nullopt;
  std::string_view digits = *cleaned;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  std::string lower(digits);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  double value = 0;
  if (lower == "inf" || lower == "infinity")
    value = HUGE_VAL;
  else if (lower == "nan")
    value = std::nan("");
  else {
    if (lower[0] != '.' && (lower[0] < '0' || lower[0] > '9')) return std::nullopt;
    const auto [end, error] = std::from_chars(lower.data(), lower.data() + lower.size(), value);
    if (end != lower.data() + lower.size()) return std::nullopt;
    if (error == std::errc::result_out_of_range)
      value = std::strtod(lower.c_str(), nullptr);
    else if (error != std::errc{})
      return std::nullopt;
  }
  return negative ? -value : value;
}

}  // namespace tetrad::jinja
