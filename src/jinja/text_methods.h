// The methods of str.
#pragma once

#include <string_view>

#include "jinja/runtime.h"
#include "jinja/value.h"

namespace tetrad::jinja {

using Method = Value (*)(Runtime& runtime, const Value& self, const Args& args);

// Null when str has no method of this name. Methods that Python has and this engine lacks fail when they are called.
Method find_text_method(std::string_view name);

// text.replace(old, replacement, count); count < 0: all.
std::string replace_text(Runtime& runtime, std::string_view text, std::string_view old, std::string_view replacement,
                         Int count);
std::string join_text(Runtime& runtime, const Str& separator, const std::vector<Value>& items, bool convert);
std::string centered(Runtime& runtime, const Str& text, Int width, std::string_view fill);

}  // namespace tetrad::jinja
