// Regular expressions inside of JSON schemas. Used by json_schema.cpp.
#pragma once

#include <string>

#include "base/error.h"

namespace tetrad {

// The expression as xgrammar takes it. A "pattern" speaks of the text itself, xgrammar of the JSON it is written as:
// what JSON writes as an escape can't come, so expressions that want such a character are refused, as are look-around
// and flags. Characters beyond ASCII become \u{X}: with them in it, xgrammar would forget that quotes need escapes.
Result<std::string> prepare_pattern(const std::string& pattern, const std::string& place);

}  // namespace tetrad
