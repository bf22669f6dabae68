// Python's backslash escapes in the string literals of a template.
#pragma once

#include <string>
#include <string_view>

namespace tetrad::jinja {

// Appends the value of a literal's inside to `out`. Returns what is wrong with it, or nothing.
std::string unescape(std::string_view literal, std::string& out);

}  // namespace tetrad::jinja
