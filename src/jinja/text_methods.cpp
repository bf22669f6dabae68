#include "jinja/text_methods.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "jinja/arguments.h"
#include "jinja/objects.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/text_search.h"
#include "jinja/text_split.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {

std::string replace_text(Runtime& runtime, std::string_view text, std::string_view old, std::string_view replacement,
                         Int count) {
  std::string out;
  runtime.step(text.size() / 64);
  if (old.empty()) {
    std::size_t i = 0;
    for (;; --count) {
      if (count == 0) break;
      out += replacement;
      if (i >= text.size()) return out;
      const std::size_t begin = i;
      utf8_next(text, i);
      out += text.substr(begin, i - begin);
      if (out.size() > 4096) runtime.expect_bytes(out.size(), 2);
    }
    return out.append(text.substr(i));
  }
  std::size_t at = 0;
  for (; count != 0; --count) {
    const std::size_t found = find_text(text, old, at);
    if (found == std::string_view::npos) break;
    out.append(text.substr(at, found - at)).append(replacement);
    runtime.step();
    if (out.size() > 4096) runtime.expect_bytes(out.size(), 2);
    at = found + old.size();
  }
  return out.append(text.substr(at));
}

std::string join_text(Runtime& runtime, const Str& separator, const std::vector<Value>& items, bool convert) {
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!convert && !items[i].is_string())
      fail("sequence item " + std::to_string(i) + ": expected str instance, " + type_name(items[i]) + " found");
    if (i > 0) out += separator.text;
    const bool escape = separator.markup && !convert && !items[i].str().markup;
    out += escape ? escape_html(items[i].text()) : str(items[i]);
    runtime.step();
    if (out.size() > 4096) runtime.expect_bytes(out.size(), 2);
  }
  return out;
}

namespace {

std::string padding(Runtime& runtime, std::size_t count, std::string_view fill) {
  runtime.expect_bytes(count, fill.size());
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += fill;
  return out;
}

std::size_t missing_width(const Str& text, Int width) {
  const Int length = static_cast<Int>(text.length);
  return width > length ? static_cast<std::size_t>(std::min(width - length, Int{1} << 40)) : 0;
}

}  // namespace

std::string centered(Runtime& runtime, const Str& text, Int width, std::string_view fill) {
  const std::size_t missing = missing_width(text, width);
  const std::size_t left = missing / 2 + (missing & static_cast<std::size_t>(width) & 1);
  return padding(runtime, left, fill) + text.text + padding(runtime, missing - left, fill);
}

