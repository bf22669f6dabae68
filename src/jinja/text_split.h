// str.split and str.rsplit.
#pragma once

#include <string_view>
#include <vector>

#include "jinja/runtime.h"
#include "jinja/value.h"

namespace tetrad::jinja {

// At most `most` splits; negative: all. `separator` is not empty.
std::vector<std::string_view> split_text(std::string_view text, std::string_view separator, Int most, bool from_right);
std::vector<std::string_view> split_spaces(std::string_view text, Int most, bool from_right);  // runs of whitespace
Value texts(Runtime& runtime, const std::vector<std::string_view>& parts, bool markup);        // a list of str

}  // namespace tetrad::jinja
