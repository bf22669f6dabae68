// What the reference implementation means by "space", "digit", "lower case" and "NFC". It is put together from several
// Unicode versions (Oniguruma and Rust: 16; its normalization tables: 10), while PCRE2 10.42 has 14 and utf8proc 2.8
// has 15. The tables in unicode_differences.cpp, measured over all code points, close these gaps. Pure functions on
// well-formed UTF-8.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tetrad::unicode {

struct Range {
  char32_t first, last;
};
struct Substitute {
  char32_t first, last, replacement;
};

bool in_ranges(std::span<const Range> ranges, char32_t c);  // ranges sorted and disjoint

// Characters that PCRE2 puts in another class than the reference does, each with an old character of the same length in
// UTF-8 and of the class that the reference sees. Sorted.
std::span<const Substitute> class_substitutes();
// `text` with these substitutions made, so that patterns match as in the reference; every offset stays valid. Returns
// `text` itself when there is nothing to substitute (the usual case: one pass over the bytes), else a view of `buffer`.
std::string_view with_reference_classes(std::string_view text, std::string& buffer);

bool is_white_space(char32_t c);  // White_Space
bool is_numeric(char32_t c);      // Nd, Nl, No
bool is_punctuation(char32_t c);  // ASCII punctuation, or P* as of Unicode 8
bool is_word(char32_t c);         // \w: Alphabetic, M, Nd, Pc, Join_Control

std::string to_lower(std::string_view text);  // full mapping of each character by itself (no final sigma)

enum class Form { kNfc, kNfd, kNfkc, kNfkd };
std::string normalize(std::string_view text, Form form);

std::span<const Range> newer_punctuation();     // P* for utf8proc, not for the reference
std::span<const Range> newer_numbers();         // N* for the reference, not for utf8proc
std::span<const Range> newer_combining();       // combining class 0 in the reference's normalization
std::span<const Range> newer_decompositions();  // not decomposed in the reference's normalization

}  // namespace tetrad::unicode
