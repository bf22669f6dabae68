// A JSON schema made fit for xgrammar: what it holds to is kept, what it is known to ignore or get wrong is rewritten
// or refused. Used by grammar.cpp.
#pragma once

#include "base/error.h"
#include "base/json.h"

namespace tetrad {

// Fails naming the keyword and its place ("/properties/a: not"). The result admits only texts that the original admits.
Result<Json> prepare_json_schema(const Json& schema);

}  // namespace tetrad
