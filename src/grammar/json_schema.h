// A JSON schema made fit for xgrammar: what it holds to is kept, what it is known to ignore or get wrong is rewritten
// or refused. Used by grammar.cpp.
#pragma once

#include "base/error.h"
#include "base/json.h"

namespace tetrad {

// Fails naming the keyword and its place ("/properties/a: not"). The result admits only texts that the original admits.
Result<Json> prepare_json_schema(const Json& schema);

// Refuses an expression or EBNF grammar whose nested counts, "((a{1000}){1000}){1000}", would be states by the million.
// The product of all counts bounds them.
Status check_repetitions(const std::string& expression, const std::string& where);

}  // namespace tetrad
