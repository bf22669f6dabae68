// Oniguruma's Ruby syntax (what patterns in tokenizer.json are written in) rewritten for PCRE2 with UTF, UCP and
// MULTILINE. Used by regex.cpp. Only what is known to mean the same is let through; all else is an error that names the
// construct.
//
// Where the two differ and are rewritten: `{n,m}+` repeats (it is not possessive), `{,n}` counts from 0, `(?m:` is
// dot-all,
// `\h` is a hex digit, `\v` a vertical tab, `\uHHHH`, `\w` and `\b` know marks, scripts are plain (not script
// extensions), long property names, nested classes `[a[bc]]` and intersections `[A&&[^B]]`.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace tetrad {

// `pattern` is well-formed UTF-8. The error names `where`.
Result<std::string> oniguruma_to_pcre2(std::string_view pattern, const std::string& where);

}  // namespace tetrad
