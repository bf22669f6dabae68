// Characters as Python's str sees them: whitespace, categories, case mapping (utf8proc's tables plus the mappings to
// several characters, which utf8proc's functions leave out). All functions take well-formed UTF-8 and are pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tetrad::jinja {

bool is_space(char32_t c);      // str.isspace, also what \s of Python's re matches
bool is_printable(char32_t c);  // str.isprintable: what repr leaves as it is
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);  // str.isdigit
bool is_numeric(char32_t c);
bool is_alnum(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);
bool is_line_break(char32_t c);  // where str.splitlines splits

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);        // str.title
std::string to_capitalized(std::string_view text);  // str.capitalize
std::string swap_case(std::string_view text);
std::string to_folded(std::string_view text);     // str.casefold
std::string ascii_digits(std::string_view text);  // decimal digits of all scripts as 0 to 9, as int() reads them

std::string_view strip(std::string_view text, bool left = true, bool right = true);
// Removes characters that occur in `set`.
std::string_view strip_set(std::string_view text, std::string_view set, bool left, bool right);

// Byte offset of the code point number `index`; text.size() when there are not so many.
std::size_t byte_offset(std::string_view text, std::size_t index);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);

}  // namespace tetrad::jinja
