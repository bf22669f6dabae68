#include "tokenizer/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <vector>

#include "base/utf8.h"

namespace tetrad::unicode {
namespace {

const Substitute* substitute_of(char32_t c) {
  const auto table = class_substitutes();
  const auto after =
      std::upper_bound(table.begin(), table.end(), c, [](char32_t x, const Substitute& s) { return x < s.first; });
  if (after == table.begin() || c > std::prev(after)->last) return nullptr;
  return &*std::prev(after);
}

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

// No character that normalization to NFC could change or move, judged from the character alone; false when in doubt.
bool surely_nfc(char32_t c) {
  return c < 0x300 || (c >= 0x2010 && c <= 0x2027) || (c >= 0x3041 && c <= 0x3096) || (c >= 0x30A1 && c <= 0x30FA) ||
         (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0xFF01 && c <= 0xFF5E) || (c >= 0x400 && c <= 0x482) || (c >= 0x3000 && c <= 0x3029);
}

bool already_nfc(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
    } else if (!surely_nfc(utf8_next(text, i))) {
      return false;
    }
  }
  return true;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::uint8_t combining_class(char32_t c) {
  if (c < 0x300 || in_ranges(newer_combining(), c)) return 0;
  return static_cast<std::uint8_t>(utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class);
}

void append_decomposition(std::vector<utf8proc_int32_t>& out, char32_t c, utf8proc_option_t options) {
  if (in_ranges(newer_decompositions(), c)) {
    out.push_back(static_cast<utf8proc_int32_t>(c));
    return;
  }
  std::array<utf8proc_int32_t, 32> parts;  // the longest decomposition (U+FDFA) has 18
  int boundary = 0;
  const auto n =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(), options, &boundary);
  if (n < 0 || n > static_cast<utf8proc_ssize_t>(parts.size()))
    out.push_back(static_cast<utf8proc_int32_t>(c));
  else
    out.insert(out.end(), parts.begin(), parts.begin() + n);
}

// utf8proc's own ordering is quadratic in the length of a run of marks, which a hostile text could make long; so it is
// done here.
void order_marks(std::vector<utf8proc_int32_t>& text) {
  const auto ccc = [](utf8proc_int32_t c) { return combining_class(static_cast<char32_t>(c)); };
  for (std::size_t i = 0; i < text.size();) {
    if (ccc(text[i]) == 0) {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < text.size() && ccc(text[end]) != 0) ++end;
    std::stable_sort(text.begin() + static_cast<std::ptrdiff_t>(i), text.begin() + static_cast<std::ptrdiff_t>(end),
                     [&](auto a, auto b) { return ccc(a) < ccc(b); });
    i = end;
  }
}

std::optional<char32_t> lower_newer(char32_t c) {
  if (c == 0x1C89 || c == 0xA7CC || c == 0xA7CE || c == 0xA7D2 || c == 0xA7D4 || c == 0xA7DA) return c + 1;
  if (c == 0xA7CB) return 0x264;
  if (c == 0xA7DC) return 0x19B;
  if (c >= 0x10D50 && c <= 0x10D65) return c + 0x20;
  if (c >= 0x16EA0 && c <= 0x16EB8) return c + 0x1B;
  return std::nullopt;
}

// Canonical composition (Unicode 3.11, D117) over text in canonical order.
std::optional<char32_t> compose_pair(char32_t first, char32_t second) {
  std::array<utf8proc_int32_t, 2> pair{static_cast<utf8proc_int32_t>(first), static_cast<utf8proc_int32_t>(second)};
  const auto n =
      utf8proc_normalize_utf32(pair.data(), 2, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (n != 1) return std::nullopt;
  const auto composed = static_cast<char32_t>(pair[0]);
  if (in_ranges(newer_decompositions(), composed)) return std::nullopt;
  return composed;
}

void compose(std::vector<utf8proc_int32_t>& text) {
  std::size_t out = 0;
  std::optional<std::size_t> starter;
  std::uint8_t last_class = 0;
  for (const auto c : text) {
    const std::uint8_t ccc = combining_class(static_cast<char32_t>(c));
    // A mark is blocked from the starter when one of the same or a higher class, or another starter, stands between.
    const bool adjacent = starter && out == *starter + 1;
    if (starter && (adjacent || (last_class != 0 && last_class < ccc))) {
      if (const auto composed = compose_pair(static_cast<char32_t>(text[*starter]), static_cast<char32_t>(c))) {
        text[*starter] = static_cast<utf8proc_int32_t>(*composed);
        continue;
      }
    }
    if (ccc == 0) starter = out;
    last_class = ccc;
    text[out++] = c;
  }
  text.resize(out);
}

}  // namespace

bool in_ranges(std::span<const Range> ranges, char32_t c) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), c, [](char32_t x, const Range& r) { return x < r.first; });
  return after != ranges.begin() && c <= std::prev(after)->last;
}

std::string_view with_reference_classes(std::string_view text, std::string& buffer) {
  bool copied = false;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0xE0) {  // every character in the table has three or four bytes; continuation bytes pass here too
      ++i;
      continue;
    }
    const std::size_t start = i;
    const Substitute* substitute = substitute_of(utf8_next(text, i));
    if (substitute == nullptr) continue;
    if (!copied) buffer.assign(text);
    copied = true;
    std::string replacement;
    utf8_append(replacement, substitute->replacement);
    buffer.replace(start, replacement.size(), replacement);
  }
  return copied ? std::string_view(buffer) : text;
}

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_numeric(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  const auto found = category(c);
  return (found >= UTF8PROC_CATEGORY_ND && found <= UTF8PROC_CATEGORY_NO) || in_ranges(newer_numbers(), c);
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return c > ' ' && c < 0x7F && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  if (c == 0x166D || c == 0x111C9) return true;  // moved to S* and M* since Unicode 8
  const auto found = category(c);
  return found >= UTF8PROC_CATEGORY_PC && found <= UTF8PROC_CATEGORY_PO && !in_ranges(newer_punctuation(), c);
}

bool is_word(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  if (c == 0x200C || c == 0x200D) return true;
  if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
      (c >= 0x1F170 && c <= 0x1F189))
    return true;  // Other_Alphabetic that is neither letter nor mark
  const Substitute* substitute = substitute_of(c);
  const auto found = category(substitute != nullptr ? substitute->replacement : c);
  return (found >= UTF8PROC_CATEGORY_LU && found <= UTF8PROC_CATEGORY_NL) || found == UTF8PROC_CATEGORY_PC;
}

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = utf8_next(text, i);
    if (c == 0x130) {
      out += "i\xCC\x87";
    } else if (const auto newer = lower_newer(c)) {
      utf8_append(out, *newer);
    } else {
      utf8_append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    }
  }
  return out;
}

std::string normalize(std::string_view text, Form form) {
  const bool composing = form == Form::kNfc || form == Form::kNfkc;
  if (form == Form::kNfc ? already_nfc(text) : is_ascii(text)) return std::string(text);
  const bool compatible = form == Form::kNfkc || form == Form::kNfkd;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
  std::vector<utf8proc_int32_t> points;
  points.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) append_decomposition(points, utf8_next(text, i), options);
  order_marks(points);
  if (composing) compose(points);
  std::string out;
  out.reserve(text.size());
  for (const auto c : points) utf8_append(out, static_cast<char32_t>(c));
  return out;
}

}  // namespace tetrad::unicode
