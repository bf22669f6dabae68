// The operators of expressions between values, with Python's semantics. All throw Fault where Python raises.
#pragma once

#include <string>

#include "jinja/ast.h"
#include "jinja/runtime.h"
#include "jinja/value.h"

namespace tetrad::jinja {

Value apply(Runtime& runtime, BinaryOp op, const Value& a, const Value& b);
Value negative(const Value& value);
Value positive(const Value& value);
bool less(const Value& a, const Value& b, const char* symbol = "<");  // a < b; symbol is for the message
bool contains(Runtime& runtime, const Value& container, const Value& item);
bool compare(Runtime& runtime, CompareOp op, const Value& a, const Value& b);

// a.name and a[key] as the sandboxed environment looks them up: missing ones are Undefined.
Value get_attribute(Runtime& runtime, const Value& value, const std::string& name);
Value get_item(Runtime& runtime, const Value& value, const Value& key);
// value[begin:end:step]; None stands for a part that is not given.
Value slice(Runtime& runtime, const Value& value, const Value& begin, const Value& end, const Value& step);

std::string escape_html(std::string_view text);  // markupsafe.escape
// text % value and the filter `format`.
std::string percent_format(Runtime& runtime, const Str& format, const Value& value);
// text.format(...)
std::string brace_format(Runtime& runtime, const Str& format, const Args& args);

}  // namespace tetrad::jinja
