// Text to syntax tree: Jinja2's grammar with the tags break, continue and generation. Used by Template.
#pragma once

#include <string_view>

#include "jinja/ast.h"

namespace tetrad::jinja {

// Throws Fault with a line. Nesting is limited to 200 levels, for expressions and for statements.
Block parse_template(std::string_view source);

}  // namespace tetrad::jinja
