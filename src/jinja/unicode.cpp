#include "jinja/unicode.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/utf8.h"

namespace tetrad::jinja {
namespace {

struct SpecialCase {
  char32_t from;
  const char* upper;
  const char* title;
};

constexpr SpecialCase kSpecialCases[] = {
#include "jinja/special_upper.inc"
};

const SpecialCase* special_case(char32_t c) {
  if (c < 0x80) return nullptr;
  const auto* end = std::end(kSpecialCases);
  const auto* it = std::lower_bound(std::begin(kSpecialCases), end, c,
                                    [](const SpecialCase& row, char32_t value) { return row.from < value; });
  return it != end && it->from == c ? it : nullptr;
}

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }
char32_t simple(utf8proc_int32_t (*map)(utf8proc_int32_t), char32_t c) {
  return static_cast<char32_t>(map(static_cast<utf8proc_int32_t>(c)));
}

void append_upper(std::string& out, char32_t c) {
  if (const auto* row = special_case(c))
    out += row->upper;
  else
    utf8_append(out, simple(utf8proc_toupper, c));
}

void append_title(std::string& out, char32_t c) {
  if (const auto* row = special_case(c))
    out += row->title;
  else
    utf8_append(out, simple(utf8proc_totitle, c));
}

bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

bool is_case_ignorable(char32_t c) {
  if (c == '\'' || c == '.' || c == ':' || c == '^' || c == '`' || c == 0xB7 || c == 0x2019) return true;
  const auto kind = category(c);
  return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME || kind == UTF8PROC_CATEGORY_CF ||
         kind == UTF8PROC_CATEGORY_LM || kind == UTF8PROC_CATEGORY_SK;
}

// Greek sigma ends a word: a cased character before it, none after it, with ignorable ones between.
bool is_final_sigma(const std::u32string& text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  std::size_t after = at + 1;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return after == text.size() || !is_cased(text[after]);
}

void append_lower(std::string& out, const std::u32string& text, std::size_t at) {
  const char32_t c = text[at];
  if (c == 0x3A3)
    utf8_append(out, is_final_sigma(text, at) ? 0x3C2 : 0x3C3);
  else if (c == 0x130)
    out += "i\xCC\x87";
  else
    utf8_append(out, simple(utf8proc_tolower, c));
}

std::u32string decode(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) out += utf8_next(text, i);
  return out;
}

}  // namespace

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_line_break(char32_t c) {
  return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool is_printable(char32_t c) {
  if (c < 0x7F) return c >= 0x20;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_alpha(char32_t c) {
  const auto kind = category(c);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT ||
         kind == UTF8PROC_CATEGORY_LM || kind == UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }
bool is_digit(char32_t c) {
  // Unicode's Numeric_Type=Digit beyond the decimals; utf8proc does not store it. These are its blocks up to U+FFFF.
  return is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
         (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468) || (c >= 0x2474 && c <= 0x247C) ||
         (c >= 0x2488 && c <= 0x2490) || c == 0x24EA || (c >= 0x24F5 && c <= 0x24FD) || c == 0x24FF ||
         (c >= 0x2776 && c <= 0x277E) || (c >= 0x2780 && c <= 0x2788) || (c >= 0x278A && c <= 0x2792);
}
bool is_numeric(char32_t c) {
  const auto kind = category(c);
  return is_digit(c) || kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}
bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }
bool is_upper(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU || (c >= 0x2160 && c <= 0x216F) || (c >= 0x24B6 && c <= 0x24CF);
}
bool is_lower(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA || (c >= 0x2170 && c <= 0x217F) ||
         (c >= 0x24D0 && c <= 0x24E9);
}
bool is_title(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }

std::string to_upper(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) append_upper(out, utf8_next(text, i));
  return out;
}

std::string to_lower(std::string_view text) {
  const std::u32string decoded = decode(text);
  std::string out;
  for (std::size_t i = 0; i < decoded.size(); ++i) append_lower(out, decoded, i);
  return out;
}

std::string to_title(std::string_view text) {
  const std::u32string decoded = decode(text);
  std::string out;
  bool in_word = false;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (in_word)
      append_lower(out, decoded, i);
    else
      append_title(out, decoded[i]);
    in_word = is_cased(decoded[i]);
  }
  return out;
}

std::string to_capitalized(std::string_view text) {
  const std::u32string decoded = decode(text);
  std::string out;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (i == 0)
      append_title(out, decoded[i]);
    else
      append_lower(out, decoded, i);
  }
  return out;
}

std::string swap_case(std::string_view text) {
  const std::u32string decoded = decode(text);
  std::string out;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    if (is_upper(decoded[i]))
      append_lower(out, decoded, i);
    else if (is_lower(decoded[i]))
      append_upper(out, decoded[i]);
    else
      utf8_append(out, decoded[i]);
  }
  return out;
}

std::string to_folded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    utf8proc_int32_t folded[8];
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(utf8_next(text, i)), folded, 8,
                                               UTF8PROC_CASEFOLD, &boundary);
    for (utf8proc_ssize_t k = 0; k < std::min<utf8proc_ssize_t>(count, 8); ++k)
      utf8_append(out, static_cast<char32_t>(folded[k]));
  }
  return out;
}

std::string ascii_digits(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = utf8_next(text, i);
    char32_t zero = c;  // digits come in runs of ten, some runs back to back
    while (c >= 0x80 && is_decimal(zero - 1)) --zero;
    utf8_append(out, c >= 0x80 && is_decimal(c) ? U'0' + (c - zero) % 10 : c);
  }
  return out;
}

namespace {

template <class InSet>
std::string_view strip_by(std::string_view text, bool left, bool right, InSet&& in_set) {
  while (left && !text.empty()) {
    std::size_t i = 0;
    if (!in_set(utf8_next(text, i))) break;
    text.remove_prefix(i);
  }
  while (right && !text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    std::size_t i = begin;
    if (!in_set(utf8_next(text, i))) break;
    text = text.substr(0, begin);
  }
  return text;
}

}  // namespace

std::string_view strip(std::string_view text, bool left, bool right) { return strip_by(text, left, right, is_space); }

std::string_view strip_set(std::string_view text, std::string_view set, bool left, bool right) {
  std::u32string characters = decode(set);
  std::sort(characters.begin(), characters.end());
  auto in_set = [&](char32_t c) { return std::binary_search(characters.begin(), characters.end(), c); };
  return strip_by(text, left, right, in_set);
}

std::size_t byte_offset(std::string_view text, std::size_t index) {
  std::size_t offset = 0;
  for (; index > 0 && offset < text.size(); --index) utf8_next(text, offset);
  return offset;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t at = i;
    const char32_t c = utf8_next(text, i);
    if (!is_line_break(c)) continue;
    if (c == '\r' && i < text.size() && text[i] == '\n') ++i;
    lines.push_back(text.substr(begin, (keep_ends ? i : at) - begin));
    begin = i;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

}  // namespace tetrad::jinja
