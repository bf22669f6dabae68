#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace tetrad::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, std::size_t max_bytes) : style_(style), max_bytes_(max_bytes) {}
  std::string out;

  void write(const Value& value, std::size_t level) {
    if (out.size() > max_bytes_) fail("tojson: the text is longer than a template may use");
    if (level > 220) fail("tojson: values are nested too deeply");
    if (value.is_string())
      write_text(value.text());
    else if (value.is_none())
      out += "null";
    else if (value.is_bool())
      out += value.boolean() ? "true" : "false";
    else if (value.is_int())
      out += int_text(value.integer());
    else if (value.is_float())
      out += number(value.real());
    else if (value.is_sequence())
      write_list(value.list(), level);
    else if (value.is_dict())
      write_dict(value.dict(), level);
    else
      fail("Object of type " + type_name(value) + " is not JSON serializable");
  }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_text(value);
  }

  void write_unicode_escape(char32_t c) {
    if (c >= 0x10000) {
      c -= 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (static_cast<unsigned>(c) >> 10),
                         0xDC00 + (static_cast<unsigned>(c) & 0x3FF));
    } else {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    }
  }

  void write_text(std::string_view text) {
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t begin = i;
      const char32_t c = utf8_next(text, i);
      switch (c) {
        case '"':
          out += "\\\"";
          break;
        case '\\':
          out += "\\\\";
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
        case '\b':
          out += "\\b";
          break;
        case '\f':
          out += "\\f";
          break;
        default:
          if (c < 0x20 || (style_.ascii && c > 0x7E))
            write_unicode_escape(c);
          else
            out += text.substr(begin, i - begin);
      }
    }
    out += '"';
  }

  void new_line(std::size_t level) {
    if (!style_.indent) return;
    out += '\n';
    for (std::size_t i = 0; i < level; ++i) out += *style_.indent;
  }

  void write_list(const List& list, std::size_t level) {
    if (list.items.empty()) {
      out += "[]";
      return;
    }
    out += '[';
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out += style_.item_separator;
      new_line(level + 1);
      write(list.items[i], level + 1);
    }
    new_line(level);
    out += ']';
  }

  void write_key(const Value& key) {
    if (key.is_string())
      write_text(key.text());
    else if (key.is_none())
      out += "\"null\"";
    else if (key.is_bool())
      out += key.boolean() ? "\"true\"" : "\"false\"";
    else if (key.is_int())
      out += "\"" + int_text(key.integer()) + "\"";
    else if (key.is_float())
      out += "\"" + number(key.real()) + "\"";
    else
      fail("keys must be str, int, float, bool or None, not " + type_name(key));
  }

  void write_dict(const Dict& dict, std::size_t level) {
    if (dict.items.empty()) {
      out += "{}";
      return;
    }
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (style_.sort_keys)
      std::stable_sort(items.begin(), items.end(),
                       [](const auto* a, const auto* b) { return less(a->first, b->first); });
    out += '{';
    bool first = true;
    for (const auto* item : items) {
      if (!std::exchange(first, false)) out += style_.item_separator;
      new_line(level + 1);
      write_key(item->first);
      out += style_.key_separator;
      write(item->second, level + 1);
    }
    new_line(level);
    out += '}';
  }

  const JsonStyle& style_;
  std::size_t max_bytes_;
};

}  // namespace

std::string to_json(const Value& value, const JsonStyle& style, std::size_t max_bytes) {
  JsonWriter writer(style, max_bytes);
  writer.write(value, 0);
  return std::move(writer.out);
}

}  // namespace tetrad::jinja
