// UTF-8 by the Unicode standard's table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tetrad {

// Bytes of the well-formed sequence that `text` begins with (1-4); 0 when it begins with none (or is empty).
std::size_t utf8_sequence_length(std::string_view text);
// Bytes of the longest prefix of `text` that could still become well-formed (for replacing a truncated sequence by ONE
// U+FFFD, as Python and Rust decode): at least 1 when text is not empty and ill-formed.
std::size_t utf8_invalid_length(std::string_view text);
bool is_valid_utf8(std::string_view text);
// Ill-formed parts become U+FFFD, one for each maximal subpart (Unicode 3.9, as Rust's from_utf8_lossy).
std::string utf8_lossy(std::string_view text);
// Decodes the sequence at text[offset], which must be well-formed, and moves offset past it.
char32_t utf8_next(std::string_view text, std::size_t& offset);
void utf8_append(std::string& out, char32_t code_point);
std::size_t utf8_count(std::string_view text);  // code points in well-formed text

}  // namespace tetrad
