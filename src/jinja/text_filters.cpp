#include <fmt/format.h>

#include <cmath>

#include "base/utf8.h"
#include "jinja/arguments.h"
#include "jinja/builtins.h"
#include "jinja/filters.h"
#include "jinja/objects.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/text_split.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {

Value soft_text(Runtime& runtime, const Value& value) { return value.is_string() ? value : runtime.text(str(value)); }

namespace {

template <std::string (*kMap)(std::string_view)>
Value mapped(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("filter", args, {});
  const Value text = soft_text(runtime, value);
  return runtime.text(kMap(text.text()), text.str().markup);
}

// Not str.title: words begin after whitespace, "-" and opening brackets only.
std::string title(std::string_view text) {
  std::string out;
  std::size_t begin = 0;
  auto flush = [&](std::size_t end) {
    const std::string_view word = text.substr(begin, end - begin);
    if (word.empty()) return;
    const std::size_t first = utf8_sequence_length(word);
    out += to_upper(word.substr(0, first)) + to_lower(word.substr(first));
  };
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t at = i;
    const char32_t c = utf8_next(text, i);
    if (!is_space(c) && c != '-' && c != '(' && c != '{' && c != '[' && c != '<') continue;
    flush(at);
    out += text.substr(at, i - at);
    begin = i;
  }
  flush(text.size());
  return out;
}

Value trim(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("trim", args, {"chars"});
  const Value text = soft_text(runtime, value);
  const auto out = bound.is_none(0) ? strip(text.text()) : strip_set(text.text(), bound.text(0), true, true);
  return runtime.text(std::string(out), text.str().markup);
}

Value replace(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("replace", args, {"old", "new", "count"}, 2);
  const Int count = bound.is_none(2) ? -1 : bound.integer(2, -1);
  return runtime.text(replace_text(runtime, str(value), str(bound.at(0)), str(bound.at(1)), count));
}

Value string(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("string", args, {});
  return soft_text(runtime, value);
}

Value safe(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("safe", args, {});
  return runtime.text(str(value), true);
}

Value escape(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("escape", args, {});
  if (value.is_string() && value.str().markup) return value;
  return runtime.text(escape_html(str(value)), true);
}

Value force_escape(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("forceescape", args, {});
  return runtime.text(escape_html(str(value)), true);
}

Value indent(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("indent", args, {"width", "first", "blank"});
  if (value.is_undefined()) fail(value.undefined_message());
  if (!value.is_string()) fail("unsupported operand type(s) for +=: '" + type_name(value) + "' and 'str'");
  std::string space;
  if (bound.has(0) && bound.at(0).is_string()) {
    space = bound.text(0);
  } else {
    const Int width = std::max(bound.integer(0, 4), Int{0});
    runtime.expect_bytes(static_cast<std::size_t>(std::min(width, Int{1} << 40)), 1);
    space.assign(static_cast<std::size_t>(width), ' ');
  }
  const bool blank = bound.flag(2, false);
  const std::string text = value.text() + "\n";
  std::string out = bound.flag(1, false) ? space : std::string();
  const auto lines = split_lines(text);
  runtime.expect_bytes(lines.size(), space.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += "\n";
    if (i > 0 && (blank || !lines[i].empty())) out += space;
    out += lines[i];
  }
  return runtime.text(std::move(out), value.str().markup);
}

Value truncate(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("truncate", args, {"length", "killwords", "end", "leeway"});
  constexpr Int kFar = Int{1} << 100;  // no text is so long
  const Int length = std::min(bound.integer(0, 255), kFar);
  const Int leeway = bound.is_none(3) ? 5 : std::min(bound.integer(3, 5), kFar);
  const std::string end = bound.has(2) ? bound.text(2) : "...";
  const Int end_length = static_cast<Int>(utf8_count(end));
  if (length < end_length) fail("expected length >= " + int_text(end_length) + ", got " + int_text(length));
  if (leeway < 0) fail("expected leeway >= 0, got " + int_text(leeway));
  if (!value.is_string()) fail("truncate needs a str, got '" + type_name(value) + "'");
  if (static_cast<Int>(value.str().length) <= length + leeway) return value;
  std::string head = value.text().substr(0, byte_offset(value.text(), static_cast<std::size_t>(length - end_length)));
  if (!bound.flag(1, false)) head = std::string(split_text(head, " ", 1, true)[0]);
  return runtime.text(head + end, value.str().markup);
}

