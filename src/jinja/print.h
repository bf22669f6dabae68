// How values are written: Python's str() and repr(), numbers included, and JSON as json.dumps writes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jinja/value.h"

namespace tetrad::jinja {

std::string int_text(Int value);
std::string float_text(
    double value);  // repr(): the shortest text that reads back, exponent form below 1e-4 and from 1e16
std::string str(const Value& value);
std::string repr(const Value& value);
std::string ascii_repr(const Value& value);    // ascii(): repr with all beyond ASCII escaped
std::string text_repr(std::string_view text);  // a quoted Python literal

// Numbers as Python's int(text, base) and float(text) read them; nothing where Python raises ValueError.
std::optional<Int> parse_int(std::string_view text, int base);
std::optional<double> parse_float(std::string_view text);

struct JsonStyle {
  bool ascii = false;
  std::optional<std::string> indent;  // one level of it
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};
// json.dumps; throws Fault for what is not JSON. Stops with a Fault above `max_bytes`.
std::string to_json(const Value& value, const JsonStyle& style, std::size_t max_bytes);

}  // namespace tetrad::jinja