namespace {

Value same_kind(Runtime& runtime, const Value& self, std::string text) {
  return runtime.text(std::move(text), self.str().markup);
}

template <std::string (*kMap)(std::string_view)>
Value recased(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("str method", args, {});
  return same_kind(runtime, self, kMap(self.text()));
}

template <bool kLeft, bool kRight>
Value stripped(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("strip", args, {"chars"});
  const std::string_view text = self.text();
  const auto out = bound.is_none(0) ? strip(text, kLeft, kRight) : strip_set(text, bound.text(0), kLeft, kRight);
  return same_kind(runtime, self, std::string(out));
}

// The window [start, end) of characters that find, count, startswith … look at, as bytes.
struct Window {
  std::string_view text;
  std::size_t first_character;
  bool empty_range;  // start lies behind the end: not even "" is found
};

Window window(const Str& text, const Bound& bound) {
  const Int length = static_cast<Int>(text.length);
  auto position = [&](std::size_t i, Int fallback) {
    if (bound.is_none(i)) return fallback;
    const Int at = bound.integer(i, fallback);
    return at < 0 ? std::max(at + length, Int{0}) : at;
  };
  const Int start = position(1, 0), end = std::min(position(2, length), length);
  if (start > end) return {{}, 0, true};
  const auto first = byte_offset(text.text, static_cast<std::size_t>(start));
  const auto last = byte_offset(text.text, static_cast<std::size_t>(end));
  return {std::string_view(text.text).substr(first, last - first), static_cast<std::size_t>(start), false};
}

template <bool kFromRight, bool kMustBeThere>
Value found_at(Runtime&, const Value& self, const Args& args) {
  const Bound bound("find", args, {"sub", "start", "end"}, 1);
  const Window part = window(self.str(), bound);
  const auto at = part.empty_range ? std::string_view::npos
                  : kFromRight     ? rfind_text(part.text, bound.text(0))
                                   : find_text(part.text, bound.text(0));
  if (at != std::string_view::npos) return part.first_character + utf8_count(part.text.substr(0, at));
  bound.text(0);
  if (kMustBeThere) fail("substring not found");
  return -1;
}

Value count(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("count", args, {"sub", "start", "end"}, 1);
  const Window part = window(self.str(), bound);
  const std::string& wanted = bound.text(0);
  if (part.empty_range) return 0;
  if (wanted.empty()) return utf8_count(part.text) + 1;
  runtime.step(part.text.size() / 64);
  std::size_t total = 0;
  for (auto at = find_text(part.text, wanted); at != std::string_view::npos;
       at = find_text(part.text, wanted, at + wanted.size()))
    ++total;
  return total;
}

template <bool kStart>
Value affixed(Runtime&, const Value& self, const Args& args) {
  const Bound bound(kStart ? "startswith" : "endswith", args, {"affix", "start", "end"}, 1);
  const Window part = window(self.str(), bound);
  auto matches = [&](const Value& affix) {
    if (!affix.is_string()) fail("startswith first arg must be str or a tuple of str, not " + type_name(affix));
    if (part.empty_range) return false;
    return kStart ? part.text.starts_with(affix.text()) : part.text.ends_with(affix.text());
  };
  if (!bound.at(0).is_tuple()) return matches(bound.at(0));
  const auto& affixes = bound.at(0).list().items;
  return std::any_of(affixes.begin(), affixes.end(), matches);
}

Value replaced(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("replace", args, {"old", "new", "count"}, 2);
  return same_kind(runtime, self,
                   replace_text(runtime, self.text(), bound.text(0), bound.text(1), bound.integer(2, -1)));
}

Value joined(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("join", args, {"iterable"}, 1);
  if (!is_iterable(bound.at(0))) fail("can only join an iterable");
  return same_kind(runtime, self, join_text(runtime, self.str(), collect(runtime, bound.at(0)), false));
}

template <bool kFromRight>
Value split(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("split", args, {"sep", "maxsplit"});
  const Int most = bound.integer(1, -1);
  if (!bound.is_none(0) && bound.text(0).empty()) fail("empty separator");
  const std::string_view text = self.text();
  const auto parts =
      bound.is_none(0) ? split_spaces(text, most, kFromRight) : split_text(text, bound.text(0), most, kFromRight);
  return texts(runtime, parts, self.str().markup);
}

Value splitlines(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("splitlines", args, {"keepends"});
  return texts(runtime, split_lines(self.text(), bound.flag(0, false)), self.str().markup);
}

template <bool kFromRight>
Value partition(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("partition", args, {"sep"}, 1);
  const std::string& separator = bound.text(0);
  const std::string_view text = self.text();
  if (separator.empty()) fail("empty separator");
  const auto at = kFromRight ? rfind_text(text, separator) : find_text(text, separator);
  std::string_view parts[3] = {text, "", ""};
  if (at != std::string_view::npos)
    parts[0] = text.substr(0, at), parts[1] = separator, parts[2] = text.substr(at + separator.size());
  else if (kFromRight)
    std::swap(parts[0], parts[2]);
  std::vector<Value> items;
  for (const auto part : parts) items.push_back(same_kind(runtime, self, std::string(part)));
  return runtime.tuple(std::move(items));
}

template <bool kPrefix>
Value without_affix(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("removeprefix", args, {"affix"}, 1);
  std::string_view text = self.text();
  const std::string& affix = bound.text(0);
  if (kPrefix && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!kPrefix && text.ends_with(affix)) text.remove_suffix(affix.size());
  return same_kind(runtime, self, std::string(text));
}

enum class Side { kLeft, kRight, kCenter };
template <Side kSide>
Value justified(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("ljust", args, {"width", "fillchar"}, 1);
  const std::string fill = bound.has(1) ? bound.text(1) : " ";
  if (utf8_count(fill) != 1) fail("The fill character must be exactly one character long");
  const Int width = bound.integer(0, 0);
  if (kSide == Side::kCenter) return same_kind(runtime, self, centered(runtime, self.str(), width, fill));
  const std::string pad = padding(runtime, missing_width(self.str(), width), fill);
  return same_kind(runtime, self, kSide == Side::kLeft ? self.text() + pad : pad + self.text());
}

Value zfill(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("zfill", args, {"width"}, 1);
  const std::string& text = self.text();
  const std::string pad = padding(runtime, missing_width(self.str(), bound.integer(0, 0)), "0");
  const std::size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  return same_kind(runtime, self, text.substr(0, sign) + pad + text.substr(sign));
}

template <bool (*kIs)(char32_t)>
Value all_are(Runtime&, const Value& self, const Args& args) {
  const Bound bound("str method", args, {});
  const std::string& text = self.text();
  for (std::size_t i = 0; i < text.size();)
    if (!kIs(utf8_next(text, i))) return false;
  return !text.empty();
}

// isupper and islower: at least one cased character, none of the other case.
template <bool (*kIs)(char32_t), bool (*kOther)(char32_t)>
Value cased(Runtime&, const Value& self, const Args& args) {
  const Bound bound("str method", args, {});
  const std::string& text = self.text();
  bool any = false;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = utf8_next(text, i);
    if (kOther(c) || is_title(c)) return false;
    any = any || kIs(c);
  }
  return any;
}