Value center(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("center", args, {"width"});
  const Value text = soft_text(runtime, value);
  return runtime.text(centered(runtime, text.str(), bound.integer(0, 80), " "), text.str().markup);
}

Value wordcount(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("wordcount", args, {});
  const Value text = soft_text(runtime, value);
  std::size_t words = 0;
  bool in_word = false;
  for (std::size_t i = 0; i < text.text().size();) {
    const char32_t c = utf8_next(text.text(), i);
    const bool word = c == '_' || is_alnum(c);
    if (word && !in_word) ++words;
    in_word = word;
  }
  return words;
}

std::string url_quote(std::string_view text, bool for_query) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte < 0x80 && std::isalnum(byte) != 0) || c == '_' || c == '.' || c == '-' || c == '~';
    if (plain || (c == '/' && !for_query))
      out += c;
    else if (c == ' ' && for_query)
      out += '+';
    else
      out += fmt::format("%{:02X}", byte);
  }
  return out;
}

Value urlencode(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("urlencode", args, {});
  if (value.is_string() || !is_iterable(value)) return runtime.text(url_quote(str(value), false));
  std::string out;
  auto append = [&](const Value& key, const Value& item) {
    out += (out.empty() ? "" : "&") + url_quote(str(key), true) + "=" + url_quote(str(item), true);
  };
  if (value.is_dict()) {
    for (const auto& [key, item] : value.dict().items) append(key, item);
  } else {
    for (const Value& item : collect(runtime, value)) {
      const auto pair = collect(runtime, item);
      if (pair.size() != 2) fail("urlencode needs pairs of key and value");
      append(pair[0], pair[1]);
    }
  }
  return runtime.text(std::move(out));
}

Value format(Runtime& runtime, const Value& value, const Args& args) {
  if (!args.positional.empty() && !args.keyword.empty())
    fail("can't handle positional and keyword arguments at the same time");
  const Value text = soft_text(runtime, value);
  Value arguments = runtime.tuple(args.positional);
  if (!args.keyword.empty()) {
    auto named = runtime.dict();
    for (const auto& [name, item] : args.keyword) named->set(runtime.text(name), item);
    arguments = Value(DictRef(named));
  }
  return runtime.text(percent_format(runtime, text.str(), arguments), text.str().markup);
}

std::optional<Int> int_of(const Value& value, const Value& base) {
  if (value.is_integral()) return value.integer();
  std::optional<double> real;
  if (value.is_string()) {
    if (const auto whole = parse_int(value.text(), base.is_integral() ? static_cast<int>(base.integer()) : 10))
      return whole;
    real = parse_float(value.text());
  } else if (value.is_float()) {
    real = value.real();
    if (std::isinf(*real)) fail("cannot convert float infinity to integer");  // OverflowError is not caught there
  }
  if (!real || !std::isfinite(*real)) return std::nullopt;
  if (std::fabs(*real) >= 0x1p126) fail("integers beyond 127 bits are not supported");
  return static_cast<Int>(*real);
}

Value to_int(Runtime&, const Value& value, const Args& args) {
  const Bound bound("int", args, {"default", "base"});
  if (value.is_undefined()) fail(value.undefined_message());
  const auto result = int_of(value, bound.value(1, Value(10)));
  return result ? Value(*result) : bound.value(0, Value(0));
}

Value to_float(Runtime&, const Value& value, const Args& args) {
  const Bound bound("float", args, {"default"});
  if (value.is_undefined()) fail(value.undefined_message());
  if (value.is_number()) return value.real();
  const auto result = value.is_string() ? parse_float(value.text()) : std::nullopt;
  return result ? Value(*result) : bound.value(0, Value(0.0));
}

