// What Jinja2 finds when it compiles: filters and tests that do not exist. Inside `if` they only fail when they are
// reached.
#pragma once

#include "jinja/ast.h"

namespace tetrad::jinja {

void validate(const Block& block);  // throws Fault

}  // namespace tetrad::jinja