bool is_ascii_char(char32_t c) { return c < 0x80; }
Value isascii(Runtime& runtime, const Value& self, const Args& args) {
  return self.text().empty() || all_are<is_ascii_char>(runtime, self, args).boolean();
}
Value istitle(Runtime&, const Value& self, const Args& args) {
  const Bound bound("istitle", args, {});
  bool in_word = false, any = false;
  for (std::size_t i = 0; i < self.text().size();) {
    const char32_t c = utf8_next(self.text(), i);
    if ((is_upper(c) || is_title(c)) ? in_word : is_lower(c) && !in_word) return false;
    in_word = is_upper(c) || is_title(c) || is_lower(c);
    any = any || in_word;
  }
  return any;
}

Value formatted(Runtime& runtime, const Value& self, const Args& args) {
  return same_kind(runtime, self, brace_format(runtime, self.str(), args));
}

Value missing_method(Runtime&, const Value&, const Args&) { fail("this method of str is not supported"); }

constexpr std::pair<std::string_view, Method> kMethods[] = {
    {"upper", recased<to_upper>},
    {"lower", recased<to_lower>},
    {"title", recased<to_title>},
    {"casefold", recased<to_folded>},
    {"capitalize", recased<to_capitalized>},
    {"swapcase", recased<swap_case>},
    {"strip", stripped<true, true>},
    {"lstrip", stripped<true, false>},
    {"rstrip", stripped<false, true>},
    {"find", found_at<false, false>},
    {"rfind", found_at<true, false>},
    {"index", found_at<false, true>},
    {"rindex", found_at<true, true>},
    {"count", count},
    {"startswith", affixed<true>},
    {"endswith", affixed<false>},
    {"replace", replaced},
    {"join", joined},
    {"split", split<false>},
    {"rsplit", split<true>},
    {"splitlines", splitlines},
    {"partition", partition<false>},
    {"rpartition", partition<true>},
    {"removeprefix", without_affix<true>},
    {"removesuffix", without_affix<false>},
    {"ljust", justified<Side::kLeft>},
    {"rjust", justified<Side::kRight>},
    {"center", justified<Side::kCenter>},
    {"zfill", zfill},
    {"isspace", all_are<is_space>},
    {"isalpha", all_are<is_alpha>},
    {"isdigit", all_are<is_digit>},
    {"isdecimal", all_are<is_decimal>},
    {"isnumeric", all_are<is_numeric>},
    {"isalnum", all_are<is_alnum>},
    {"isupper", cased<is_upper, is_lower>},
    {"islower", cased<is_lower, is_upper>},
    {"isascii", isascii},
    {"istitle", istitle},
    {"format", formatted},
    {"encode", missing_method},
    {"expandtabs", missing_method},
    {"translate", missing_method},
    {"maketrans", missing_method},
    {"format_map", missing_method},
    {"isidentifier", missing_method},
    {"isprintable", all_are<is_printable>},
};

}  // namespace

Method find_text_method(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kMethods), std::end(kMethods), [&](const auto& row) { return row.first == name; });
  return found == std::end(kMethods) ? nullptr : found->second;
}

}  // namespace tetrad::jinja