Value absolute(Runtime&, const Value& value, const Args& args) {
  const Bound bound("abs", args, {});
  if (value.is_undefined()) fail("bad operand type for abs(): 'Undefined'");
  if (value.is_float()) return std::fabs(value.real());
  if (!value.is_integral()) fail("bad operand type for abs(): '" + type_name(value) + "'");
  return value.integer() < 0 ? negative(value) : Value(value.integer());
}

// round(): to even on the exact decimal value, which printing with that many digits does correctly.
double round_half_even(double value, Int precision) {
  if (!std::isfinite(value) || precision > 300) return value;
  if (precision < -308) return std::copysign(0.0, value);
  if (precision >= 0) return parse_float(fmt::format("{:.{}f}", value, static_cast<int>(precision))).value_or(value);
  const double scale = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(value / scale) * scale;
}

Int round_int(Int value, Int precision) {
  if (precision >= 0) return value;
  if (precision < -36) return 0;
  Int scale = 1;
  for (Int i = precision; i < 0; ++i) scale *= 10;
  constexpr Int kFar = Int{1} << 126;
  if (value > kFar || value < -kFar) fail("integers beyond 127 bits are not supported");
  const Int rest = ((value % scale) + scale) % scale, low = value - rest;
  const bool up = rest * 2 > scale || (rest * 2 == scale && (low / scale) % 2 != 0);
  return up ? low + scale : low;
}

Value round(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("round", args, {"precision", "method"});
  const std::string method = bound.has(1) ? str(bound.at(1)) : "common";
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  const Int precision = bound.integer(0, 0);
  if (value.is_undefined() || !value.is_number()) fail("type " + type_name(value) + " doesn't define __round__ method");
  if (method == "common") {
    if (value.is_integral()) return round_int(value.integer(), precision);
    return round_half_even(value.real(), precision);
  }
  const Value scale = apply(runtime, BinaryOp::kPow, Value(10), Value(precision));
  const double scaled = apply(runtime, BinaryOp::kMul, value, scale).real();
  if (!std::isfinite(scaled)) fail("cannot convert float to integer");
  const double whole = method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return whole / scale.real();
}

Value to_json_filter(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = bound.flag(0, false);
  style.sort_keys = bound.flag(3, false);
  if (!bound.is_none(1)) {
    style.item_separator = ",";
    if (bound.at(1).is_string())
      style.indent = bound.text(1);
    else
      style.indent = std::string(static_cast<std::size_t>(std::clamp(bound.integer(1, 0), Int{0}, Int{1000})), ' ');
  }
  if (!bound.is_none(2)) {
    const auto parts = collect(runtime, bound.at(2));
    if (parts.size() != 2 || !parts[0].is_string() || !parts[1].is_string())
      fail("tojson: separators must be two strings");
    style.item_separator = parts[0].text();
    style.key_separator = parts[1].text();
  }
  return runtime.text(to_json(value, style, runtime.limits().value_bytes));
}

constexpr std::pair<std::string_view, Method> kTextFilters[] = {
    {"upper", mapped<to_upper>},
    {"lower", mapped<to_lower>},
    {"capitalize", mapped<to_capitalized>},
    {"title", mapped<title>},
    {"trim", trim},
    {"replace", replace},
    {"string", string},
    {"safe", safe},
    {"escape", escape},
    {"e", escape},
    {"forceescape", force_escape},
    {"indent", indent},
    {"truncate", truncate},
    {"center", center},
    {"wordcount", wordcount},
    {"urlencode", urlencode},
    {"format", format},
    {"int", to_int},
    {"float", to_float},
    {"abs", absolute},
    {"round", round},
    {"tojson", to_json_filter},
};

}  // namespace

FilterTable text_filters() { return kTextFilters; }

}  // namespace tetrad::jinja
