// Everything with a name: filters, tests, the methods of str, list and dict, and the global functions. Used by the
// interpreter and by validate.
#pragma once

#include <optional>
#include <string_view>

#include "jinja/runtime.h"
#include "jinja/value.h"

namespace tetrad::jinja {

bool is_filter(std::string_view name);
bool is_test(std::string_view name);
Value call_filter(Runtime& runtime, std::string_view name, const Value& value, const Args& args);
bool call_test(Runtime& runtime, std::string_view name, const Value& value, const Args& args);

// Python's getattr: a method or attribute of a builtin type; nothing when there is none of this name.
std::optional<Value> attribute_of(Runtime& runtime, const Value& value, std::string_view name);
std::optional<Value> global(Runtime& runtime, std::string_view name);

}  // namespace tetrad::jinja
